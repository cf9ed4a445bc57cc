"""Payload of packets in which transaction ids are looked for, and the ids that were found.

Shapes: P packets; N payloads; M mentions of an id.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.payload.streams import says_tls
from iotflowgen.recording import Packets
from iotflowgen.traffic import protocol_mask
from iotflowgen.wire import Frames, dst_port, payload_size, src_port
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["ANYONE", "BER", "DIGITS", "LETTERS", "RAW", "Mentions", "Payloads"]

RAW, BER, LETTERS, DIGITS = range(4)
"""How an id is written: as bytes; as a positive INTEGER of X.690; as letters; in decimal digits."""
ANYONE: Final = 2
"""Who asks, where a message does not say whether it asks."""
_OTHERS: Final = protocol_mask(["http", "https", "ssdp", "dns", "mdns", "ntp", "bootp"])
"""Have codecs of their own."""


@dataclass(frozen=True, eq=False)
class Payloads:
    """Payload of TCP and UDP that no other codec reads."""

    row: Integers
    """Which packet each is of (N)."""
    frames: Frames
    """Theirs (N)."""
    at: Integers
    """Where it begins in the frame (N)."""
    size: Integers
    """Bytes (N)."""
    is_udp: Flags
    """Of UDP, not TCP (N)."""
    ports: Integers
    """Of the device and of its peer (2, N)."""
    flow: Integers
    """Whose flow it is (N)."""
    outgoing: Flags
    """Sent by the device (N)."""

    @classmethod
    def of(cls, packets: Packets) -> Self:
        """Those of packets (P)."""
        has = packets.layers.has_ports & (packets.protocols & _OTHERS == 0) & (packets.flow >= 0)
        has &= payload_size(packets.layers) > 0
        has[has] &= ~says_tls(packets)[has]
        some = packets.take(np.flatnonzero(has))
        ends = np.stack([src_port(some.frames, some.layers), dst_port(some.frames, some.layers)])
        return cls(
            row=np.flatnonzero(has),
            frames=some.frames,
            at=some.layers.payload,
            size=payload_size(some.layers),
            is_udp=some.layers.is_udp,
            ports=np.where(some.outgoing, ends, ends[::-1]),
            flow=some.flow,
            outgoing=some.outgoing,
        )

    def __len__(self) -> int:
        return len(self.row)

    def number(self, at: Integers | int, width: int) -> Integers:
        """Big-endian numbers at an offset of the payload (N); 0 where it is not so long."""
        found = self.frames.number(self.at + at, width)
        return np.where(at + width <= self.size, found, 0)

    def bytes_of(self, which: int) -> bytes:
        """All of one."""
        first = int(self.frames.start[which] + self.at[which])
        return self.frames.data[first : first + int(self.size[which])].tobytes()

    def on(self, *ports: int) -> Flags:
        """Whether either end has one of the ports (N)."""
        device, peer = np.isin(self.ports, ports)
        found: Flags = device | peer
        return found


@dataclass(frozen=True, eq=False, kw_only=True)
class Mentions:
    """Where ids stand (M), by packet and place."""

    packet: Integers
    """In which packet."""
    at: Integers
    """From where in the payload on."""
    size: Integers
    """Bytes."""
    kind: Integers
    """Of which field it is: ids of other kinds are others."""
    asker: Integers
    """Who asks in this exchange: 1 the device, 0 a peer, or `ANYONE`."""
    form: Integers
    """How it is written."""
    stays: Flags
    """Whether an id is used again and again, as of a dialog, and not for one question."""

    @classmethod
    def found(
        cls,
        payloads: Payloads,
        which: Integers,
        at: Integers | int,
        size: Integers | int,
        kind: int,
        *,
        asks: Flags | None = None,
        form: int = RAW,
        stays: bool = False,
    ) -> Self:
        """One id each in some of the payloads, `which`; those that are not whole are left out.

        Args:
            payloads: N of them.
            which: In which (W).
            at: From where in them on, one for all or each its own (W).
            size: Bytes, the same.
            kind: Of which field.
            asks: Whether the message is a question, or an answer (W); if it says so.
            form: How ids are written.
            stays: Whether they are used more than once.
        """
        asker = ANYONE if asks is None else (payloads.outgoing[which] == asks) + 0
        columns = (at, size, kind, asker, form)
        table = np.stack([np.broadcast_to(each, len(which)) for each in columns]).astype(np.int64)
        # what messages say of their lengths need not be so
        whole = (table[1] > 0) & (table[0] + table[1] <= payloads.size[which])
        rows = table[:, whole]
        return cls(
            packet=payloads.row[which[whole]],
            at=rows[0],
            size=rows[1],
            kind=rows[2],
            asker=rows[3],
            form=rows[4],
            stays=np.full(rows.shape[1], stays),
        )

    @classmethod
    def joined(cls, several: Sequence["Mentions"]) -> Self:
        """All of them, in the order of packets, those of one packet in that of places."""
        columns: dict[str, NDArray[np.int64]] = {
            name: np.concatenate([getattr(each, name) for each in several])
            for name in cls.__dataclass_fields__
        }
        order = np.lexsort((columns["at"], columns["packet"]))
        return cls(**{name: column[order] for name, column in columns.items()})

    def __len__(self) -> int:
        return len(self.packet)
