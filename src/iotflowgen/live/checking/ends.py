"""Whether frames get from one end to the other: few ones, of an EtherType that is for experiments.

IEEE 802 gives 0x88B5 to whoever tries something out: no host takes such frames for its own.
"""

import secrets
import select
import struct
import time
from collections.abc import Iterator
from typing import Final

from iotflowgen.live.near import Near

__all__ = ["EXPERIMENTAL", "Ends"]

EXPERIMENTAL: Final = b"\x88\xb5"

_EVERYBODY: Final = b"\xff" * 6
_SIZE: Final = 46
"""Bytes of the least payload of Ethernet."""
_WAIT_S, _TRIES = 0.2, 2
_ARP: Final = b"\x08\x06"
_AT_ONCE: Final = 32


class Ends:
    """Both ends of decoys, open.

    Args:
        near: Names of the interfaces.
        far: The same.
        vlan: Of the network.
    """

    def __init__(self, near: str, far: str, vlan: int | None) -> None:
        self.vlan = vlan
        self.names = (near, far)
        self._ports = [Near(name, vlan) for name in self.names]

    def close(self) -> None:
        """Listen no longer."""
        for port in self._ports:
            port.socket.close()

    def passes(self, source: bytes, target: bytes, *, back: bool = False) -> bool:
        """Whether a frame from one MAC address to another gets from near to far, or back."""
        sender, receiver = self._ports[::-1] if back else self._ports
        for _ in range(_TRIES):
            frame = target + source + EXPERIMENTAL + secrets.token_bytes(_SIZE)
            sender.send(frame)
            if any(frame == heard for heard in self._heard(receiver, _WAIT_S)):
                return True
        return False

    def who_has(self, asker: bytes, addresses: list[bytes], wait_s: float) -> dict[bytes, bytes]:
        """MAC addresses of those who answer at the near end that they have an address of IPv4.

        They are asked by ARP as probes are (RFC 5227): nobody learns an address from these.
        """
        near = self._ports[0]
        found: dict[bytes, bytes] = {}
        end = time.monotonic() + wait_s
        for address in addresses:
            body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + asker + bytes(4) + bytes(6) + address
            near.send(_EVERYBODY + asker + _ARP + body)
        for heard in self._heard(near, end - time.monotonic()):
            if heard[12:14] == _ARP and heard[28:32] in addresses:
                found[heard[28:32]] = heard[22:28]
            if len(found) == len(addresses):
                break
        return found

    @staticmethod
    def _heard(port: Near, wait_s: float) -> Iterator[bytes]:
        end = time.monotonic() + wait_s
        while (left := end - time.monotonic()) > 0:
            if select.select([port.socket], [], [], left)[0]:
                for heard in port.receive_all(_AT_ONCE):
                    yield heard.frame
