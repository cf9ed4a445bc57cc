"""The near end as a raw socket: there decoys hear, and say what is no composed traffic."""

import contextlib
import socket
import struct
from typing import Final

__all__ = ["MARK", "Near"]

MARK: Final = 0x107F
"""Of packets that are for hosts of the network (SO_MARK): where the gateway is this computer, it
may hear them."""

_ALL: Final = 0x0003
_SOL_PACKET, _ADD_MEMBERSHIP, _AUXDATA, _PROMISCUOUS = 263, 1, 8, 1
_SO_MARK: Final = 36
_NOT_CHECKED, _HAS_VLAN = 1 << 3, 1 << 4
_OUTGOING: Final = 4


class Near:
    """The near end, where decoys hear and are heard."""

    def __init__(self, name: str, vlan: int | None) -> None:
        self._vlan = vlan
        port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
        port.bind((name, 0))
        number = socket.if_nametoindex(name)
        asked = struct.pack("iHH8s", number, _PROMISCUOUS, 0, b"")
        port.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, asked)
        port.setsockopt(_SOL_PACKET, _AUXDATA, 1)
        port.setsockopt(socket.SOL_SOCKET, _SO_MARK, MARK)
        self.socket = port

    def receive(self) -> tuple[bytes, bool, bool] | None:
        """A frame without tag, whether it was sent here, and whether its checksums are there."""
        frame, notes, _, (_, _, direction, *_) = self.socket.recvmsg(2**16, 256)
        status, _, _, _, _, tag, _ = struct.unpack("=IIIHHHH", notes[0][2][:20])
        vlan = tag & 0xFFF if status & _HAS_VLAN else None
        if frame[12:14] == b"\x81\x00":
            vlan, frame = int.from_bytes(frame[14:16]) & 0xFFF, frame[:12] + frame[16:]
        if vlan != self._vlan:
            return None
        return frame, direction == _OUTGOING, not status & _NOT_CHECKED

    def send(self, frame: bytes) -> None:
        """Send an answer, with the tag of the network; one that does not get through is lost."""
        if self._vlan is not None:
            frame = frame[:12] + b"\x81\x00" + self._vlan.to_bytes(2) + frame[12:]
        with contextlib.suppress(OSError):
            self.socket.send(frame)
