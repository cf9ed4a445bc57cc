"""Who talks: the device, its gateway, and the peers of each session's connections."""

import ipaddress
from dataclasses import dataclass

import numpy as np

__all__ = ["Connection", "Home", "draw_connection", "draw_home"]


@dataclass(frozen=True)
class Home:
    """The addresses of the device and of the gateway behind which its peers are."""

    device_mac: str
    device_ip: str
    device_ip6: str
    gateway_mac: str
    gateway_ip: str


def draw_home(rng: np.random.Generator) -> Home:
    """Draw the hosts of one file: locally administered MAC addresses, a private network."""
    network = f"192.168.{rng.integers(256)}"
    return Home(
        device_mac=_draw_mac(rng),
        device_ip=f"{network}.{rng.integers(2, 255)}",
        device_ip6=_draw_link_local(rng),
        gateway_mac=_draw_mac(rng),
        gateway_ip=f"{network}.1",
    )


@dataclass
class Connection:
    """A peer, and what has been said to it and by it.

    Sequence numbers are not left to fuzzing: Wireshark takes a segment that goes back behind the
    last one for a retransmission, and does not look at its payload.
    """

    peer_ip: str
    peer_ip6: str
    sequence: dict[bool, int]
    """The next TCP sequence number of the device (True) and of the peer (False)."""
    spoken: str | None = None
    """The application whose messages it has carried."""

    def advance(self, outgoing: bool, payload: int) -> tuple[int, int]:
        """Sequence and acknowledgment number of a segment with so many bytes of payload."""
        sequence, acknowledgment = self.sequence[outgoing], self.sequence[not outgoing]
        self.sequence[outgoing] = (sequence + payload) % 2**32
        return sequence, acknowledgment


def draw_connection(rng: np.random.Generator) -> Connection:
    """Draw with whom a connection is, and where its sequence numbers begin."""
    first = int(rng.integers(11, 100))  # all public, where the device is private
    return Connection(
        peer_ip=".".join(map(str, (first, *rng.integers(1, 255, 3)))),
        peer_ip6=_draw_link_local(rng),
        sequence={way: int(rng.integers(2**32)) for way in (True, False)},
    )


def _draw_mac(rng: np.random.Generator) -> str:
    return (b"\x02" + rng.bytes(5)).hex(":")


def _draw_link_local(rng: np.random.Generator) -> str:
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + rng.bytes(8)))
