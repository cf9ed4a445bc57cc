"""A day of real traffic and a generated one: a mark where bursts of a service begin."""

from collections.abc import Iterator, Mapping

import numpy as np
from markupsafe import Markup

from iotflowgen.evaluation import MINUTES, Day, Sample
from iotflowgen.report.palette import GROUND, Mark
from iotflowgen.report.svg import inline_svg, margin_for, panel, shortened

__all__ = ["day_plots"]

_INK, _GRID = (GROUND[name].light for name in ("ink", "grid"))
_SERVICES = 8  # shown, those that begin most often in either
_ROW = 34
_HIGH = 0.42  # of a row, a mark


def day_plots(
    device: str, samples: Mapping[str, Sample], marks: Mapping[str, Mark]
) -> Iterator[tuple[str, Markup]]:
    """A name and a picture for each generator whose traffic lasts for days."""
    for name, sample in samples.items():
        if sample.days.keys() >= {"real", "synthetic"}:
            yield name, _picture(device, name, sample.days, marks[name].ink.light)


def _picture(device: str, name: str, days: Mapping[str, Day], colour: str) -> Markup:
    real, synthetic = days["real"].starts, days["synthetic"].starts
    services = sorted(
        {*real, *synthetic},
        key=lambda each: -max(len(of.get(each, ())) for of in (real, synthetic)),
    )[:_SERVICES]
    figure, axes = panel(_ROW * len(services) + 42, left=margin_for(services))
    for row, service in enumerate(services):
        axes.hlines(-row, 0, MINUTES, color=_GRID, linewidth=0.8)
        for starts, high, ink in ((real, _HIGH, _INK), (synthetic, -_HIGH, colour)):
            at = np.array(starts.get(service, ()), dtype=float)
            gap, foot = np.full(len(at), np.nan), np.full(len(at), float(-row))
            # one broken line rather than one a mark keeps the page small
            x, y = (np.column_stack(of).ravel() for of in ((at, at, gap), (foot, foot + high, gap)))
            axes.plot(x, y, color=ink, linewidth=0.8)
    axes.set_yticks(-np.arange(len(services)), [shortened(each) for each in services])
    axes.set_ylim(0.6 - len(services), 0.6)
    axes.set_xlim(0, MINUTES)
    axes.set_xticks(range(0, MINUTES + 1, 360), ["0", "6", "12", "18", "24 h"])
    return inline_svg(figure, f"A day of {device}, real above and of {name} below")
