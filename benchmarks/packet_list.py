"""Draw captures side by side as Wireshark lists them, with its colours: the picture in the README.

    iotflowgen fit samples/plug --out plug.model
    iotflowgen generate plug.model --sessions 1 --seed 3 --start 2026-01-01 --out session.pcap
    python benchmarks/packet_list.py docs/images/sessions.svg \
        "a capture=samples/plug/plug-01.pcapng" "a generated session=session.pcap"

tshark reads the captures and applies Wireshark's colouring rules. A text that follows a capture
after a comma, such as what a scanner said, stands above the list, as in a terminal; the same makes
the picture of a scan, of what `benchmarks/scanners.py --view out/view` keeps:

    python benchmarks/packet_list.py docs/images/scan.svg --packets 17 \
        "a smart plug=out/view/plug-device.pcap,out/view/plug-device.txt" \
        "a decoy of it=out/view/plug-decoy.pcap,out/view/plug-decoy.txt"
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


def drawn(title: str, text: list[str], rows: list[Row], left: float) -> Iterator[str]:
    """From `left` on: a title, lines of text, the columns' names, and a row a packet."""
    width = list_width()
    yield f"<text x='{left + 6}' y='14' font-weight='bold' fill='#24292f'>{escape(title)}</text>"
    begin = 22 + said_height(text)
    if text:
        yield f"<rect x='{left}' y='22' width='{width}' height='{begin - 28}' fill='#24292f'/>"
    for line, words in enumerate(text):
        top = 38 + ROW * line
        # spaces align columns
        wide = escape(words.replace(" ", "\N{NO-BREAK SPACE}"))
        yield f"<text x='{left + 8}' y='{top}' fill='#e7e8ea'>{wide}</text>"
    heads = Row("#24292f", "#e7e8ea", list(COLUMNS))
    for line, row in enumerate([heads, *rows]):
        top = begin + ROW * line
        yield f"<rect x='{left}' y='{top}' width='{width}' height='{ROW}' fill='{row.background}'/>"
        x = left + 6
        for (_, characters), cell in zip(COLUMNS.values(), row.texts, strict=True):
            yield f"<text x='{x:.1f}' y='{top + 12}' fill='{row.foreground}'>{escape(cell)}</text>"
            x += CHARACTER * (characters + 1)
    height = ROW * (len(rows) + 1)
    yield (
        f"<rect x='{left + 0.5}' y='{begin - 0.5}' width='{width}' height='{height + 1}' "
        "fill='none' stroke='#b6babf'/>"
    )


def said_height(text: list[str]) -> int:
    """Pixels that lines of text take."""
    return ROW * len(text) + 16 if text else 0


def list_width() -> int:
    """Pixels that one list takes."""
    return round(CHARACTER * sum(characters + 1 for _, characters in COLUMNS.values())) + 6


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("out", type=Path, help="SVG file to write")
    parser.add_argument("captures", nargs="+", metavar="TITLE=FILE[,TEXT]")
    parser.add_argument("--packets", type=int, default=28)
    given = parser.parse_args()
    lists = []
    for text in given.captures:
        title, _, files = text.partition("=")
        file, _, said = files.partition(",")
        lines = Path(said).read_text().splitlines() if said else []
        lists.append((title, lines, packet_list(Path(file), given.packets)))
    width = len(lists) * (list_width() + MARGIN) - MARGIN + 1
    height = 24 + max(said_height(said) + ROW * (1 + len(rows)) for _, said, rows in lists)
    label = quoteattr("Packet lists of " + " and ".join(title for title, _, _ in lists))
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' "
        f"height='{height}' role='img' aria-label={label} {FONT} xml:space='preserve'>",
        f"<rect width='{width}' height='{height}' fill='#ffffff'/>",
    ]
    for place, (title, said, rows) in enumerate(lists):
        parts += drawn(title, said, rows, place * (list_width() + MARGIN))
    given.out.write_text("\n".join([*parts, "</svg>\n"]))


if __name__ == "__main__":
    main()
