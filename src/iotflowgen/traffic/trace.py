"""A trace: the packets of one capture, in order of time, as columns."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from iotflowgen.traffic.protocols import PROTOCOLS

__all__ = [
    "COLUMNS",
    "STATES",
    "Column",
    "State",
    "Trace",
    "check_columns",
    "check_packets",
]

State = Literal["dns", "tcp", "tls", "http", "outstanding", "options", "fragments"]
"""What may be known of the states of connections, beyond features: open questions, of DNS and of
others; sides that have closed TCP; handshakes of TLS; what is left of messages of HTTP; segments
without acknowledgment; options that SYNs agreed on; and of the host, datagrams in fragments."""
STATES: Final[tuple[State, ...]] = get_args(State)


_LATEST_NS: Final = 2**62
"""A bound of times, in nanoseconds since the epoch: in 2116. What is added to them stays within 64
bits."""


class Column(NamedTuple):
    """What a column of packets may hold."""

    kind: type[np.generic]
    least: int
    most: int
    width: int | None = None
    """Numbers a packet; None for one, not in a row of its own."""


COLUMNS: Final = {
    "time_ns": Column(np.int64, 0, _LATEST_NS),
    "duration_ns": Column(np.int64, 0, _LATEST_NS),
    "length": Column(np.int32, 0, 2**18),
    "size": Column(np.int32, 0, 2**18),
    "data": Column(np.uint8, 0, 255),
    "outgoing": Column(np.bool_, 0, 1),
    "src_port": Column(np.int32, 0, 2**16 - 1),
    "dst_port": Column(np.int32, 0, 2**16 - 1),
    "protocols": Column(np.uint16, 0, 2 ** len(PROTOCOLS) - 1),
    "capture": Column(np.int64, 0, 2**31 - 1),
    "flow": Column(np.int64, -1, 2**31 - 1),
    "states": Column(np.int64, -(2**63), 2**63 - 1, len(STATES)),
    "fixed": Column(np.bool_, 0, 1),
}
"""Of captured packets, wherever they are kept."""


@dataclass(frozen=True, eq=False)
class Trace:
    """One capture of one device; every column has an entry a packet (P).

    Raises:
        ValueError: Columns differ in length, or time goes backwards.
    """

    name: str
    """File name of the capture."""
    time_ns: NDArray[np.int64]
    """Nanoseconds since the epoch, never falling."""
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
    tcp_payload: NDArray[np.int32]
    """Bytes of TCP payload; 0 without."""
    headers: NDArray[np.float32] | None = None
    """Fields of each packet's headers (P, F), where they were read (`capture.with_headers`)."""
    in_file: NDArray[np.int64] | None = None
    """Which packet of the capture file each is, from 0 (P); None where it came from none."""
    states: NDArray[np.int64] | None = None
    """What each packet leaves its connection in (P, S), by kind as in `STATES`, where it was read
    (`packets.with_states`): any numbers; 0 where nothing that follows relies on it, and less where
    something has begun and is not finished."""
    fixed: NDArray[np.bool_] | None = None
    """Whether a packet can have no other length, because what it says relies on it (P), where that
    was read, too."""
    sha256: str = ""
    """Of the capture file's bytes; empty where the packets did not come from a file."""
    silence_ns: int = 0
    """Until the next trace goes on, where both are pieces of one capture; 0 where it does not."""

    def __post_init__(self) -> None:
        check_packets(self.name, self._columns())

    def __len__(self) -> int:
        return len(self.time_ns)

    def __getitem__(self, packets: slice | NDArray[np.bool_]) -> "Trace":
        columns: dict[str, Any] = {
            name: column[packets] for name, column in self._columns().items()
        }
        return Trace(name=self.name, sha256=self.sha256, **columns)

    def _columns(self) -> dict[str, NDArray[Any]]:
        columns = {f.name: getattr(self, f.name) for f in fields(self) if f.type not in (str, int)}
        return {name: column for name, column in columns.items() if column is not None}

    @property
    def duration_ns(self) -> NDArray[np.int64]:
        """Nanoseconds until the next packet (P); 0 for the last (section 4.2)."""
        return np.diff(self.time_ns, append=self.time_ns[-1:])


def check_columns(columns: Mapping[str, NDArray[Any]]) -> None:
    """Check that columns, of whatever names, hold what those of `COLUMNS` may.

    Raises:
        ValueError: One is of another kind or shape, or a number is out of bounds.
    """
    for name, (kind, least, most, width) in COLUMNS.items():
        if name not in columns:
            continue
        column = columns[name]
        if column.dtype != kind or column.shape[1:] != (() if width is None else (width,)):
            raise ValueError(f"{name} is a column of another kind")
        if column.size and not least <= int(column.min()) <= int(column.max()) <= most:
            raise ValueError(f"{name} has numbers that no packet has")
    # as floats, which do not overflow
    if columns.get("duration_ns", np.zeros(1)).sum(dtype=np.float64) > _LATEST_NS:
        raise ValueError("durations are longer than time is")


def check_packets(name: str, columns: Mapping[str, NDArray[Any]]) -> None:
    """Check that columns are those of packets (P), in order of their `time_ns` (P).

    Raises:
        ValueError: Columns of what is called `name` differ in length, or time goes backwards.
    """
    time_ns = columns["time_ns"]
    if len({column.shape[:1] for column in columns.values()}) != 1 or time_ns.ndim != 1:
        shapes = {each: column.shape for each, column in columns.items()}
        raise ValueError(f"columns of {name} differ in length: {shapes}")
    if np.any(np.diff(time_ns) < 0):
        raise ValueError(f"packets of {name} are not in order of time")
