"""Renewals of leases that no capture is long enough to show (RFC 2131, sections 4.3.2 and 4.4.5).

When half of its lease is over, a client asks the server that gave it once more, this time from its
own address and as unicast. All that such a request says, the client has said when it got the lease.
So of a recording of P packets, the packets P + 2r and P + 2r + 1 are the request and the answer of
renewal r: they repeat the request and the acknowledgment of a captured exchange in all that does
not differ for this reason.

Shapes: P captured packets; R renewals.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from iotflowgen.recording import Recording
from iotflowgen.traffic import protocol_mask
from iotflowgen.wire import Frames, Layers
from iotflowgen.wire.arrays import Integers
from iotflowgen.wire.messages import DHCP_COOKIE, dhcp_options

__all__ = ["Renewals"]

_BOOTP: Final = protocol_mask(["bootp"])
_SECS, _CIADDR, _YIADDR, _SIADDR, _COOKIE, _OPTIONS = 8, 12, 16, 20, 236, 240
"""Where fields stand in a message (RFC 2131, section 2)."""
_REQUESTED, _LEASE_TIME, _TYPE, _SERVER, _T1 = 50, 51, 53, 54, 58
_PAD, _END = 0, 255
"""Options (RFC 2132)."""
_REQUEST, _ACK = b"\3", b"\5"
"""Types of messages."""
_FOREVER: Final = 2**32 - 1
_LEAST: Final = 300
"""Bytes of a message of BOOTP (RFC 951, section 3)."""


@dataclass(frozen=True, eq=False)
class Renewals:
    """The renewals that the leases of a recording will need."""

    request: Integers
    """Which packet asked for each lease when it was got (R)."""
    answer: Integers
    """Which one gave it (R)."""
    after_ns: Integers
    """Nanoseconds after which each has to be renewed (R)."""
    layers: Layers
    """Of requests and answers, one after the other (2R)."""

    @classmethod
    def of(cls, recording: Recording) -> "Renewals":
        """Those of all leases whose request and acknowledgment were captured whole."""
        layers = recording.layers
        is_dhcp = layers.is_udp & layers.is_ip4 & (recording.protocols & _BOOTP > 0)
        found, asked = [], dict[int, int]()
        for place in np.flatnonzero(is_dhcp).tolist():
            datagram = _Datagram.of(recording.frames, layers, place)
            options = dict(_options(datagram.message))
            capture, kind = int(recording.capture[place]), options.get(_TYPE)
            if recording.outgoing[place] and kind == _REQUEST:
                asked[capture] = place
            elif not recording.outgoing[place] and kind == _ACK and capture in asked:
                found.append((asked.pop(capture), place, 10**9 * _renewed_after(options)))
        table = np.array(found, dtype=np.int64).reshape(-1, 3)
        table = table[table[:, 2] > 0]
        request, answer, after_ns = table.T
        return cls(request, answer, after_ns, layers.take(table[:, :2].ravel()))

    def __len__(self) -> int:
        return len(self.request)

    @property
    def origin(self) -> Integers:
        """The captured packets that those of renewals repeat (2R)."""
        return np.stack([self.request, self.answer], axis=-1).ravel()

    def frames(self, shown: Frames) -> Frames:
        """Those of renewals (2R), between the hosts that are shown by those they repeat (2R)."""
        return Frames.of([frame for r in range(len(self)) for frame in self._of(shown, r)])

    def _of(self, shown: Frames, r: int) -> tuple[bytes, bytes]:
        asks, gives = (_Datagram.of(shown, self.layers, place) for place in (2 * r, 2 * r + 1))
        own, size = gives.message[_YIADDR:_SIADDR], len(asks.message)
        server = dict(_options(gives.message)).get(_SERVER, gives.source)
        options = b"".join(
            bytes((code, len(value))) + value
            for code, value in _options(asks.message)
            if code not in (_REQUESTED, _SERVER)
        )
        request = _of_client(asks.message, own)[:_OPTIONS] + options + bytes([_END])
        # a message that was filled up to a length still is
        is_filled = asks.message.endswith(bytes([_PAD]))
        request = request.ljust(size if is_filled else min(size, _LEAST), bytes([_PAD]))
        return (
            asks.sent((gives.frame[6:12], asks.frame[6:12]), (own, server), request),
            gives.sent(
                (asks.frame[6:12], gives.frame[6:12]),
                (gives.source, own),
                _of_client(gives.message, own),
            ),
        )


class _Datagram(NamedTuple):
    """A datagram of UDP over IPv4, and where its headers are."""

    frame: bytes
    network: int
    transport: int
    payload: int
    end: int

    @classmethod
    def of(cls, frames: Frames, layers: Layers, place: int) -> "_Datagram":
        columns = layers.network, layers.transport, layers.payload, layers.end
        return cls(frames[place], *(int(column[place]) for column in columns))

    @property
    def message(self) -> bytes:
        return self.frame[self.payload : self.end]

    @property
    def source(self) -> bytes:
        return self.frame[self.network + 12 : self.network + 16]

    def sent(
        self, macs: tuple[bytes, bytes], addresses: tuple[bytes, bytes], message: bytes
    ) -> bytes:
        """The frame between others; of MAC addresses, the receiver's comes first (IEEE 802.3)."""
        frame = bytearray(self.frame[: self.payload] + message)
        frame[:12] = b"".join(macs)
        struct.pack_into("!H", frame, self.network + 2, len(frame) - self.network)
        frame[self.network + 12 : self.network + 20] = b"".join(addresses)
        struct.pack_into("!H", frame, self.transport + 4, len(frame) - self.transport)
        return bytes(frame)


def _of_client(message: bytes, address: bytes) -> bytes:
    """A message to or from a client that has its address, and so has no need of broadcasts."""
    return message[:_SECS] + bytes(4) + address + message[_YIADDR:]


def _options(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Options of a message of DHCP, as far as they are whole."""
    if message[_COOKIE:_OPTIONS] == DHCP_COOKIE:
        for code, at, size in dhcp_options(message):
            if at + size <= len(message):
                yield code, message[at : at + size]


def _renewed_after(options: dict[int, bytes]) -> int:
    """Seconds after which a lease is renewed: T1, or half of it; 0 if never."""
    lease, first = (int.from_bytes(options.get(code, b"")) for code in (_LEASE_TIME, _T1))
    return 0 if _FOREVER in (lease, first) else first or lease // 2
