"""The near end as a raw socket: there decoys hear, and say what is no composed traffic."""

import contextlib
import ctypes
import socket
import struct
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

__all__ = ["ADDRESSES", "MARK", "Heard", "Near"]

MARK: Final = 0x107F
"""Of packets that are for hosts of the network (SO_MARK): where the gateway is this computer, it
may hear them."""

_ALL: Final = 0x0003
_SOL_PACKET, _ADD_MEMBERSHIP, _AUXDATA, _PROMISCUOUS = 263, 1, 8, 1
_SO_MARK, _TIMESTAMPNS = 36, 35
_NOT_CHECKED, _HAS_VLAN = 1 << 3, 1 << 4
_ATTACH_FILTER, _IGNORE_OUTGOING = 26, 23
Program = tuple[tuple[int, int, int, int], ...]

ADDRESSES: Final = (
    (0x28, 0, 0, 12),
    (0x15, 8, 0, 0x0806),
    (0x15, 0, 8, 0x0800),
    (0x30, 0, 0, 23),
    (0x15, 0, 6, 17),
    (0x28, 0, 0, 20),
    (0x45, 4, 0, 0x1FFF),
    (0xB1, 0, 0, 14),
    (0x48, 0, 0, 16),
    (0x15, 0, 1, 68),
    (0x06, 0, 0, 2**18),
    (0x06, 0, 0, 0),
)
"""What a socket hears that is there for addresses: ARP, and DHCP to clients. As `tcpdump -dd` says
it of `arp or (ip and udp dst port 68)`, for the kernel's filter."""


class Heard(NamedTuple):
    """A frame that has come."""

    frame: bytes
    """Without tag."""
    checks: bool
    """Its checksums are there."""
    came_ns: int
    """When, of the clock that never jumps."""


class Near:
    """The near end, where decoys hear and are heard.

    Args:
        name: The interface.
        vlan: Of the network, if frames have a tag.
        only: What of others to hear; all, by default. Nothing that is sent here is heard.
    """

    def __init__(self, name: str, vlan: int | None, only: Program = ()) -> None:
        self._vlan = vlan
        port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
        port.bind((name, 0))
        number = socket.if_nametoindex(name)
        asked = struct.pack("iHH8s", number, _PROMISCUOUS, 0, b"")
        port.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, asked)
        port.setsockopt(_SOL_PACKET, _AUXDATA, 1)
        port.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
        port.setsockopt(socket.SOL_SOCKET, _SO_MARK, MARK)
        port.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
        if only:
            self._filter(port, only)
        self.socket = port

    @staticmethod
    def _filter(port: socket.socket, only: Program) -> None:
        steps = b"".join(struct.pack("HBBI", *step) for step in only)
        kept = ctypes.create_string_buffer(steps)
        program = struct.pack("HP", len(only), ctypes.addressof(kept))
        port.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)

    def receive_all(self, most: int) -> Iterator[Heard]:
        """Frames that have come by now, so many at most; none while the interface is down."""
        with contextlib.suppress(OSError):
            for _ in range(most):
                if (heard := self._receive()) is not None:
                    yield heard

    def _receive(self) -> Heard | None:
        came = self.socket.recvmsg(2**16, 256, socket.MSG_DONTWAIT)
        frame, notes, *_ = came
        said = {(level, kind): value for level, kind, value in notes}
        seconds, nanoseconds = struct.unpack("qq", said[socket.SOL_SOCKET, _TIMESTAMPNS])
        waited_ns = time.time_ns() - seconds * 10**9 - nanoseconds
        # a clock that is set meanwhile says anything
        came_ns = time.monotonic_ns() - min(max(waited_ns, 0), 10**9)
        status, _, _, _, _, tag, _ = struct.unpack("=IIIHHHH", said[_SOL_PACKET, _AUXDATA][:20])
        vlan = tag & 0xFFF if status & _HAS_VLAN else None
        if frame[12:14] == b"\x81\x00":
            vlan, frame = int.from_bytes(frame[14:16]) & 0xFFF, frame[:12] + frame[16:]
        if vlan != self._vlan:
            return None
        return Heard(frame, not status & _NOT_CHECKED, came_ns)

    def send(self, frame: bytes) -> None:
        """Send an answer, with the tag of the network; one that does not get through is lost."""
        if self._vlan is not None:
            frame = frame[:12] + b"\x81\x00" + self._vlan.to_bytes(2) + frame[12:]
        with contextlib.suppress(OSError):
            self.socket.send(frame)
