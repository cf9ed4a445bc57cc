"""matplotlib's figures as SVG elements that stand in an HTML page.

What matplotlib writes is a document of its own. Inside a page it loses what the page has (style,
fonts), takes the page's colours as CSS variables so that a dark ground works, and is rounded to a
tenth of a unit: no screen shows more, and 200 plots travel in one file.
"""

import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iotflowgen.report.palette import GROUND, INKS

__all__ = ["inline_svg", "margin_for", "panel", "plotting", "shortened"]

_WIDTH = 360  # CSS pixels, about: a phone shows every plot whole
_NOT_NEEDED = ("}style", "}metadata", "}clipPath")  # all that is drawn lies within the axes
_LONGEST = 19  # letters of a name
_VARIABLES = {ink.light: f"var(--{ink.name})" for ink in INKS}
_INK, _MUTED, _GRID = (GROUND[name].light for name in ("ink", "muted", "grid"))
_SETTINGS: Any = {  # matplotlib's own type of it names every key there is
    "axes.axisbelow": True,
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": _MUTED,
    "axes.labelsize": 10.5,
    "axes.linewidth": 0.8,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 72,
    "font.size": 10.5,
    "grid.color": _GRID,
    "grid.linewidth": 0.8,
    "svg.fonttype": "none",
    "svg.hashsalt": "iotflowgen",
    "text.color": _INK,
    "text.parse_math": False,  # a device may be called $x$
    "xtick.color": _MUTED,
    "xtick.labelsize": 10.5,
    "xtick.major.size": 3,
    "ytick.labelcolor": _INK,
    "ytick.labelsize": 10.5,
    "ytick.major.size": 0,
}


@contextmanager
def plotting() -> Iterator[None]:
    """Within it plots look as the page wants them, whatever the user has set for others."""
    with mpl.rc_context(), warnings.catch_warnings():
        # letters that matplotlib's font lacks are the browser's to draw
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        mpl.rcdefaults()
        with mpl.rc_context(_SETTINGS):
            yield


def panel(
    height: float, *, left: float, right: float = 12, bottom: float = 36
) -> tuple[Figure, Axes]:
    """A figure with one set of axes; all in units, of which it is 360 wide."""
    figure = Figure(figsize=(_WIDTH / 72, height / 72))
    wide, high = 1 - (left + right) / _WIDTH, 1 - (bottom + 6) / height
    axes = figure.add_axes((left / _WIDTH, bottom / height, wide, high))
    figure.patch.set_visible(False)
    axes.patch.set_visible(False)
    return figure, axes


def shortened(name: str) -> str:
    """A name that fits beside a plot, and into XML, which knows no control characters."""
    name = "".join(letter if letter.isprintable() else "�" for letter in name)
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


def margin_for(names: Iterable[str]) -> float:
    """How wide such names are at most, in units."""
    return 14 + 6 * max(len(shortened(name)) for name in names)


def inline_svg(figure: Figure, title: str) -> Markup:
    """The figure as an SVG element; its title is what a screen reader says."""
    said = StringIO()
    no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with mpl.rc_context({"svg.hashsalt": ascii(title)}):  # ids of two plots on one page differ
        figure.savefig(said, format="svg", metadata=no_metadata)
    svg = ElementTree.fromstring(said.getvalue())  # noqa: S314 - matplotlib's own
    for parent in list(svg.iter()):
        parent.tag = parent.tag.rpartition("}")[2]
        parent.text = parent.text if parent.tag == "text" else None
        parent.tail = None
        for child in list(parent):
            if child.tag.endswith(_NOT_NEEDED):
                parent.remove(child)
    used = {
        value.lstrip("#") for part in svg.iter() for key, value in part.items() if "href" in key
    }
    for part in svg.iter():
        part.attrib = dict(_attributes(part, used))
    svg.attrib = {"viewBox": svg.attrib["viewBox"], "role": "img"}
    caption = ElementTree.Element("title")
    caption.text = title
    svg.insert(0, caption)
    return Markup(ElementTree.tostring(svg, encoding="unicode"))  # noqa: S704 - escaped by it


def _attributes(part: ElementTree.Element, used: set[str]) -> Iterator[tuple[str, str]]:
    for key, value in part.items():
        name = key.rpartition("}")[2]
        if (name == "id" and value not in used) or name == "clip-path":
            continue
        short = _SHORTENED.get(name, str)(value)
        if short and not short.startswith("rotate(-0 "):
            yield name, short


def _rounded(numbers: str) -> str:
    short = re.sub(r"-?\d+\.\d+", lambda found: f"{float(found[0]):.1f}", numbers)
    return re.sub(r"\.0\b", "", " ".join(short.split()))


def _styled(style: str) -> str:
    """Without what the page sets, and with its names of colours."""
    kept = [
        part.strip().replace(": ", ":")
        for part in style.split(";")
        if part.strip() and not part.strip().startswith(("font-family", "stroke-linejoin"))
    ]
    return re.sub(r"#[0-9a-f]{6}", lambda found: _VARIABLES.get(found[0], found[0]), ";".join(kept))


_SHORTENED: dict[str, Callable[[str], str]] = {
    **dict.fromkeys(("d", "x", "y", "transform", "viewBox"), _rounded),
    "style": _styled,
}
