"""Draw captures side by side as Wireshark lists them, with its colours: the picture in the README.

    iotflowgen fit samples/plug --out plug.model
    iotflowgen generate plug.model --sessions 1 --seed 3 --start 2026-01-01 --out session.pcap
    python benchmarks/packet_list.py docs/images/sessions.svg \
        "a capture=samples/plug/plug-01.pcapng" "a generated session=session.pcap"

tshark reads the captures and applies Wireshark's colouring rules.
"""

import argparse
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

COLUMNS = {"Time": ("%t", 6), "Source": ("%us", 15), "Destination": ("%ud", 15)}
COLUMNS |= {"Protocol": ("%p", 8), "Info": ("%i", 38)}
"""Wireshark's column format, and how many characters are shown."""
CHARACTER, ROW, MARGIN = 6.05, 16, 8
"""Pixels: the width of a character at the font size below, and the height of a row."""
FONT = "font-family='DejaVu Sans Mono, Menlo, Consolas, monospace' font-size='10'"


class Row(NamedTuple):
    """A packet: its colours, and the text of each column."""

    foreground: str
    background: str
    texts: list[str]


def packet_list(capture: Path, packets: int) -> list[Row]:
    """The first packets of a capture as Wireshark lists them."""
    columns = ",".join(f'"{name}","{form}"' for name, (form, _) in COLUMNS.items())
    command = ["tshark", "-r", str(capture), "-c", str(packets), "--color", "-T", "psml"]
    command += ["-o", f"gui.column.format:{columns}", "-t", "r"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = ElementTree.fromstring(done.stdout).iter("packet")  # noqa: S314 - tshark's own output
    return [
        Row(row.attrib["foreground"], row.attrib["background"], shown([c.text or "" for c in row]))
        for row in found
    ]


def shown(texts: list[str]) -> list[str]:
    """The cells of a row, cut to their columns as Wireshark cuts them."""
    time, *others = texts
    cells = zip([f"{float(time):.3f}", *others], COLUMNS.values(), strict=True)
    return [
        text if len(text) <= characters else text[: characters - 1] + "…"
        for text, (_, characters) in cells
    ]


def drawn(title: str, rows: list[Row], left: float) -> Iterator[str]:
    """One list, from `left` on: a title, the columns' names, a row a packet."""
    width = list_width()
    yield f"<text x='{left + 6}' y='14' font-weight='bold' fill='#24292f'>{escape(title)}</text>"
    heads = Row("#24292f", "#e7e8ea", list(COLUMNS))
    for line, row in enumerate([heads, *rows]):
        top = 22 + ROW * line
        yield f"<rect x='{left}' y='{top}' width='{width}' height='{ROW}' fill='{row.background}'/>"
        x = left + 6
        for (_, characters), text in zip(COLUMNS.values(), row.texts, strict=True):
            yield f"<text x='{x:.1f}' y='{top + 12}' fill='{row.foreground}'>{escape(text)}</text>"
            x += CHARACTER * (characters + 1)
    height = ROW * (len(rows) + 1)
    yield (
        f"<rect x='{left + 0.5}' y='21.5' width='{width}' height='{height + 1}' "
        "fill='none' stroke='#b6babf'/>"
    )


def list_width() -> int:
    """Pixels that one list takes."""
    return round(CHARACTER * sum(characters + 1 for _, characters in COLUMNS.values())) + 6


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("out", type=Path, help="SVG file to write")
    parser.add_argument("captures", nargs="+", metavar="TITLE=FILE")
    parser.add_argument("--packets", type=int, default=28)
    given = parser.parse_args()
    lists = []
    for text in given.captures:
        title, _, file = text.partition("=")
        lists.append((title, packet_list(Path(file), given.packets)))
    width = len(lists) * (list_width() + MARGIN) - MARGIN + 1
    height = 22 + ROW * (1 + max(len(rows) for _, rows in lists)) + 2
    label = quoteattr("Packet lists of " + " and ".join(title for title, _ in lists))
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' "
        f"height='{height}' role='img' aria-label={label} {FONT} xml:space='preserve'>",
        f"<rect width='{width}' height='{height}' fill='#ffffff'/>",
    ]
    for place, (title, rows) in enumerate(lists):
        parts += drawn(title, rows, place * (list_width() + MARGIN))
    given.out.write_text("\n".join([*parts, "</svg>\n"]))


if __name__ == "__main__":
    main()
