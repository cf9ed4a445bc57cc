"""Who talks: the device, its gateway, and the peers of each session's connections."""

import ipaddress
from dataclasses import dataclass

import numpy as np

from iotflowgen.packets.fuzz.stacks import Features

__all__ = ["Connection", "Connections", "Home", "draw_home"]


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


class Connections:
    """The connections of one session, each known by its network, transport and two ports."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._open: dict[tuple[tuple[str, ...], int, int], Connection] = {}

    def spoken(self, packet: Features, layers: tuple[str, ...]) -> str | None:
        """The application that a connection is known for, if it is open."""
        connection = self._open.get(_key(packet, layers))
        return connection.spoken if connection else None

    def of(self, packet: Features, layers: tuple[str, ...], application: str | None) -> Connection:
        """The connection of a packet over `layers`; its first packet opens it.

        A message of another application than before goes to another peer, because Wireshark
        sticks to the application that it has recognised.
        """
        key = _key(packet, layers)
        connection = self._open.get(key)
        if connection is None or (application and connection.spoken not in (None, application)):
            connection = self._open[key] = _draw_connection(self._rng)
        connection.spoken = application or connection.spoken
        return connection


def _key(packet: Features, layers: tuple[str, ...]) -> tuple[tuple[str, ...], int, int]:
    ports = (packet.src_port, packet.dst_port)
    own, other = ports if packet.outgoing else ports[::-1]
    return layers, own, other


def _draw_connection(rng: np.random.Generator) -> Connection:
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
