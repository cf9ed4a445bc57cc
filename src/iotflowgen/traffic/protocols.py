"""The protocol configuration (paper, section 4.2): which of 16 protocols a packet carries.

Inside it is one integer, bit i for `PROTOCOLS[i]`; tables show it as 16 columns.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["PROTOCOLS", "pack_protocols", "protocol_mask", "unpack_protocols"]

PROTOCOLS = (
    "arp",
    "llc",
    "ip",  # IPv4; an IPv6 packet is known by lacking it
    "icmp",
    "icmpv6",
    "eapol",
    "tcp",
    "udp",
    "http",
    "https",  # TLS
    "dhcp",  # BOOTP that carries a DHCP message type (RFC 2131)
    "bootp",  # the message format that DHCP builds on (RFC 951)
    "ssdp",
    "dns",
    "mdns",
    "ntp",
)

_BITS = {name: 1 << i for i, name in enumerate(PROTOCOLS)}


def protocol_mask(names: Iterable[str]) -> int:
    """The configuration in which exactly `names` are present.

    Raises:
        KeyError: A name is not one of `PROTOCOLS`.
    """
    mask = 0
    for name in names:
        mask |= _BITS[name]
    return mask


def unpack_protocols(masks: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Configurations (...) as presence (..., 16)."""
    bits: NDArray[np.bool_] = np.bitwise_and(masks[..., None], list(_BITS.values())) != 0
    return bits


def pack_protocols(present: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """Presence (..., 16) as configurations (...): the inverse of `unpack_protocols`."""
    bits = np.array(list(_BITS.values()), dtype=np.uint32)
    masks: NDArray[np.uint16] = (present * bits).sum(axis=-1).astype(np.uint16)
    return masks
