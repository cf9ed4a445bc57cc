"""A session: generated packets of one device, each with the captured packet that it repeats."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from iotflowgen.traffic.trace import Trace, check_packets

__all__ = ["Session"]


@dataclass(frozen=True, eq=False)
class Session:
    """A stretch of generated traffic of one device; every column has an entry a packet (E).

    Its features are those of a `Trace`. Windows are cut from it as from one.

    Raises:
        ValueError: Columns differ in length, or time goes backwards.
    """

    name: str
    """Tells sessions apart; the pieces of one session share it."""
    time_ns: NDArray[np.int64]
    """Nanoseconds, never falling; since the epoch once it is said when the first packet is sent."""
    length: NDArray[np.int32]
    """Frame length on the wire, bytes."""
    outgoing: NDArray[np.bool_]
    """Sent by the device."""
    src_port: NDArray[np.int32]
    """TCP or UDP source port; 0 where the packet has none."""
    dst_port: NDArray[np.int32]
    """TCP or UDP destination port; 0 where the packet has none."""
    protocols: NDArray[np.uint16]
    """Protocol configuration, a bit each (`traffic.protocols`)."""
    source: NDArray[np.int64]
    """Which captured packet each repeats: its place, from 0, among the packets of all captures, in
    the order in which these were given to `fit`; -1 for none. The places after these are those of
    packets that are made of captured ones (`packets.datagrams.Renewals`)."""
    flow: NDArray[np.int64]
    """Which of the session's flows (connections) each is of, the same in all pieces of a session;
    -1 for none."""
    event: NDArray[np.int64] | None = None
    """Which event caused each, by its place, from 0, among those that it was drawn with; -1 for
    none. None where it was drawn without events."""

    def __post_init__(self) -> None:
        check_packets(self.name, self._columns())

    def __len__(self) -> int:
        return len(self.time_ns)

    @classmethod
    def merged(cls, parts: "Sequence[Session]") -> Self:
        """All packets of the parts, in order of time, under the name of the first.

        Those of parts that say nothing of events are caused by none, where others say it.
        """
        columns = [part._columns() for part in parts]
        if any("event" in each for each in columns):
            columns = [{"event": np.full(len(each["flow"]), -1)} | each for each in columns]
        whole = {name: np.concatenate([each[name] for each in columns]) for name in columns[0]}
        order = np.argsort(whole["time_ns"], kind="stable")
        return cls(parts[0].name, **{name: column[order] for name, column in whole.items()})

    def __getitem__(self, packets: slice | NDArray[np.bool_]) -> "Session":
        columns = {name: column[packets] for name, column in self._columns().items()}
        return Session(name=self.name, **columns)

    def _columns(self) -> dict[str, NDArray[Any]]:
        columns = {f.name: getattr(self, f.name) for f in fields(self) if f.type is not str}
        return {name: column for name, column in columns.items() if column is not None}

    @property
    def caused_by(self) -> NDArray[np.int64]:
        """Which event caused each packet (E), -1 for none, also where it was drawn without."""
        return np.full(len(self), -1) if self.event is None else self.event

    @property
    def duration_ns(self) -> NDArray[np.int64]:
        """Nanoseconds until the next packet (E); 0 for the last, as of a trace."""
        return np.diff(self.time_ns, append=self.time_ns[-1:])

    def as_trace(self) -> Trace:
        """The features alone, as if they were captured; TCP payload is not known, and 0."""
        columns: dict[str, Any] = self._columns()
        for name in ("source", "flow", "event"):
            columns.pop(name, None)
        columns["tcp_payload"] = np.zeros(len(self), dtype=np.int32)
        return Trace(name=self.name, **columns)
