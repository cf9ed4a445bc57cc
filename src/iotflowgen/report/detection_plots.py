"""Plots of how much of the windows adversaries classify correctly.

Shapes: D devices, in the order of the file, from top to bottom.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, PercentFormatter

from iotflowgen.evaluation import Cell, Detection, Protocol
from iotflowgen.report.findings import Findings, control, excess, mean_of
from iotflowgen.report.palette import GROUND, Mark
from iotflowgen.report.svg import inline_svg, margin_for, panel, shortened

__all__ = ["accuracy_plot", "excess_plot"]


def excess_plot(findings: Findings, adversary: str, marks: Mapping[str, Mark]) -> Markup:
    """The excess of each generator: a dot a device, and their mean."""
    names = findings.generators
    figure, axes = panel(30 * len(names) + 44, left=margin_for(names))
    axes.axvline(0, color=GROUND["muted"].light, linewidth=1, linestyle=(0, (3, 3)))
    for place, name in enumerate(names):
        cells = findings.cells(protocol="held-out", adversary=adversary, generator=name)
        values = [value for value in map(excess, cells) if value is not None]
        if not values:
            continue
        colour = marks[name].ink.light
        axes.plot(
            values,
            np.full(len(values), -place),
            marks[name].marker,
            color=colour,
            alpha=0.45,
            markersize=6,
            markeredgewidth=0,
        )
        axes.vlines(np.mean(values), -place - 0.38, -place + 0.38, color=colour, linewidth=3)
    _rows(axes, names)
    everyone = [cell.excess or 0.0 for cell in findings.cells(protocol="held-out")]
    axes.set_xlim(min([-0.05, *everyone]) - 0.01, max([0.1, *everyone]) + 0.01)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _signed(100 * x)))
    axes.set_xlabel("excess, points")
    return inline_svg(figure, f"Excess over the control of each generator, adversary {adversary}")


def accuracy_plot(
    findings: Findings, protocol: Protocol, adversary: str, marks: Mapping[str, Mark]
) -> Markup:
    """Accuracy on each device against each generator, with 95% intervals and controls."""
    devices, names = findings.devices, findings.generators
    step = max(7 * len(names) + 6, 20)
    figure, axes = panel(step * len(devices) + 44, left=margin_for(devices))
    place = {device: -i for i, device in enumerate(devices)}
    cells = findings.cells(protocol=protocol, adversary=adversary)
    axes.axvline(0.5, color=GROUND["muted"].light, linewidth=1, linestyle=(0, (3, 3)))
    for device in devices:
        _draw_control(axes, place[device], [cell for cell in cells if cell.device == device])
    for i, name in enumerate(names):
        below = 0.8 * ((i + 0.5) / len(names) - 0.5)
        of = [cell for cell in cells if cell.generator == name]
        _draw_cells(axes, of, [place[cell.device] - below for cell in of], marks[name])
    _rows(axes, devices)
    axes.set_xlim(_lowest(findings), 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel("accuracy")
    return inline_svg(figure, f"Accuracy of {adversary} under {protocol}, by device and generator")


def _draw_cells(axes: Axes, cells: Sequence[Cell], y: Sequence[float], mark: Mark) -> None:
    """A dot each, and its interval."""
    intervals = [_from_to(attack.detection for attack in cell.attacks) for cell in cells]
    colour = mark.ink.light
    # one broken line rather than one a cell keeps the page small
    x = [end for low, high in intervals for end in (low, high, np.nan)]
    axes.plot(x, np.repeat(y, 3), color=colour, linewidth=1.1)
    accuracies = [cell.accuracy or 0.0 for cell in cells]
    axes.plot(accuracies, y, mark.marker, color=colour, markersize=5, markeredgewidth=0)


def _draw_control(axes: Axes, y: float, cells: Sequence[Cell]) -> None:
    """A line where the control is, on a band as wide as its interval."""
    middle = mean_of(map(control, cells))
    if middle is None:
        return
    low, high = _from_to(attack.control for cell in cells for attack in cell.attacks)
    axes.fill_between(
        [low, high], y - 0.42, y + 0.42, color=GROUND["real"].light, alpha=0.35, linewidth=0
    )
    axes.vlines(middle, y - 0.42, y + 0.42, color=GROUND["ink"].light, linewidth=1.6)


def _from_to(detections: Iterable[Detection]) -> tuple[float, float]:
    """From the lowest to the highest of their intervals."""
    lows, highs = zip(*(detection.interval for detection in detections), strict=True)
    return min(lows), max(highs)


def _lowest(findings: Findings) -> float:
    """Where the axes of all plots begin, so that they compare."""
    attacks = [attack for cell in findings.cells() for attack in cell.attacks]
    lows = [of.interval[0] for attack in attacks for of in (attack.detection, attack.control)]
    return float(np.floor(10 * min([0.4, *lows])) / 10)


def _signed(points: float) -> str:
    return f"{points:+.0f}".replace("-", "−") if round(points) else "0"


def _rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(-np.arange(len(names)), [shortened(name) for name in names])
    axes.set_ylim(-len(names) + 0.5, 0.5)
    axes.grid(axis="x")
