"""The table that `live.json` fills: what was aimed at, what was reached, measured with what."""

from collections.abc import Callable, Mapping
from typing import Any, Final

__all__ = ["decoys"]

_Row = Mapping[str, Any]
_Table = tuple[list[str], list[list[str]]]


def decoys(result: Mapping[str, Any]) -> _Table:
    """A line a figure, of the rows that are measured."""
    lines = []
    for name, (with_what, figures) in _FIGURES.items():
        row = result["rows"].get(name)
        for title, target, said in figures if row else ():
            lines.append([title, target, said(row), with_what(row)])
    return ["figure", "target", "reached", "measured with"], lines


def _spans(row: _Row) -> str:
    pace = f" at {row['pace']:g} times the pace" if row.get("pace", 1) != 1 else ""
    return f"{row['decoys']:,} decoys, {row['seconds']:,.0f} s{pace}"


def _late(of: Callable[[_Row], Mapping[str, Any]]) -> Callable[[_Row], str]:
    def said(row: _Row) -> str:
        found = of(row)
        if "p50" not in found:
            return f"{found['seen']:,} frames of {found['planned']:,} seen"
        return " / ".join(f"{found[share]:.2f}" for share in ("p50", "p99", "p99.9"))

    return said


_LATE: Final = "lateness at the observer, p50 / p99 / p99.9, ms"
_LATENESS: Final = "0.1 / 1 / 5"
_EMITTED: Final = (
    "the same as the emitter says",
    _LATENESS,
    _late(lambda row: row["lateness_ms"]),
)
_USE: Final = (
    ("processor, share of a core", "60%", lambda row: f"{row['processor']:.0%}"),
    ("memory of all processes", "1 GB", lambda row: f"{row['memory_mb'] / 1000:.2f} GB"),
)
_FIGURES: Final[dict[str, tuple[Callable[[_Row], str], tuple[Any, ...]]]] = {
    "frames": (
        lambda row: (
            f"{row['devices']} devices, {row['seconds']:g} s at {row['pace']:g} times the pace"
        ),
        (
            (
                "sessions of which the observer saw the composed frames, in order",
                "all",
                lambda row: (
                    f"{row.get('equal', 0)} of {row['sessions']}, {row['planned']:,} frames"
                ),
            ),
            ("unplanned packets", "0", lambda row: f"{row.get('unplanned', 0)}"),
        ),
    ),
    "uplink": (
        _spans,
        (("packets on the uplink", "0", lambda row: f"{row['left']} of {row['sent']:,}"),),
    ),
    "boots": (
        lambda row: f"{_spans(row)}, all boot at once; {row['packets']:,} packets",
        (
            (_LATE, _LATENESS, _late(lambda row: row["observer"])),
            _EMITTED,
            ("the same of tcpreplay with the same file", "", _late(lambda row: row["tcpreplay"])),
            *_USE,
        ),
    ),
    "hour": (_spans, (_EMITTED, *_USE)),
    "drift": (
        _spans,
        (("drift, ms", "0", lambda row: f"{row['observer'].get('drift', float('nan')):.2f}"),),
    ),
    "long": (
        _spans,
        (
            (
                "memory, four quarters of the run, MB",
                "no growth",
                lambda row: ", ".join(f"{mb:,}" for mb in row["memory_mb"]),
            ),
            ("runs of 50 packets that come again", "none", lambda row: f"{row['repeats']}"),
        ),
    ),
    "kills": (
        lambda row: f"{row['decoys']} decoys, {row['kills']} kills",
        (
            (
                "back after `kill -9`, median (longest), s",
                "5",
                lambda row: f"{row['back_median_s']:.1f} ({row['back_longest_s']:.1f})",
            ),
            ("wrong packets", "0", lambda row: f"{row['wrong']} of {row['frames']:,}"),
        ),
    ),
}
"""By row of the benchmark: what it was measured with, and a title, target and value a figure."""
