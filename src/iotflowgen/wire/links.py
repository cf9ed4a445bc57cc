"""What the link layer says: which protocol a frame carries, from where on, and between whom.

IEEE 802.3, 802.1Q, 802.2; RFC 1042 (SNAP), 2516 (PPPoE); https://www.tcpdump.org/linktypes.html.
Frames may be cut off anywhere.

Shapes: P packets. Offsets are in bytes from where a frame begins.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.wire.frames import Frames
from iotflowgen.wire.layers import IP4, IP6

__all__ = ["LINKS", "LinkLayer", "find_link_layer"]

_TAGS: Final = (0x8100, 0x88A8, 0x9100)
"""EtherTypes of 802.1Q tags."""
_LONGEST: Final = 1500
"""What stands in place of an EtherType and is no greater is a length: LLC follows."""
_SNAP: Final = (0xAAAA03000000, 0xAAAA030000F8)
"""LLC and the organisation, of RFC 1042 and of 802.1H: an EtherType follows."""
_LLC_IP: Final = 0x060603
_IPX: Final = 0xFFFF
"""In place of LLC: Novell's frames have none."""
_PPPOE: Final = 0x8864
_PPP_IP4, _PPP_IP6 = 0x0021, 0x0057
_COOKED_LLC: Final = 4
"""Linux says this in place of an EtherType where LLC follows."""
_AF_INET: Final = 2
_AF_INET6: Final = (24, 28, 30)
"""Of the BSDs and macOS."""
_NETLINK: Final = 824
"""The type of a device of Linux whose packets are no packets of a network."""


@dataclass(frozen=True, eq=False)
class LinkLayer:
    """Where link layers (P) lie."""

    ethertype: NDArray[np.int64]
    """What is carried; -1 where a frame ends before that is said, or none says it."""
    network: NDArray[np.int64]
    """Offset of what is carried."""
    is_llc: NDArray[np.bool_]
    """It has an LLC header."""
    source: NDArray[np.int64]
    """Offset of the MAC address, 6 bytes; -1 without."""
    destination: NDArray[np.int64]
    """Offset of the MAC address; -1 without."""

    def put(self, index: NDArray[np.int64], others: "LinkLayer") -> None:
        """Set those at these places, in place."""
        for field in fields(self):
            getattr(self, field.name)[index] = getattr(others, field.name)


def find_link_layer(frames: Frames, link: int) -> LinkLayer:
    """The link layers of frames of one link type, a key of `LINKS`."""
    _, find = LINKS[link]
    return find(frames)


def _ethernet(frames: Frames) -> LinkLayer:
    whole = frames.size >= 14
    addresses = np.where(whole, 6, -1), np.where(whole, 0, -1)
    return _carried(frames, _known(frames, 12), np.full(len(frames), 14), *addresses)


def _cooked(frames: Frames) -> LinkLayer:
    """LINKTYPE_LINUX_SLL."""
    source = np.where((frames.number(4, 2) == 6) & (frames.size >= 12), 6, -1)
    return _cooked_from(frames, 14, 16, frames.number(2, 2), source)


def _cooked2(frames: Frames) -> LinkLayer:
    """LINKTYPE_LINUX_SLL2."""
    source = np.where((frames.number(11, 1) == 6) & (frames.size >= 18), 12, -1)
    return _cooked_from(frames, 0, 20, frames.number(8, 2), source)


def _cooked_from(
    frames: Frames, at: int, header: int, device: NDArray[np.int64], source: NDArray[np.int64]
) -> LinkLayer:
    """What follows a header whose protocol stands at an offset, of a type of device."""
    protocol = np.where(frames.size >= header, _known(frames, at), -1)
    # other numbers that are no EtherTypes stand for protocols that are not read
    other = (protocol <= _LONGEST) & (protocol != _COOKED_LLC)
    protocol[other | (device == _NETLINK)] = -1
    none = np.full(len(frames), -1, np.int64)
    return _carried(frames, protocol, np.full(len(frames), header), source, none)


def _carried(
    frames: Frames,
    ethertype: NDArray[np.int64],
    network: NDArray[np.int64],
    source: NDArray[np.int64],
    destination: NDArray[np.int64],
) -> LinkLayer:
    """What is carried behind tags, LLC and PPP, given the first EtherType and what follows it."""
    tagged = np.flatnonzero(np.isin(ethertype, _TAGS))
    while len(tagged):
        ethertype[tagged] = _known(frames.take(tagged), network[tagged] + 2)
        network[tagged] += 4
        tagged = tagged[np.isin(ethertype[tagged], _TAGS)]
    is_llc = (ethertype >= 0) & (ethertype <= _LONGEST) & (frames.number(network, 2) != _IPX)
    llc = np.flatnonzero(is_llc)
    if len(llc):
        some, start = frames.take(llc), network[llc]
        snap = np.isin(some.number(start, 6), _SNAP)
        is_ip = some.number(start, 3) == _LLC_IP
        ethertype[llc] = np.where(snap, _known(some, start + 6), np.where(is_ip, IP4, -1))
        network[llc] += np.where(snap, 8, 3)
    point = np.flatnonzero(ethertype == _PPPOE)
    if len(point):
        protocol = frames.take(point).number(network[point] + 6, 2)
        ethertype[point] = np.select([protocol == _PPP_IP4, protocol == _PPP_IP6], [IP4, IP6], -1)
        network[point] += 8
    return LinkLayer(ethertype, network, is_llc, source, destination)


def _raw(frames: Frames) -> LinkLayer:
    """LINKTYPE_RAW: IP of the version that its header says."""
    version = frames.number(0, 1) >> 4
    return _ip_at(frames, 0, np.where(version == 6, IP6, np.where(version == 4, IP4, -1)))


def _raw4(frames: Frames) -> LinkLayer:
    return _ip_at(frames, 0, np.full(len(frames), IP4))


def _raw6(frames: Frames) -> LinkLayer:
    return _ip_at(frames, 0, np.full(len(frames), IP6))


def _null(frames: Frames) -> LinkLayer:
    """LINKTYPE_NULL: the address family in the order of bytes of whoever captured."""
    family = frames.number(0, 4)
    turned = family.astype(">u4").view("<u4").astype(np.int64)
    return _family(frames, np.where(family < 2**16, family, turned))


def _loop(frames: Frames) -> LinkLayer:
    """LINKTYPE_LOOP: the address family in the order of the network."""
    return _family(frames, frames.number(0, 4))


def _family(frames: Frames, family: NDArray[np.int64]) -> LinkLayer:
    six = np.isin(family, _AF_INET6)
    return _ip_at(frames, 4, np.where(six, IP6, np.where(family == _AF_INET, IP4, -1)))


def _ip_at(frames: Frames, at: int, ethertype: NDArray[np.int64]) -> LinkLayer:
    """Nothing but what is carried, at one offset."""
    none = np.full(len(frames), -1, np.int64)
    network = np.full(len(frames), at, np.int64)
    return LinkLayer(ethertype, network, np.zeros(len(frames), np.bool_), none, none)


def _known(frames: Frames, at: NDArray[np.int64] | int) -> NDArray[np.int64]:
    """Numbers (P) of two bytes; -1 where a frame ends before."""
    return np.where(at + 2 <= frames.size, frames.number(at, 2), -1)


LINKS: Final[dict[int, tuple[str, Callable[[Frames], LinkLayer]]]] = {
    0: ("loopback", _null),
    1: ("Ethernet", _ethernet),
    12: ("raw IP", _raw),
    14: ("raw IP", _raw),
    101: ("raw IP", _raw),
    108: ("loopback", _loop),
    113: ("Linux cooked", _cooked),
    228: ("raw IP", _raw4),
    229: ("raw IP", _raw6),
    276: ("Linux cooked", _cooked2),
}
"""Link types that are read: their names, and what finds what they carry."""
