"""The last check before a frame is sent: that it is of the configured network."""

from collections.abc import Collection, Sequence
from ipaddress import IPv4Network
from typing import Final, NamedTuple

from iotflowgen.live.emitting.due import DueFrame

__all__ = ["Guard", "Host"]

_VLAN: Final = b"\x81\x00"
_IP4: Final = b"\x08\x00"
_ARP: Final = b"\x08\x06"
_NOBODY: Final = bytes(4)


class Host(NamedTuple):
    """Who a decoy is."""

    mac: bytes
    ip: bytes
    """Of IPv4; empty as long as it has none."""

    @classmethod
    def of(cls, addresses: Sequence[str]) -> "Host":
        """Whose addresses these are, in hexadecimal."""
        mac, ip = map(bytes.fromhex, addresses)
        return cls(mac, ip)


class Guard:
    """Tells what is wrong with a frame.

    What a decoy sends comes from its own addresses; what its peers send goes to them or to a group.
    No frame comes from an address of this computer, except from the gateway's.
    """

    def __init__(
        self, subnet: IPv4Network, decoys: Sequence[Host], others: Collection[bytes] = ()
    ) -> None:
        """Take the network, its decoys, and the addresses of this computer that nobody may have."""
        self._be_in(subnet)
        self._decoys = {place: (host.mac, host.ip) for place, host in enumerate(decoys)}
        self._others = frozenset(others)

    def add(self, decoy: int, host: Host) -> None:
        """Let there be a decoy at a place."""
        self._decoys[decoy] = (host.mac, host.ip)

    def settle(self, decoy: int, host: Host, subnet: IPv4Network) -> None:
        """Let the decoy at a place have other addresses, in the network that is known by now."""
        self.add(decoy, host)
        self._be_in(subnet)

    def _be_in(self, subnet: IPv4Network) -> None:
        self._first = int(subnet.network_address)
        self._last = int(subnet.broadcast_address)

    def complaint(self, due: DueFrame) -> str:
        """Why this frame is not to be sent; empty if it is."""
        frame = due.frame
        at = 18 if frame[12:14] == _VLAN else 14
        source = target = b""
        is_arp = frame[at - 2 : at] == _ARP
        if is_arp:
            source = frame[at + 14 : at + 18]
        elif frame[at - 2 : at] == _IP4:
            source, target = frame[at + 12 : at + 16], frame[at + 16 : at + 20]
        mac, ip = self._decoys[due.decoy]
        if not due.far:
            is_own = frame[6:12] == mac and source in (ip, _NOBODY, b"")
            return "" if is_own else "a decoy's frame is not from the decoy"
        if frame[:6] != mac and not frame[0] & 1:
            return "a peer's frame is not for the decoy"
        if target and target != ip and not self._is_group(target):
            return "a peer's packet is not for the decoy"
        if is_arp and source != _NOBODY and not self._is_inside(source):
            return "a peer's ARP is of another network"
        is_other = frame[6:12] == mac or not self._others.isdisjoint((frame[6:12], source))
        return "a peer has the address of somebody else" if is_other else ""

    def _is_inside(self, address: bytes) -> bool:
        return self._first <= int.from_bytes(address) <= self._last

    def _is_group(self, address: bytes) -> bool:
        return address[0] >= 224 or int.from_bytes(address) == self._last
