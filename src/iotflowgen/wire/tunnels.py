"""What is inside of tunnels: the packets that hosts sent, without what a network put around them.

RFC 2516 (PPPoE), 1661 (PPP), 3032 (MPLS), 4385 (its control word), 2003 and 4213 (IP in IP),
2784 and 2890 (GRE), 2637 (PPTP), 7348 (VXLAN), 8926 (Geneve), 3378 (EtherIP), 2661 (L2TP);
draft-foschiano-erspan; 3GPP TS 29.281 (GTP-U); TZSP, as MikroTik sends it.

Shapes: P packets. Offsets are in bytes from where a frame begins.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final, Self

import numpy as np

from iotflowgen.wire.arrays import Columns, Flags, Integers
from iotflowgen.wire.frames import Frames
from iotflowgen.wire.internet import find_datagrams
from iotflowgen.wire.layers import ARP, EAPOL, IP4, IP6, UDP, find_network

__all__ = [
    "BRIDGED",
    "MPLS",
    "TUNNELS",
    "Inside",
    "begin_of_network",
    "leave_tunnels",
    "ppp_inside",
]

BRIDGED: Final = 0x6558
"""The EtherType of Ethernet frames themselves (RFC 1701)."""
MPLS: Final = 0x8847
_MPLS: Final = (MPLS, 0x8848)
_PPP: Final = 0x880B
_DISCOVERY, _PPPOE = 0x8863, 0x8864
_ERSPAN, _ERSPAN3 = 0x88BE, 0x22EB
"""EtherTypes."""
_IP_IN_IP, _IP6_IN_IP, _GRE, _ETHERIP, _MPLS_IN_IP = 4, 41, 47, 97, 137
"""What IP carries."""
_TUNNELLING: Final = (_IP_IN_IP, _IP6_IN_IP, _GRE, _ETHERIP)
_PPP_TYPES: Final = {0x21: IP4, 0x57: IP6, 0x281: MPLS, 0x283: MPLS}
"""EtherTypes by numbers of PPP."""
_MOST: Final = 8
"""Tunnels in each other, or labels, or headers."""
_ADDRESS_AND_CONTROL: Final = 0xFF03
_BRIDGEABLE: Final = (IP4, ARP, IP6, 0x8100, 0x88A8, EAPOL, 0x88CC, _PPPOE, _DISCOVERY)
"""EtherTypes by which an Ethernet frame is known behind labels."""
_OWN: Final = -2


@dataclass(frozen=True, eq=False)
class Inside(Columns):
    """What frames (P) carry, so far as it is known."""

    ethertype: Integers
    """`BRIDGED` for an Ethernet frame; -1 for nothing that is read."""
    begin: Integers
    """Offset of it."""
    end: Integers
    """Where it ends on the wire, which may be beyond what was captured."""
    source: Integers
    """MAC address of who sent it, as a number; -1 where that is not known."""
    destination: Integers
    """MAC address of whom it was sent to, as `source`."""
    is_sent: Flags
    """It went from where it was captured to another host, if the link says so."""

    @classmethod
    def at(cls, ethertype: Integers, begin: Integers) -> Self:
        """Of these protocols at these offsets (P)."""
        end, source, destination = np.full((3, len(ethertype)), -1, np.int64)
        is_sent = np.zeros(len(ethertype), np.bool_)
        return cls(ethertype, begin, end, source, destination, is_sent)

    @classmethod
    def ethernet(cls, packets: int) -> Self:
        """Of Ethernet frames."""
        return cls.at(np.full(packets, BRIDGED), np.zeros(packets, np.int64))

    def put(self, index: Integers, others: "Inside") -> None:
        """Set those at these places, in place."""
        for field in fields(self):
            getattr(self, field.name)[index] = getattr(others, field.name)


def leave_tunnels(frames: Frames, inside: Inside) -> Integers:
    """Set what is inside of tunnels, in place, however many are in each other.

    What belongs to a tunnel itself, as PPPoE's discovery does, carries nothing then; nor do
    fragments of what a tunnel carries.

    Returns:
        (P) places in `TUNNELS`: of the outermost tunnel that a packet was in; -1 for none.
    """
    tunnel = np.full(len(frames), -1, np.int64)
    index = np.flatnonzero(inside.ethertype >= 0)
    for _ in range(_MOST):
        if not len(index):
            break
        index = _leave_one(frames, inside, tunnel, index)
    return tunnel


def _leave_one(frames: Frames, inside: Inside, tunnel: Integers, index: Integers) -> Integers:
    """Leave the outermost tunnel of the packets at these places; those that were in one."""
    some, known = frames.take(index), inside.take(index)
    at, ethertype = begin_of_network(some, known)
    carried = find_datagrams(some, known.end, ethertype, at)
    protocol = np.where(_is_fragment(some, ethertype, at), -1, carried.protocol)
    port = np.where(protocol == UDP, some.number(carried.start + 2, 2), -1)
    left = []
    for place, (says, numbers, find) in enumerate(_RULES.values()):
        column = {"ethertype": ethertype, "protocol": protocol, "port": port}[says]
        which = np.flatnonzero(np.isin(column, numbers))
        if not len(which):
            continue
        begin, end = at, known.end
        if says != "ethertype":
            begin, end = carried.start + 8 * (says == "port"), carried.end
        few, end = some.take(which), end[which]
        found, begin = find(few, begin[which], end)
        end = np.where(found == _OWN, end, _end_of_ip(few, found, begin, end))
        good = end >= 0
        which, packets = which[good], index[which[good]]
        _set_macs(some.take(which), inside, packets)
        inside.ethertype[packets] = np.where(found[good] == _OWN, -1, found[good])
        inside.begin[packets], inside.end[packets] = begin[good], end[good]
        tunnel[packets] = np.where(tunnel[packets] < 0, place, tunnel[packets])
        left.append(packets[found[good] != _OWN])
    torn = _is_fragment(some, ethertype, at) & np.isin(some.number(at + 9, 1), _TUNNELLING)
    inside.ethertype[index[torn]] = -1
    return np.concatenate([np.empty(0, np.int64), *left])


def begin_of_network(frames: Frames, inside: Inside) -> tuple[Integers, Integers]:
    """Where what frames (P) carry begins, behind an Ethernet header if there is one; its type."""
    bridged = np.flatnonzero(inside.ethertype == BRIDGED)
    begin, ethertype = inside.begin.copy(), inside.ethertype.copy()
    if len(bridged):
        first = begin[bridged]
        some = Frames(
            frames.data,
            frames.start[bridged] + first,
            np.maximum(frames.size[bridged] - first, 0),
        )
        ethertype[bridged], at = find_network(some)
        begin[bridged] += at
    return begin, ethertype


def _set_macs(frames: Frames, inside: Inside, packets: Integers) -> None:
    """Keep the addresses of the Ethernet headers of these packets, before what is inside is set."""
    bridged = inside.ethertype[packets] == BRIDGED
    some, which = frames.take(bridged), packets[bridged]
    for column, at in ((inside.source, 6), (inside.destination, 0)):
        column[which] = some.number(inside.begin[which] + at, 6)


def _is_fragment(frames: Frames, ethertype: Integers, at: Integers) -> Flags:
    found: Flags = (ethertype == IP4) & (frames.number(at + 6, 2) & 0x3FFF > 0)
    return found


def _end_of_ip(frames: Frames, ethertype: Integers, begin: Integers, end: Integers) -> Integers:
    """Where what is inside ends (P): by IP's header, if it is IP; -1 where that cannot be."""
    says = np.full(len(frames), -1, np.int64)
    others = (ethertype == BRIDGED) & (begin + 14 <= end) | np.isin(ethertype, _MPLS)
    says[others] = end[others]
    for kind, version, least, total in (
        (IP4, 4, 20, frames.number(begin + 2, 2)),
        (IP6, 6, 40, 40 + frames.number(begin + 4, 2)),
    ):
        good = (ethertype == kind) & (frames.number(begin, 1) >> 4 == version)
        good &= (total >= least) & (begin + total <= end)
        says[good] = (begin + total)[good]
    return says


_Found = tuple[Integers, Integers]
"""EtherTypes (P) of what is inside, -1 where it is no tunnel, `_OWN` where it is of the tunnel
itself; and where it begins (P)."""


def ppp_inside(frames: Frames, at: Integers) -> _Found:
    """What a frame of PPP carries that begins at an offset (P): by its protocol."""
    # address and control may be left out, and so may the first byte of the protocol
    at = at + 2 * (frames.number(at, 2) == _ADDRESS_AND_CONTROL)
    short = frames.number(at, 1) & 1
    protocol = np.where(short, frames.number(at, 1), frames.number(at, 2))
    ethertype = np.full(len(frames), -1, np.int64)
    for number, kind in _PPP_TYPES.items():
        ethertype[protocol == number] = kind
    return ethertype, at + 2 - short


def _own_if_other(found: _Found) -> _Found:
    ethertype, begin = found
    return np.where(ethertype < 0, _OWN, ethertype), begin


def _discovery(frames: Frames, at: Integers, _: Integers) -> _Found:
    return np.full(len(frames), _OWN), at


def _pppoe(frames: Frames, at: Integers, _: Integers) -> _Found:
    return _own_if_other(ppp_inside(frames, at + 6))


def _labelled(frames: Frames, at: Integers, _: Integers) -> _Found:
    """MPLS: IP by its version, or Ethernet, with a control word before it or without."""
    at = at.copy()
    for _label in range(_MOST):
        more = frames.number(at, 4) >> 8 & 1 == 0
        at += 4 * more
    at += 4
    version = frames.number(at, 1) >> 4
    begins, worded = (np.isin(frames.number(at + 12 + n, 2), _BRIDGEABLE) for n in (0, 4))
    ethertype = np.select([version == 4, version == 6, worded | begins], [IP4, IP6, BRIDGED], -1)
    return ethertype, at + 4 * ((ethertype == BRIDGED) & worded)


def _ip(frames: Frames, at: Integers, _: Integers) -> _Found:
    version = frames.number(at, 1) >> 4
    return np.select([version == 4, version == 6], [IP4, IP6], -1), at


def _gre(frames: Frames, at: Integers, _: Integers) -> _Found:
    flags, kind = frames.number(at, 2), frames.number(at + 2, 2)
    bits = (((flags >> place) & 1) for place in (15, 14, 13, 12, 7))
    checksum, routing, key, sequence, acknowledgment = bits
    begin = at + 4 + 4 * (checksum + key + sequence)
    ethertype = np.where(np.isin(kind, (IP4, IP6, BRIDGED, *_MPLS)), kind, -1)
    mirrored = np.isin(kind, (_ERSPAN, _ERSPAN3))
    last = kind == _ERSPAN3
    more = 12 + 8 * (frames.number(begin + 11, 1) & 1)
    begin += np.where(last, more, 8 * ((kind == _ERSPAN) & (sequence == 1)))
    ethertype[mirrored] = BRIDGED
    # PPTP's has a version of its own
    pointed = np.flatnonzero((kind == _PPP) & (flags & 7 == 1))
    if len(pointed):
        begin[pointed] += 4 * acknowledgment[pointed]
        found = _own_if_other(ppp_inside(frames.take(pointed), begin[pointed]))
        ethertype[pointed], begin[pointed] = found
    bad = (routing == 1) | ((flags & 7 > 0) & (kind != _PPP))
    return np.where(bad, -1, ethertype), begin


def _ether_ip(frames: Frames, at: Integers, _: Integers) -> _Found:
    return np.where(frames.number(at, 2) == 0x3000, BRIDGED, -1), at + 2


def _vxlan(frames: Frames, at: Integers, end: Integers) -> _Found:
    good = (frames.number(at, 1) & 8 > 0) & (frames.number(at + 7, 1) == 0) & (at + 22 <= end)
    return np.where(good, BRIDGED, -1), at + 8


def _geneve(frames: Frames, at: Integers, _: Integers) -> _Found:
    first, kind = frames.number(at, 1), frames.number(at + 2, 2)
    good = (first >> 6 == 0) & np.isin(kind, (IP4, IP6, BRIDGED))
    return np.where(good, kind, -1), at + 8 + 4 * (first & 0x3F)


def _gtp(frames: Frames, at: Integers, end: Integers) -> _Found:
    """GTP-U: messages other than packets are of the tunnel itself."""
    flags, kind = frames.number(at, 1), frames.number(at + 1, 1)
    good = (flags >> 4 == 3) & (at + 8 + frames.number(at + 2, 2) == end)
    begin = at + np.where(flags & 7, 12, 8)
    more = np.where(flags & 4, frames.number(at + 11, 1), 0)
    for _extension in range(_MOST):
        size = np.where(more, 4 * frames.number(begin, 1), 0)
        more = np.where(size, frames.number(begin + size - 1, 1), 0)
        begin = begin + size
    ethertype, _ = _ip(frames, begin, end)
    return np.where(good, np.where(kind == 255, ethertype, _OWN), -1), begin


def _tzsp(frames: Frames, at: Integers, _: Integers) -> _Found:
    good = (frames.number(at, 1) == 1) & (frames.number(at + 2, 2) == 1)
    begin, goes_on = at + 4, good.copy()
    while goes_on.any():
        tag = frames.number(begin, 1)
        size = np.where(tag > 1, 2 + frames.number(begin + 1, 1), 1)
        begin = begin + np.where(goes_on, size, 0)
        goes_on &= (tag != 1) & (begin < frames.size)
    return np.where(good & (begin < frames.size), BRIDGED, -1), begin


def _l2tp(frames: Frames, at: Integers, _: Integers) -> _Found:
    flags = frames.number(at, 2)
    counted, sequence, offset = ((flags >> place & 1) for place in (14, 11, 9))
    begin = at + 6 + 2 * counted + 4 * sequence
    begin = begin + offset * (2 + frames.number(begin, 2))
    ethertype, begin = _own_if_other(ppp_inside(frames, begin))
    ethertype = np.where(flags >> 15 == 1, _OWN, ethertype)
    return np.where(flags & 15 == 2, ethertype, -1), begin


_RULES: Final[dict[str, tuple[str, tuple[int, ...], Callable[..., _Found]]]] = {
    "PPPoE": ("ethertype", (_PPPOE,), _pppoe),
    "PPPoE discovery": ("ethertype", (_DISCOVERY,), _discovery),
    "MPLS": ("ethertype", _MPLS, _labelled),
    "IP in IP": ("protocol", (_IP_IN_IP, _IP6_IN_IP), _ip),
    "GRE": ("protocol", (_GRE,), _gre),
    "EtherIP": ("protocol", (_ETHERIP,), _ether_ip),
    "MPLS in IP": ("protocol", (_MPLS_IN_IP,), _labelled),
    "VXLAN": ("port", (4789, 8472), _vxlan),
    "Geneve": ("port", (6081,), _geneve),
    "GTP": ("port", (2152,), _gtp),
    "TZSP": ("port", (37008,), _tzsp),
    "L2TP": ("port", (1701,), _l2tp),
}
"""By a tunnel's name what says that there is one, an EtherType, what IP carries or the port that
UDP is sent to; its numbers; and what finds what is inside, of frames and the offsets where the
tunnel's header begins and where it ends."""
TUNNELS: Final = (*_RULES,)
"""Names of tunnels."""
