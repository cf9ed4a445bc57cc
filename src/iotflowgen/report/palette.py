"""One colour and one marker for each generator, everywhere on the page.

Colours are those of Okabe and Ito (2008, "Color Universal Design"), distinguishable with any colour
vision; lighter ones replace them on a dark background. Markers say the same in black and white.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from iotflowgen.plugins import GENERATORS

__all__ = ["GROUND", "INKS", "Ink", "Mark", "marks"]


@dataclass(frozen=True)
class Ink:
    """A colour of the page, which CSS knows as `--name`."""

    name: str
    light: str
    """As plots are drawn, and on a light ground."""
    dark: str
    """On a dark ground."""


@dataclass(frozen=True)
class Mark:
    """How a generator is shown."""

    ink: Ink
    symbol: str
    """In text."""
    marker: str
    """In plots, by matplotlib's name."""


GROUND = {
    ink.name: ink
    for ink in (
        Ink("paper", "#ffffff", "#15181d"),
        Ink("ink", "#1c2126", "#e4e7eb"),
        Ink("muted", "#5b6470", "#9aa4b1"),
        Ink("grid", "#dde1e6", "#333a43"),
        Ink("real", "#b4bcc6", "#59636f"),
    )
}
"""What is no generator: text, lines, and the real traffic."""

_SERIES = (
    Mark(Ink("series-1", "#0072b2", "#4fb3ee"), "●", "o"),
    Mark(Ink("series-2", "#d55e00", "#ff8a3d"), "■", "s"),
    Mark(Ink("series-3", "#009e73", "#2ecfa0"), "▲", "^"),
    Mark(Ink("series-4", "#cc79a7", "#e79ac4"), "◆", "D"),
    Mark(Ink("series-5", "#e69f00", "#ffc04d"), "▼", "v"),
    Mark(Ink("series-6", "#56b4e9", "#8fd0f5"), "✚", "P"),
)
INKS = (*GROUND.values(), *(mark.ink for mark in _SERIES))
"""All colours."""


def marks(generators: Iterable[str]) -> dict[str, Mark]:
    """A mark for each: those of this project keep theirs, others take what is left."""
    names, own = tuple(generators), {name: i for i, name in enumerate(GENERATORS.built_in)}
    taken = {own[name] for name in names if name in own}
    left = [i for i in range(len(_SERIES)) if i not in taken] or list(range(len(_SERIES)))
    others = [name for name in names if name not in own]
    places = own | {name: left[i % len(left)] for i, name in enumerate(others)}
    return {name: _SERIES[places[name]] for name in names}
