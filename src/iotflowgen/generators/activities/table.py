"""What activities and events there are, as a table.

Shapes: A activities of the captures; P packets of these.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from iotflowgen.generators.activities.captured import Captured
from iotflowgen.generators.activities.responses import Responses
from iotflowgen.generators.activities.schedule import Schedule
from iotflowgen.generators.walking import Spoken
from iotflowgen.traffic import PROTOCOLS, unpack_protocols

__all__ = ["ActivityRow", "EventRow", "activity_table", "event_table"]

_CARRIERS = ("ip", "tcp", "udp", "bootp", "llc")
_DAY = 86_400  # seconds


class ActivityRow(NamedTuple):
    """A kind of activity."""

    name: str
    """Protocols and the service's port, who begins, and how much is said."""
    cause: str
    """What makes it start."""
    period: float | None
    """Seconds between two, where a clock starts it."""
    times: int
    """How many captures show."""
    packets: float
    """Of one, in the middle."""
    bytes: float
    """Of one, in the middle."""


class EventRow(NamedTuple):
    """Events of one name."""

    name: str
    times: int
    """How many captures show."""
    unanswered: float
    """Share of these that caused nothing."""
    activities: float
    """That one of the others caused, on average."""


def activity_table(
    captured: Captured, schedule: Schedule, responses: Responses, spoken: Spoken
) -> list[ActivityRow]:
    """A row for each kind of activity, the most frequent first; those that read alike are one."""
    kind, of_packet = captured.bursts.kind, captured.of_packet
    packets = np.bincount(of_packet)
    size = np.bincount(of_packet, spoken.length).astype(np.float64)
    days = schedule.learnt.span_ns.sum() / 1e9 / _DAY
    names = _names(captured, spoken, size)
    rows = dict[tuple[str, str], ActivityRow]()
    for each in np.argsort(-np.bincount(kind), kind="stable").tolist():
        own = np.flatnonzero(kind == each)
        period, cause = schedule.why(each)
        if np.mean(responses.caused[own]) > 0.5:
            period, cause = None, "an event"
        if cause == "after":
            cause = f"after {names[schedule.parents[each]]}"
        elif cause == "itself":
            cause = f"{len(own) / days:.2g} a day"
        usual = float(np.median(packets[own])), float(np.median(size[own]))
        row = ActivityRow(names[each], cause, period, len(own), *usual)
        before = rows.get((row.name, row.cause))
        rows[row.name, row.cause] = (
            row if before is None else before._replace(times=before.times + row.times)
        )
    return [*rows.values()]


def event_table(responses: Responses) -> list[EventRow]:
    """A row for each name of events."""
    return [EventRow(*row) for row in responses.table()]


def _names(captured: Captured, spoken: Spoken, size: NDArray[np.float64]) -> list[str]:
    """What each kind is, by its first activity."""
    kind, of_packet = captured.bursts.kind, captured.of_packet
    names = []
    for each in range(int(kind.max()) + 1):
        own = np.flatnonzero(kind == each)
        packets = np.flatnonzero(of_packet == own[len(own) // 2])
        bits = unpack_protocols(np.bitwise_or.reduce(spoken.protocols[packets])[None])[0]
        said = [name for name, has in zip(PROTOCOLS, bits, strict=True) if has]
        said = [name for name in said if name not in _CARRIERS] or said[-1:]
        device, peer = spoken.tokens[:, packets]
        ports = np.unique(np.where(peer > 0, peer, np.maximum(device, 0)))
        shown = [str(port) for port in ports.tolist() if port]
        by = "sent" if spoken.outgoing[packets[0]] else "received"
        usual = float(np.median(size[own]))
        names.append(f"{' '.join([*said, *shown])}, {by}, {_amount(usual)}")
    return names


def _amount(count: float) -> str:
    return f"{count / 1000:.2g} kB" if count >= 1000 else f"{count:.0f} B"
