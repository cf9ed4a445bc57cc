"""Payload of packets in which transaction ids are looked for, and the ids that were found.

Shapes: P packets; N payloads; M mentions of an id.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.payload.streams import says_tls
from iotflowgen.recording import Packets
from iotflowgen.traffic import protocol_mask
from iotflowgen.wire import Frames, dst_port, payload_size, src_port
from iotflowgen.wire.arrays import Flags, Integers

__all__ = [
    "AGAIN",
    "ALWAYS_NEW",
    "ANYONE",
    "BER",
    "DIGITS",
    "FOR_ONE",
    "LETTERS",
    "LOW_4",
    "LOW_6",
    "LOW_BITS",
    "RAW",
    "STAYS",
    "Mentions",
    "Payloads",
]

RAW, BER, DIGITS, LOW_4, LOW_6, LETTERS = range(6)
"""How an id is written: as bytes; as a positive INTEGER of X.690; in decimal digits; in the lower 4
or 6 bits of a byte; as letters, of an alphabet that is learnt: forms from there on."""
LOW_BITS: Final = {LOW_4: 4, LOW_6: 6}
ANYONE: Final = 2
"""Who asks, where a message does not say whether it asks."""
FOR_ONE, AGAIN, STAYS, ALWAYS_NEW = range(4)
"""How often an id is used: for one question; for what goes on with that one; again and
again, as in a dialog; or in one message alone, which it names."""
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

    def number(
        self, at: Integers | int, width: int, which: Integers | slice = slice(None)
    ) -> Integers:
        """Big-endian numbers at an offset of the payload (N, or of `which`); 0 beyond its end."""
        frames = self.frames if isinstance(which, slice) else self.frames.take(which)
        found = frames.number(self.at[which] + at, width)
        return np.where(at + width <= self.size[which], found, 0)

    def in_a_row(
        self, size_of: Callable[[Integers, Integers], Integers]
    ) -> Iterator[tuple[Integers, Integers]]:
        """Messages that stand one after another in payloads: in which (W), and where (W).

        Args:
            size_of: Bytes of the messages that begin in payloads (W) at places (W); 0 for none.
        """
        which, at = np.arange(len(self)), np.zeros(len(self), np.int64)
        while len(which):
            size = size_of(which, at)
            begins = size > 0
            which, at, size = which[begins], at[begins], size[begins]
            yield which, at
            at = at + size
            more = at < self.size[which]
            which, at = which[more], at[more]

    def bytes_of(self, which: int) -> bytes:
        """All of one."""
        first = int(self.frames.start[which] + self.at[which])
        return self.frames.data[first : first + int(self.size[which])].tobytes()

    def on(self, *ports: int) -> Flags:
        """Whether either end has one of the ports (N)."""
        device, peer = np.isin(self.ports, ports)
        found: Flags = device | peer
        return found


@dataclass(frozen=True, eq=False)
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
    use: Integers
    """How often an id is used."""
    dialog: Integers
    """In which dialog of its connection an id is known, by a number; 0 for in all of it."""

    @classmethod
    def found(
        cls,
        payloads: Payloads,
        which: Integers,
        at: Integers | int,
        size: Integers | int,
        kind: Integers | int,
        *,
        asks: Flags | None = None,
        form: Integers | int = RAW,
        use: Integers | int = FOR_ONE,
        dialog: Integers | int = 0,
    ) -> Self:
        """One id each in some of the payloads, `which`; those that are not whole are left out.

        Args:
            payloads: N of them.
            which: In which (W).
            at: From where in them on, one for all or each its own (W), as all that follows.
            size: Bytes.
            kind: Of which field.
            asks: Whether the message is a question, or an answer (W); if it says so.
            form: How ids are written.
            use: How often they are used.
            dialog: In which dialog of theirs they are known.
        """
        asker = ANYONE if asks is None else (payloads.outgoing[which] == asks) + 0
        return cls.of(payloads, which, at, size, kind, asker, form, use, dialog)

    @classmethod
    def of(
        cls,
        payloads: Payloads,
        which: Integers,
        at: Integers | int,
        size: Integers | int,
        *others: Integers | int,
    ) -> Self:
        """As `found`, from the fields themselves, in their order."""
        columns = (at, size, *others)
        table = np.stack([np.broadcast_to(each, len(which)) for each in columns]).astype(np.int64)
        # what messages say of their lengths need not be so
        whole = (table[1] > 0) & (table[0] + table[1] <= payloads.size[which])
        return cls(payloads.row[which[whole]], *table[:, whole])

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
