"""Frames of any link as Ethernet frames: link layers that hold a protocol of Ethernet, and tunnels.

https://www.tcpdump.org/linktypes.html; RFC 1661, 1662 (PPP). Frames may be cut off anywhere. What
carries no protocol of a network is left out; MAC addresses that a link does not show are given by
IP addresses.

Shapes: P packets. Offsets are in bytes from where a frame begins.
"""

import zlib
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from iotflowgen.wire.arrays import Flags, Integers
from iotflowgen.wire.frames import Frames, copy_ranges
from iotflowgen.wire.internet import find_datagrams, is_outside
from iotflowgen.wire.layers import ARP, IP4, IP6
from iotflowgen.wire.tunnels import (
    BRIDGED,
    MPLS,
    TUNNELS,
    Inside,
    begin_of_network,
    leave_tunnels,
    ppp_inside,
)

__all__ = ["LINKS", "OnEthernet", "as_ethernet"]

_HEADER: Final = 14
"""Bytes of Ethernet's."""
_FCS: Final = 4
"""Bytes of a frame check sequence, after a frame."""
_SAMPLE: Final = 32
"""Frames whose check sequences are computed, to know whether there are any."""
_LONGEST_LLC: Final = 1500
_COOKED_LLC: Final = 4
"""Linux says this in place of an EtherType where LLC follows."""
_AF_INET: Final = 2
_AF_INET6: Final = (10, 24, 28, 30)
"""Of Linux, the BSDs and macOS."""
_NETLINK: Final = 824
"""The type of a device of Linux whose packets are no packets of a network."""
_EVERYBODY: Final = 2**48 - 1
_OWN: Final = 0xB6D1E3000000
"""The first half of MAC addresses that are made up: locally administered (IEEE 802), and of bytes
that do not stand elsewhere."""
_GATEWAY: Final = _OWN | 0xC3A54D
_IP4_GROUP, _IP6_GROUP = 0x01005E000000, 0x333300000000
_MIX: Final = 0x1E3779B97F4A7C15  # odd, its bits in disorder
_TO_ALL, _SENT = 1, 4
"""What Linux says of where a packet goes: to everybody; from here to another host."""
_PKTAP: Final = 108
"""Bytes of the header that macOS writes before packets, at least."""


class OnEthernet(NamedTuple):
    """Packets (P) as Ethernet frames; those that are none are left out."""

    frames: Frames
    """Without frame check sequence."""
    length: Integers
    """(P) bytes on the wire, as Ethernet frames."""
    place: Integers
    """(P) which of the frames that were given each is."""
    left_out: int
    """Packets of link types that are read which carry no protocol of a network, or are a tunnel's
    own."""
    local: int
    """Packets from a host to itself, which go neither way."""
    tunnels: dict[str, int]
    """Names of tunnels that packets were in, and how many were."""
    has_own_macs: bool
    """All MAC addresses are captured ones."""


def as_ethernet(frames: Frames, length: Integers, link: Integers) -> OnEthernet:
    """Packets of one file as Ethernet frames.

    Frames that are Ethernet's share their bytes with those given if all are.

    Args:
        frames: P frames.
        length: (P) bytes of each on the wire.
        link: (P) link types; packets of others than `LINKS` are left out.
    """
    place = np.flatnonzero(np.isin(link, [*LINKS]))
    frames, length, link = frames.take(place), length[place], link[place]
    inside = _nothing(len(frames))
    for kind in np.unique(link).tolist():
        index = np.flatnonzero(link == kind)
        inside.put(index, LINKS[kind][1](frames.take(index)))
    frames, length = _without_check_sequence(frames, length, inside.ethertype == BRIDGED)
    inside.end[:] = length
    tunnel = leave_tunnels(frames, inside)
    holds, local = inside.ethertype >= 0, _stays_here(frames, inside)
    kept = np.flatnonzero(holds & ~local)
    left, counts = np.unique(tunnel[tunnel >= 0], return_counts=True)
    found = {TUNNELS[which]: int(n) for which, n in zip(left, counts, strict=True)}
    left_out = int((~holds).sum()), int((holds & local).sum())
    whole, frames, inside = frames, frames.take(kept), inside.take(kept)
    length = inside.end - inside.begin
    size = np.maximum(np.minimum(frames.size, inside.end) - inside.begin, 0)
    bare = np.flatnonzero(inside.ethertype != BRIDGED)
    has_own_macs = True
    if len(bare):
        some = inside.take(bare)
        has_own_macs = bool((some.source >= 0).all())
        _fill_macs(frames.take(bare), some)
        length[bare] += _HEADER
        frames = _with_headers(frames, inside.begin, size, bare, some)
    else:
        frames = Frames(whole.data, frames.start + inside.begin, size)
    return OnEthernet(frames, length, place[kept], *left_out, found, has_own_macs)


def _with_headers(
    frames: Frames, begin: Integers, size: Integers, bare: Integers, inside: Inside
) -> Frames:
    """Copies of frames (P) from `begin` (P) on, before some of which (`bare`) is a header now."""
    header = np.zeros_like(size)
    header[bare] = _HEADER
    start = np.cumsum(header + size) - header - size
    copied = Frames(np.empty(int((header + size).sum()), np.uint8), start, header + size)
    copy_ranges(frames.data, frames.start + begin, copied.data, start + header, size)
    some = copied.take(bare)
    some.put(0, 6, inside.destination)
    some.put(6, 6, inside.source)
    some.put(12, 2, inside.ethertype)
    return copied


def _fill_macs(frames: Frames, inside: Inside) -> None:
    """Set the MAC addresses that are not known, in place, by whose IP addresses packets have.

    A host's is the one that it is seen to send from. Otherwise hosts at home have one of their own
    each, and all others the gateway's. Where a link shows none at all, as from point to point, the
    host of most packets is at home, under IPv4 and IPv6.
    """
    ends = _addresses(frames, inside)
    # hosts (H), of one address each
    known, first, host = np.unique(ends.key, return_index=True, return_inverse=True)
    sender, receiver = host.reshape(2, -1)
    is_ip6 = ends.is_ip6.ravel()[first]
    head, tail = (column.ravel()[first] for column in (ends.head, ends.tail))
    macs = _group_macs(is_ip6, head, tail)
    hears_only = np.bincount(sender, minlength=len(known)) == 0
    macs[(macs < 0) & ~is_ip6 & (tail & 255 == 255) & hears_only] = _EVERYBODY
    is_host = (macs < 0) & (known != 0)
    is_far = is_host & np.where(is_ip6, head >> 29 == 1, is_outside(head))
    given = _OWN | (known * _MIX >> 24 & 0x7FFFFF)
    seen = np.flatnonzero(inside.source >= 0)
    if len(seen):
        macs_seen, mac = np.unique(inside.source[seen], return_inverse=True)
        pair, count = np.unique(sender[seen] * len(macs_seen) + mac, return_counts=True)
        # the last of equal ones is the most frequent
        order = np.argsort(count, kind="stable")
        pair = pair[order]
        usual = np.full(len(known), -1)
        usual[pair // len(macs_seen)] = macs_seen[pair % len(macs_seen)]
        macs = np.where(is_host, usual, macs)
    else:
        count = np.bincount(host.ravel(), minlength=len(known))
        here = []
        for family in (~is_ip6, is_ip6):
            some = np.flatnonzero(is_host & family)
            order = np.lexsort((-first[some], ~is_far[some], count[some]))
            here += some[order[-1:]].tolist()
        is_far[here] = False
        given[here] = given[here[:1]]
    # who asks by ARP asks everybody, at first
    asks = (inside.ethertype == ARP) & (frames.number(inside.begin + 6, 2) == 1)
    inside.destination[asks & inside.is_sent] = _EVERYBODY
    gateway = _gateway(inside, is_far[sender])
    macs = np.where(macs < 0, np.where(is_host & ~is_far, given, gateway), macs)
    for column, end in ((inside.source, sender), (inside.destination, receiver)):
        column[column < 0] = macs[end][column < 0]
    # what has no IP address goes from the gateway to whom it talks with most
    alone = (inside.source == inside.destination) & (ends.key[1] == 0)
    if alone.any():
        others, count = np.unique(inside.source[~alone], return_counts=True)
        count[others == gateway] = 0
        if count.any():
            inside.destination[alone] = others[np.argmax(count)]


class _Ends(NamedTuple):
    """IP addresses of both ends of packets (2, P): of senders, of receivers."""

    key: Integers
    """A number for each; 0 where there is none, or it is nobody's."""
    is_ip6: Flags
    head: Integers
    """The first 4 bytes."""
    tail: Integers
    """The last 4 bytes."""


def _addresses(frames: Frames, inside: Inside) -> _Ends:
    """Of IP, and of what ARP translates."""
    shape = 2, len(frames)
    key, head, tail = (np.zeros(shape, np.int64) for _ in range(3))
    is_ip6 = np.broadcast_to(inside.ethertype == IP6, shape)
    for ethertype, places in ((IP4, (12, 16)), (ARP, (14, 24)), (IP6, (8, 24))):
        index = np.flatnonzero(inside.ethertype == ethertype)
        some = frames.take(index)
        for end, place in enumerate(places):
            at = inside.begin[index] + place
            head[end, index] = some.number(at, 4)
            last = at + 12 if ethertype == IP6 else at
            tail[end, index] = some.number(last, 4)
            key[end, index] = head[end, index]
            if ethertype == IP6:
                halves = some.number(at, 8) * _MIX + some.number(at + 8, 8)
                # beside all of IPv4
                key[end, index] = np.where(halves, halves | 1 << 62, 0)
    return _Ends(key, is_ip6, head, tail)


def _group_macs(is_ip6: Flags, head: Integers, tail: Integers) -> Integers:
    """The MAC addresses of groups (RFC 1112, section 6.4; RFC 2464, section 7); -1 of hosts."""
    macs = np.full(len(head), -1)
    macs = np.where(~is_ip6 & (head >> 28 == 14), _IP4_GROUP | head & 0x7FFFFF, macs)
    macs = np.where(~is_ip6 & (head == 2**32 - 1), _EVERYBODY, macs)
    return np.where(is_ip6 & (head >> 24 == 255), _IP6_GROUP | tail, macs)


def _gateway(inside: Inside, is_from_far: Flags) -> int:
    """The MAC address that hosts elsewhere send from; one that is given where none is seen."""
    # where the gateway itself captures, others send from elsewhere, too
    for which in (is_from_far & inside.is_sent, is_from_far):
        found, count = np.unique(inside.source[which & (inside.source >= 0)], return_counts=True)
        if len(found):
            return int(found[np.argmax(count)])
    return _GATEWAY


def _stays_here(frames: Frames, inside: Inside) -> Flags:
    """Whether each packet's two ends are one host, which has no link: it goes neither way."""
    at, ethertype = begin_of_network(frames, inside)
    local = (frames.number(at + 12, 1) == 127) & (frames.number(at + 16, 1) == 127)
    source, destination = (frames.number(at + place, 4) for place in (12, 16))
    here = (ethertype == IP4) & (local | ((source == destination) & (source > 0)))
    (high, low), other = (
        [frames.number(at + place + half, 8) for half in (0, 8)] for place in (8, 24)
    )
    same = (high == other[0]) & (low == other[1]) & (high | low != 0)
    here |= (ethertype == IP6) & same
    found: Flags = here
    return found


def _without_check_sequence(
    frames: Frames, length: Integers, is_ethernet: Flags
) -> tuple[Frames, Integers]:
    """Frames and their lengths without the check sequence that the wire has after each.

    Some capture files count it but do not hold it, others hold it.
    """
    at, ethertype = begin_of_network(frames, Inside.ethernet(len(frames)))
    datagrams = find_datagrams(frames, length, ethertype, at)
    says = np.where(datagrams.source >= 0, datagrams.end, -1)
    counted = is_ethernet & (length - frames.size == _FCS) & (says <= frames.size)
    length = np.where(counted, frames.size, length)
    # what IP says ends 4 bytes before, also in the shortest frames
    held = np.flatnonzero(is_ethernet & (frames.size == length) & (says >= 0))
    held = held[(says[held] + _FCS <= length[held]) & (length[held] > 60)]
    tried = frames.take(held[:: max(1, len(held) // _SAMPLE)]).tolist()
    if tried and all(map(_ends_in_check_sequence, tried)):
        length = np.where(is_ethernet & (frames.size == length), length - _FCS, length)
        frames = Frames(frames.data, frames.start, np.minimum(frames.size, length))
    return frames, length


def _ends_in_check_sequence(frame: bytes) -> bool:
    """IEEE 802.3, section 3.2.9."""
    return zlib.crc32(frame[:-_FCS]) == int.from_bytes(frame[-_FCS:], "little")


def _ethernet(frames: Frames) -> Inside:
    return Inside.ethernet(len(frames))


def _cooked(frames: Frames) -> Inside:
    """LINKTYPE_LINUX_SLL."""
    says, device, width = (frames.number(at, 2) for at in (0, 2, 4))
    return _cooked_from(frames, 14, 16, (says, device, width), 6)


def _cooked2(frames: Frames) -> Inside:
    """LINKTYPE_LINUX_SLL2."""
    says = frames.number(10, 1), frames.number(8, 2), frames.number(11, 1)
    return _cooked_from(frames, 0, 20, says, 12)


def _cooked_from(
    frames: Frames, at: int, header: int, says: tuple[Integers, Integers, Integers], mac: int
) -> Inside:
    """What follows a header, by where it goes, the type of the device and the address's bytes."""
    goes, device, width = says
    protocol = np.where(frames.size >= header, _known(frames, at), -1)
    # other numbers that are no EtherTypes stand for protocols that are not read
    is_llc = protocol == _COOKED_LLC
    protocol[((protocol <= _LONGEST_LLC) & ~is_llc) | (device == _NETLINK)] = -1
    inside = Inside.at(protocol, np.full(len(frames), header))
    source = frames.number(mac, 6)
    inside.source[:] = np.where((width == 6) & (source > 0), source, -1)
    inside.destination[goes == _TO_ALL] = _EVERYBODY
    inside.is_sent[:] = goes == _SENT
    # Ethernet has the length of LLC there
    size = np.clip(frames.size - header, 0, _LONGEST_LLC)
    inside.ethertype[is_llc] = size[is_llc]
    return inside


def _raw(frames: Frames) -> Inside:
    """LINKTYPE_RAW: IP of the version that its header says."""
    version = frames.number(0, 1) >> 4
    return _ip(np.select([version == 4, version == 6], [IP4, IP6], -1), 0)


def _raw4(frames: Frames) -> Inside:
    return _ip(np.full(len(frames), IP4), 0)


def _raw6(frames: Frames) -> Inside:
    return _ip(np.full(len(frames), IP6), 0)


def _null(frames: Frames) -> Inside:
    """LINKTYPE_NULL: the address family in the order of bytes of whoever captured."""
    family = frames.number(0, 4)
    turned = family.astype(">u4").view("<u4").astype(np.int64)
    return _family(np.where(family < 2**16, family, turned))


def _loop(frames: Frames) -> Inside:
    """LINKTYPE_LOOP: the address family in the order of the network."""
    return _family(frames.number(0, 4))


def _family(family: Integers) -> Inside:
    six = np.isin(family, _AF_INET6)
    return _ip(np.where(six, IP6, np.where(family == _AF_INET, IP4, -1)), 4)


def _ip(ethertype: Integers, at: int) -> Inside:
    """Nothing but what is carried, at one offset."""
    return Inside.at(ethertype, np.full(len(ethertype), at))


def _ppp(frames: Frames) -> Inside:
    """LINKTYPE_PPP and LINKTYPE_PPP_HDLC."""
    ethertype, begin = ppp_inside(frames, np.zeros(len(frames), np.int64))
    return Inside.at(ethertype, begin)


def _ppp_with_direction(frames: Frames) -> Inside:
    """LINKTYPE_PPP_PPPD and LINKTYPE_PPP_WITH_DIR: a byte says which way."""
    is_sent = frames.number(0, 1) == 1
    # pppd puts it in place of the address, whose control follows
    at = np.where(frames.number(1, 1) == 3, 2, 1)
    inside = Inside.at(*ppp_inside(frames, at))
    inside.is_sent[:] = is_sent
    return inside


def _ppp_over_ethernet(frames: Frames) -> Inside:
    """LINKTYPE_PPP_ETHER: PPPoE's header, without Ethernet's."""
    return Inside.at(*ppp_inside(frames, np.full(len(frames), 6)))


def _hdlc(frames: Frames) -> Inside:
    """LINKTYPE_C_HDLC: two bytes and an EtherType."""
    ethertype = _known(frames, 2)
    return Inside.at(np.where(ethertype > _LONGEST_LLC, ethertype, -1), np.full(len(frames), 4))


def _mpls(frames: Frames) -> Inside:
    return _ip(np.full(len(frames), MPLS), 0)


def _pktap(frames: Frames) -> Inside:
    """LINKTYPE_PKTAP: Apple's header, which says how long it is and of which link the rest is."""
    size, link = (frames.number(at, 4).astype(">u4").view("<u4").astype(np.int64) for at in (0, 8))
    inside = _nothing(len(frames))
    good = (size >= _PKTAP) & (size <= frames.size)
    for kind in np.unique(link[good]).tolist():
        if kind in LINKS and LINKS[kind][1] is not _pktap:
            index = np.flatnonzero(good & (link == kind))
            some, at = frames.take(index), size[index]
            rest = Frames(some.data, some.start + at, some.size - at)
            found = LINKS[kind][1](rest)
            found.begin[:] += at
            inside.put(index, found)
    return inside


def _known(frames: Frames, at: int) -> Integers:
    """Numbers (P) of two bytes; -1 where a frame ends before."""
    return np.where(at + 2 <= frames.size, frames.number(at, 2), -1)


def _nothing(packets: int) -> Inside:
    return Inside.at(np.full(packets, -1), np.zeros(packets, np.int64))


LINKS: Final[dict[int, tuple[str, Callable[[Frames], Inside]]]] = {
    0: ("loopback", _null),
    1: ("Ethernet", _ethernet),
    9: ("PPP", _ppp),
    12: ("raw IP", _raw),
    14: ("raw IP", _raw),
    50: ("PPP", _ppp),
    51: ("PPP", _ppp_over_ethernet),
    101: ("raw IP", _raw),
    104: ("HDLC", _hdlc),
    108: ("loopback", _loop),
    113: ("Linux cooked", _cooked),
    149: ("pktap", _pktap),
    166: ("PPP", _ppp_with_direction),
    204: ("PPP", _ppp_with_direction),
    219: ("MPLS", _mpls),
    228: ("raw IP", _raw4),
    229: ("raw IP", _raw6),
    258: ("pktap", _pktap),
    276: ("Linux cooked", _cooked2),
}
"""Link types that are read: their names, and what finds what they carry."""
