"""What a network decides of composed traffic: who resolves names, and that leases are real ones.

Shapes: P captured packets; E composed ones.
"""

from ipaddress import IPv4Address
from typing import Final

import numpy as np

from iotflowgen.packets import Rows
from iotflowgen.recording import Recording
from iotflowgen.traffic import protocol_mask
from iotflowgen.wire import Frames, find_layers, set_checksums
from iotflowgen.wire.arrays import Flags
from iotflowgen.wire.layers import ARP, IP4
from iotflowgen.wire.messages import dhcp_options

__all__ = ["Settled"]

_DHCP: Final = protocol_mask(["dhcp", "bootp"])
_DNS: Final = protocol_mask(["dns"])
_RESOLVERS: Final = 6
"""Option of DHCP (RFC 2132)."""
_SRC, _DST = 12, 16
"""Where addresses stand in IPv4's header."""


class Settled:
    """Captured packets that the network has a say in.

    Attributes:
        leases: DHCP, and probes for the device's own address (P).
        resolves: DNS with the resolver that the network told the device (P). A device that asks
            one of its own choice, whatever the network says, goes on with that.
    """

    def __init__(self, recording: Recording) -> None:
        packets = recording.packets
        frames, at = packets.frames, packets.layers.network
        is_dhcp = packets.protocols & _DHCP > 0
        is_probe = packets.outgoing & (packets.layers.ethertype == ARP)
        self.leases: Flags = is_dhcp | (is_probe & (frames.number(at + 14, 4) == 0))
        resolvers = _told(recording, is_dhcp & ~packets.outgoing)
        is_dns = (packets.protocols & _DNS > 0) & packets.layers.is_ip4 & packets.layers.has_ports
        peer = frames.number(at + np.where(packets.outgoing, _DST, _SRC), 4)
        self.resolves: Flags = is_dns & (np.isin(peer, [*resolvers]) | (not resolvers))

    def without_leases(self, rows: Rows, frames: Frames) -> tuple[Rows, Frames]:
        """Composed packets (E) without those, which are said in a real exchange."""
        kept = ~np.where(rows.source >= 0, self.leases[rows.source], rows.protocols & _DHCP > 0)
        return (rows, frames) if kept.all() else (rows.take(kept), frames.take(kept))

    def resolved_by(self, resolver: IPv4Address, rows: Rows, frames: Frames) -> None:
        """Have another host resolve names in composed packets (E), in place."""
        is_dns = rows.protocols & _DNS > 0
        is_dns &= np.where(rows.source >= 0, self.resolves[rows.source], True)
        index = np.flatnonzero(is_dns)
        if not len(index):
            return
        some = frames.take(index)
        layers, out = find_layers(some), rows.outgoing[index]
        is_ip4 = layers.ethertype == IP4
        some.put(layers.network + np.where(out, _DST, _SRC), 4, int(resolver), is_ip4)
        set_checksums(some, layers)


def _told(recording: Recording, answers: Flags) -> set[int]:
    """Resolvers that servers named in captures, and the gateway if they named any."""
    packets, found = recording.packets, set()
    for row in np.flatnonzero(answers).tolist():
        message = packets.frames[row][int(packets.layers.payload[row]) :]
        for code, at, size in dhcp_options(message):
            if code == _RESOLVERS:
                found |= {int.from_bytes(message[i : i + 4]) for i in range(at, at + size, 4)}
    gateway = recording.identities.gateway_ip
    return found | {int(IPv4Address(gateway))} if found and "." in gateway else found
