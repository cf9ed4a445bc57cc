"""The table that `streams.json` fills: heads, and rows."""

from collections.abc import Sequence
from typing import Any

__all__ = ["long_streams"]

_HEADS = (
    *("device", "packets", "hours", "DHCP exchanges", "renewals", "unanswered"),
    *("seconds between (median)", "connections", "closed", "opened while open"),
    *("ports opened", "of these distinct", "most often opened"),
)


def long_streams(
    devices: Sequence[dict[str, Any]],
) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """What there is of leases, connections and ports, in captures / in a stream."""
    rows = []
    for device in devices:
        columns = zip(_cells(device["captures"]), _cells(device["stream"]), strict=True)
        rows.append((device["device"], *(" / ".join(both) for both in columns)))
    return _HEADS, rows


def _cells(found: dict[str, Any]) -> list[str]:
    between = found["seconds_between"]
    return [
        f"{found['packets']:,}",
        f"{found['hours']:,.1f}",
        *(f"{found[name]:,}" for name in ("leases", "renewals", "unanswered")),
        f"{between[1]:,.0f}" if between else "-",
        f"{found['opened']:,}",
        f"{found['closed']:.1%}",
        f"{found['on_open']:,}",
        f"{found['ports_opened']:,}",
        f"{found['ports'] / found['ports_opened']:.1%}",
        f"{found['most_opened'][0][1]:,}",
    ]
