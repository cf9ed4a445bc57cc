"""What the link layer says: which protocol a frame carries, from where on, and between whom.

IEEE 802.3, 802.1Q, 802.2; RFC 1042 (SNAP); https://www.tcpdump.org/linktypes.html. Frames may be cut
off anywhere.

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
_SNAP: Final = 0xAAAA03000000
_COOKED_LLC: Final = 4
"""Linux says this in place of an EtherType where LLC follows."""
_AF_INET: Final = 2
_AF_INET6: Final = (10, 24, 28, 30)
"""Of Linux, the BSDs, and macOS."""


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
    at = np.full(len(frames), 12, np.int64)
    destination = np.where(frames.size >= 6, 0, -1)
    source = np.where(frames.size >= 12, 6, -1)
    return _carried(frames, at, source, destination)


def _cooked(frames: Frames) -> LinkLayer:
    """LINKTYPE_LINUX_SLL."""
    at = np.full(len(frames), 14, np.int64)
    source = np.where((frames.number(4, 2) == 6) & (frames.size >= 12), 6, -1)
    return _carried(frames, at, source, np.full(len(frames), -1, np.int64))


def _cooked2(frames: Frames) -> LinkLayer:
    """LINKTYPE_LINUX_SLL2: the protocol stands first."""
    start = np.zeros(len(frames), np.int64)
    source = np.where((frames.number(11, 1) == 6) & (frames.size >= 18), 12, -1)
    found = _carried(frames, start, source, start - 1)
    found.network[:] += 18
    return found


def _carried(
    frames: Frames,
    at: NDArray[np.int64],
    source: NDArray[np.int64],
    destination: NDArray[np.int64],
) -> LinkLayer:
    """What follows an EtherType or a length that stands at offsets (P)."""
    ethertype = _known(frames, at, 2)
    tagged = np.flatnonzero(np.isin(ethertype, _TAGS))
    while len(tagged):
        at[tagged] += 4
        ethertype[tagged] = _known(frames.take(tagged), at[tagged], 2)
        tagged = tagged[np.isin(ethertype[tagged], _TAGS)]
    network = at + 2
    is_llc = (ethertype >= 0) & (ethertype <= _LONGEST)
    llc = np.flatnonzero(is_llc)
    if len(llc):
        some, start = frames.take(llc), network[llc]
        snap = some.number(start, 6) == _SNAP
        ethertype[llc] = np.where(snap, _known(some, start + 6, 2), -1)
        network[llc] += np.where(snap, 8, 3)
    return LinkLayer(ethertype, network, is_llc, source, destination)


def _raw(frames: Frames) -> LinkLayer:
    """LINKTYPE_RAW: IP of the version that its header says."""
    return _ip_at(frames, np.zeros(len(frames), np.int64), frames.number(0, 1) >> 4)


def _loopback(frames: Frames) -> LinkLayer:
    """LINKTYPE_NULL and LINKTYPE_LOOP: the address family in the order of whoever captured."""
    family = frames.number(0, 4)
    turned = family.astype(">u4").view("<u4").astype(np.int64)
    family = np.where(family < 2**16, family, turned)
    version = np.where(np.isin(family, _AF_INET6), 6, np.where(family == _AF_INET, 4, 0))
    return _ip_at(frames, np.full(len(frames), 4, np.int64), version)


def _ip_at(frames: Frames, at: NDArray[np.int64], version: NDArray[np.int64]) -> LinkLayer:
    none = np.full(len(frames), -1, np.int64)
    ethertype = np.where(version == 4, IP4, np.where(version == 6, IP6, -1))
    return LinkLayer(ethertype, at, np.zeros(len(frames), np.bool_), none, none)


def _known(frames: Frames, at: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """Numbers (P); -1 where a frame ends before."""
    return np.where(at + width <= frames.size, frames.number(at, width), -1)


LINKS: Final[dict[int, tuple[str, Callable[[Frames], LinkLayer]]]] = {
    0: ("loopback", _loopback),
    1: ("Ethernet", _ethernet),
    12: ("raw IP", _raw),
    14: ("raw IP", _raw),
    101: ("raw IP", _raw),
    108: ("loopback", _loopback),
    113: ("Linux cooked", _cooked),
    228: ("raw IP", _raw),
    229: ("raw IP", _raw),
    276: ("Linux cooked", _cooked2),
}
"""Link types that are read: their names, and what finds what they carry."""
