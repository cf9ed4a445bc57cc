"""What passes between a network and the namespace of a decoy: ports that are handed over.

Nothing here listens or waits by itself. The namespace's kernel is a host like any other, and says
more than the decoy is to say: only what comes from ports that are handed over, to who has spoken to
them, leaves. Its questions by ARP are answered here, and heard by nobody.
"""

import contextlib
import os
import secrets
import struct
import time
from collections import deque
from collections.abc import Collection, Sequence
from typing import Final

from iotflowgen.live.emitting.guard import Host

__all__ = ["Relay", "numbers_of"]

_ARP, _IP4 = b"\x08\x06", b"\x08\x00"
_PROTOCOLS: Final = {"tcp": 6, "udp": 17}
_ICMP, _TCP = 1, 6
_SYN, _ACK = 2, 16
_UNREACHABLE: Final = 3
_LINK: Final = 14
_SHORTEST: Final = _LINK + 20
_FRAGMENT: Final = 0x3FFF
_HEAD: Final = struct.Struct("=BBHHHH")
"""Virtio's header, which stands before each frame of a TAP."""
_SUMS: Final = {6: 16, 17: 6}
"""Where in what IPv4 carries the checksum is."""
_IS_PARTIAL: Final = 1
_MOST_PEERS: Final = 4096


def numbers_of(port: str) -> tuple[int, int]:
    """Protocol and number of a port, such as `443/tcp`."""
    number, _, protocol = port.partition("/")
    return _PROTOCOLS[protocol], int(number)


class Relay:
    """One decoy's.

    Args:
        host: Its addresses.
        ports: Those that are handed over, such as `443/tcp`.
        gateway_mac: Of its gateway.
        tap: The file of its TAP, with virtio's header before each frame.
        delays_ns: How long the device takes to answer who connects, as often as that was seen.
    """

    def __init__(
        self,
        host: Host,
        ports: Collection[str],
        gateway_mac: bytes,
        tap: int,
        delays_ns: Sequence[int],
    ) -> None:
        self._host, self._gateway_mac = host, gateway_mac
        self._ports = frozenset(map(numbers_of, ports))
        self._tap, self._delays_ns = tap, delays_ns
        self._peers: dict[bytes, bytes] = {}
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._last_ns = 0

    def settle(self, host: Host, gateway_mac: bytes) -> None:
        """Have other addresses from now on."""
        self._host, self._gateway_mac = host, gateway_mac
        self._peers.clear()
        self._waiting.clear()

    def close(self) -> None:
        """The decoy has gone."""
        os.close(self._tap)

    def fileno(self) -> int:
        """What the namespace sends can be read from here."""
        return self._tap

    def takes(self, frame: bytes) -> bool:
        """Whether a frame without VLAN tag, for the decoy, is for a port that is handed over."""
        if not _is_ip4(frame) or (frame[:6], frame[30:34]) != self._host:
            return False
        protocol, at = _transport(frame)
        if protocol == _ICMP and frame[at : at + 1] == bytes([_UNREACHABLE]):
            # about a packet that has come from such a port
            quoted = frame[:_LINK] + frame[at + 8 :]
            return _is_ip4(quoted) and self._is_of(quoted, 0)
        return self._is_of(frame, 2)

    def put(self, frame: bytes, *, checks: bool) -> None:
        """Give such a frame to the namespace: one that connects as late as the device hears it.

        Args:
            frame: Ethernet, without VLAN tag.
            checks: Whether its checksums are there.
        """
        self._peers.pop(frame[26:30], None)
        self._peers[frame[26:30]] = frame[6:12]
        if len(self._peers) > _MOST_PEERS:
            del self._peers[next(iter(self._peers))]
        due_ns = time.monotonic_ns()
        protocol, at = _transport(frame)
        if protocol == _TCP and frame[at + 13] & (_SYN | _ACK) == _SYN:
            due_ns += self._delays_ns[secrets.randbelow(len(self._delays_ns))]
        # in the order in which they came
        self._last_ns = max(self._last_ns, due_ns)
        # a kernel that sends to another namespace leaves sums out, and is believed
        is_partial = not checks and protocol in _SUMS
        sums = (at, _SUMS[protocol]) if is_partial else (0, 0)
        self._waiting.append((self._last_ns, _HEAD.pack(is_partial, 0, 0, 0, *sums) + frame))

    @property
    def due_ns(self) -> int:
        """When the next frame is due for the namespace, on the clock that never jumps."""
        return self._waiting[0][0] if self._waiting else 2**63

    def deliver(self) -> None:
        """Write into the TAP what is due by now."""
        while self._waiting and self._waiting[0][0] <= time.monotonic_ns():
            with contextlib.suppress(OSError):
                os.write(self._tap, self._waiting.popleft()[1])

    def take(self) -> bytes | None:
        """The next frame from the namespace; None if it is not one that the decoy sends."""
        try:
            frame = os.read(self._tap, 2**17)[_HEAD.size :]
        except OSError:
            return None
        if frame[12:14] == _ARP:
            self._resolve(frame)
            return None
        known = self._peers.get(frame[30:34])
        is_own = _is_ip4(frame) and (frame[6:12], frame[26:30]) == self._host
        if not is_own or known is None or not self._is_of(frame, 0):
            return None
        # back where the question came from, whatever the kernel makes of that
        return known + frame[6:]

    def _is_of(self, frame: bytes, end: int) -> bool:
        """Whether the port that stands so many bytes behind IP's header is handed over."""
        protocol, at = _transport(frame)
        port = int.from_bytes(frame[at + end : at + end + 2])
        is_whole = not int.from_bytes(frame[20:22]) & _FRAGMENT
        return is_whole and len(frame) >= at + 8 and (protocol, port) in self._ports

    def _resolve(self, asked: bytes) -> None:
        """Answer who looks for an address by ARP."""
        if asked[20:22] != b"\0\1" or asked[38:42] == self._host.ip:
            return
        mac = self._peers.get(asked[38:42], self._gateway_mac)
        body = asked[14:20] + b"\0\2" + mac + asked[38:42] + asked[22:32]
        with contextlib.suppress(OSError):
            os.write(self._tap, bytes(_HEAD.size) + self._host.mac + mac + _ARP + body)


def _is_ip4(frame: bytes) -> bool:
    return frame[12:14] == _IP4 and len(frame) >= _SHORTEST


def _transport(frame: bytes) -> tuple[int, int]:
    """What IPv4 carries, and where that begins."""
    return frame[23], _LINK + 4 * (frame[_LINK] & 15)
