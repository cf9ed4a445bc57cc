"""Plots of what the real and the synthetic traffic of one device look like.

All are of one trial: its real windows, those of its control, and those of each generator.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from iotflowgen.evaluation import Profile, Sample
from iotflowgen.evaluation.profile import DECADES, LENGTH_STEP, Example
from iotflowgen.report.palette import GROUND, Mark
from iotflowgen.report.svg import inline_svg, margin_for, panel, shortened

__all__ = ["field_plots", "window_plots"]

_INK, _MUTED, _REAL, _GRID = (GROUND[name].light for name in ("ink", "muted", "real", "grid"))
_WINDOWS = 4  # shown of each
_SHORTEST = 1e-4  # seconds; gaps below are drawn alike
_LONGEST = 1514  # bytes, what Ethernet carries

_SHARES: dict[str, Callable[[Profile], dict[str, float]]] = {
    "Direction and protocols": lambda of: {"sent": of.outgoing} | of.protocols,
    "Source port": lambda of: _ports(of.src_ports),
    "Destination port": lambda of: _ports(of.dst_ports),
}


class _Series(NamedTuple):
    """Whose traffic is held against the real."""

    name: str
    profile: Profile
    colour: str
    marker: str


def field_plots(
    device: str, samples: Mapping[str, Sample], marks: Mapping[str, Mark]
) -> Iterator[tuple[str, Markup]]:
    """A heading and a plot a field."""
    first = next(iter(samples.values())).profiles
    real = first["real"]
    series = [_Series("control", first["control"], _INK, "|")]
    for name, sample in samples.items():
        mark = marks[name]
        series.append(_Series(name, sample.profiles["synthetic"], mark.ink.light, mark.marker))
    for heading, plot in (("Frame length", _lengths), ("Time to the next packet", _durations)):
        yield heading, inline_svg(plot(real, series), f"{heading}: {device}, real and synthetic")
    for heading, shares in _SHARES.items():
        figure = _share_plot(shares, real, series)
        yield heading, inline_svg(figure, f"{heading}: {device}, real and synthetic")


def _lengths(real: Profile, series: Sequence[_Series]) -> Figure:
    edges = np.arange(len(real.lengths) + 1) * LENGTH_STEP
    figure, axes = _ridges(edges, real.lengths, [of.profile.lengths for of in series], series)
    axes.set_xticks(range(0, 1501, 500))
    axes.set_xlabel("bytes")
    return figure


def _durations(real: Profile, series: Sequence[_Series]) -> Figure:
    edges = np.linspace(*DECADES, len(real.durations) + 1)
    figure, axes = _ridges(edges, real.durations, [of.profile.durations for of in series], series)
    axes.set_xticks([-6, -3, 0, 3], ["1 µs", "1 ms", "1 s", "1000 s"])
    axes.set_xlabel("time, logarithmic")
    return figure


def _ridges(
    edges: NDArray[np.number],
    real: Sequence[float],
    others: Sequence[Sequence[float]],
    series: Sequence[_Series],
) -> tuple[Figure, Axes]:
    """A row each, its outline over the real distribution."""
    figure, axes = panel(40 * len(series) + 42, left=margin_for(of.name for of in series))
    # the root shows the rare beside the common
    tallest = np.sqrt(max(max(shares) for shares in (real, *others)))
    ground = 0.85 * np.sqrt(real) / tallest
    for place, (of, shares) in enumerate(zip(series, others, strict=True)):
        y = float(-place)
        outline = 0.85 * np.sqrt(shares) / tallest
        axes.stairs(y + ground, edges, baseline=y, fill=True, color=_REAL, linewidth=0)
        axes.stairs(y + outline, edges, baseline=None, color=of.colour, linewidth=1.3)
    axes.set_yticks(0.3 - np.arange(len(series)), [shortened(of.name) for of in series])
    axes.set_ylim(1 - len(series), 1)
    axes.set_xlim(edges[0], edges[-1])
    axes.grid(axis="x")
    return figure, axes


def _share_plot(
    shares: Callable[[Profile], dict[str, float]], real: Profile, series: Sequence[_Series]
) -> Figure:
    """A row a value: a bar for the real traffic, a mark for each other."""
    expected = shares(real)
    names = [shortened(name) for name in expected]
    figure, axes = panel(22 * len(names) + 42, left=margin_for(names))
    y = -np.arange(len(names), dtype=float)
    axes.barh(y, list(expected.values()), height=0.8, color=_REAL, linewidth=0)
    control, *generators = series
    found = shares(control.profile)
    axes.vlines([found.get(k, 0) for k in expected], y - 0.4, y + 0.4, _INK, linewidth=1.6)
    for i, of in enumerate(generators):
        found = shares(of.profile)
        below = 0.7 * ((i + 0.5) / len(generators) - 0.5)
        axes.plot(
            [found.get(k, 0) for k in expected],
            y - below,
            of.marker,
            color=of.colour,
            markersize=4.5,
            markeredgewidth=0,
        )
    axes.set_yticks(y, names)
    axes.set_ylim(-len(names) + 0.5, 0.5)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel("of all packets")
    axes.grid(axis="x")
    return figure


def _ports(shares: Mapping[str, float]) -> dict[str, float]:
    return {"no port" if port == "0" else port: of for port, of in shares.items()}


def window_plots(
    device: str, samples: Mapping[str, Sample], marks: Mapping[str, Mark]
) -> Iterator[tuple[str, Markup]]:
    """A name and a picture of windows for the real traffic and for each generator."""
    real = next(iter(samples.values())).profiles["real"]
    shown = {"real traffic": (real.examples[:_WINDOWS], _MUTED)} | {
        name: (sample.profiles["synthetic"].examples[:_WINDOWS], marks[name].ink.light)
        for name, sample in samples.items()
    }
    longest = max((_places(one)[-1] for of, _ in shown.values() for one in of), default=1.0)
    for name, (examples, colour) in shown.items():
        figure = _windows(examples, colour, longest)
        yield name, inline_svg(figure, f"Example windows of {device}: {name}")


def _windows(examples: Sequence[Example], colour: str, longest: float) -> Figure:
    """A row a window: packets from left to right, sent ones up, received ones down."""
    figure, axes = panel(56 * len(examples) + 12, left=58, right=56, bottom=6)
    for row, example in enumerate(examples):
        middle = -float(row)
        x, bytes_ = _places(example), np.array(example.bytes)
        height = 0.44 * np.sign(bytes_) * np.sqrt(np.minimum(np.abs(bytes_) / _LONGEST, 1))
        axes.hlines(middle, 0, longest, color=_GRID, linewidth=0.8)
        # one broken line rather than one a packet keeps the page small
        gap = np.full(len(x), np.nan)
        axes.plot(
            np.column_stack([x, x, gap]).ravel(),
            np.column_stack([np.full(len(x), middle), middle + height, gap]).ravel(),
            color=colour,
            linewidth=1.6,
        )
        lasts = _time(example.seconds[-1])
        axes.text(1.03 * longest, middle, lasts, va="center", color=_MUTED)
    axes.set_yticks([0.22, -0.22], ["sent", "received"])
    axes.set_xticks([])
    axes.spines.bottom.set_visible(False)
    axes.set_xlim(0, longest)
    axes.set_ylim(-len(examples) + 0.5, 0.5)
    return figure


def _places(example: Example) -> NDArray[np.float64]:
    """Where the packets of a window stand: a step each, and one more a decade of time between."""
    gaps = np.diff(np.array(example.seconds), prepend=0.0)
    steps = 1 + np.log10(np.maximum(gaps / _SHORTEST, 1))
    places: NDArray[np.float64] = np.cumsum(steps)
    return places


def _time(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 120 else f"{seconds / 60:,.0f} min"
