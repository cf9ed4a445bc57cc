"""How a device answers who asks it, learnt from its captures: headers and delays.

Shapes: P captured packets.
"""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from iotflowgen.live.answering import mdns, names, ssdp
from iotflowgen.live.answering.discovery import Sayings
from iotflowgen.packets.hosts.addresses import ip_address
from iotflowgen.recording import Packets, Recording
from iotflowgen.wire import ACK, RST, SYN, dst_port, find_options, src_port, tcp_flags, tcp_window
from iotflowgen.wire.arrays import Flags, Integers
from iotflowgen.wire.layers import ARP, CWR, ECE, ICMP, ICMP6, ttl

__all__ = ["Header", "OpenPort", "Reflexes", "Tcp", "learn_reflexes"]

_EPHEMERAL: Final = 32_768
"""The first port that Linux gives to who asks for any; others begin at 49,152 (RFC 6056)."""
_SOON_NS: Final = 10**9
"""An answer comes before."""
_MOST_DELAYS: Final = 64
_USUAL_DELAYS: Final = (300_000, 700_000, 1_500_000)
"""Where a device was never seen to answer, nanoseconds."""
_MDNS_DELAYS: Final = tuple(range(20_000_000, 120_000_001, 5_000_000))
"""Of mDNS, where nothing is known (RFC 6762, section 6)."""
_SSDP_DELAYS: Final = tuple(range(0, 1_000_000_001, 20_000_000))
"""Of SSDP, where nothing is known: any time within a second."""
_LINUX_QUOTE, _LEAST_QUOTE = 548, 28
"""Bytes of a packet that an error repeats: as many as fit 576 bytes (RFC 1812, section 4.3.2.3),
or those that it has to (RFC 792)."""
_NOT_COUNTED, _OF_HOST = 0, 1
"""Scopes of IP IDs, as `packets.hosts.ip_ids` has them."""
_CONFIRMS_AFTER: Final = tuple(range(5_000_000_000, 5_256_000_000, 16_000_000))
"""Of Linux (delay_first_probe_time), whose timers of some seconds are late by up to 64 ticks."""
_REGULAR: Final = 256
"""A step of IP IDs that are counted."""


class _Learnt(BaseModel):
    model_config = ConfigDict(frozen=True)


class Header(_Learnt):
    """Headers of answers of one kind."""

    ttl: int = 64
    """Time to live."""
    keeps_whole: bool = True
    """Asks routers not to fragment (IPv4's DF)."""
    ids: Literal["zero", "host", "pair", "random", "asked"] = "zero"
    """IP IDs: counted over all packets, or over those of a protocol to one host; or that of the
    packet which is answered, with its DF."""


class OpenPort(_Learnt):
    """What a device says first to who connects."""

    window: int
    """As it is said, without scale."""
    options: str
    """Of TCP, as they stand in SYN, ACK: hexadecimal."""


class Tcp(_Learnt):
    """How a device's TCP differs from others'."""

    stamps_rate: float = 1000.0
    """Ticks a second of its clock of timestamps (RFC 7323)."""
    stamps: Literal["one", "host", "connection"] = "host"
    """Whether that is one for all, as Linux had it, another for each host (since 4.10), or another
    for each connection (since 6.18 at the latest)."""
    ecn: bool = True
    """Whether it takes up congestion notification that is offered (RFC 3168)."""
    drops_syn_fin: bool = True
    """Whether a segment that opens and closes is none."""


class Reflexes(_Learnt):
    """How a device answers."""

    headers: dict[str, Header]
    """Of answers that `accept` and `reset` connections, of `echo` and `error` of ICMP, of what it
    says to all by `mdns`, and of any other `datagram`."""
    arp_size: int = 60
    """Bytes of a frame with ARP."""
    quote: int = _LINUX_QUOTE
    """Bytes of a packet that an error repeats."""
    errors_limited: bool = True
    """Whether errors are few, and of the class that routers prefer, as Linux's are."""
    tcp: Tcp = Tcp()
    tcp_ports: dict[int, OpenPort] = {}
    """Ports on which it was seen to accept connections."""
    udp_ports: tuple[int, ...] = ()
    """Ports from which it was seen to send, which are open therefore."""
    ssdp_port: bool = True
    """Whether it answers searches of SSDP from their port."""
    delays_ns: dict[str, tuple[int, ...]] = {}
    """How long it takes to answer `arp`, `icmp`, `icmp6`, `tcp`, `mdns`, `ssdp` and `names`, as
    often as that was seen; and to `confirm` that a neighbour is there, if it does so."""


def learn_reflexes(recording: Recording, sayings: Sayings) -> Reflexes:
    """Learn how a device answers from its captured packets.

    What captures do not show is as Linux has it if the device's TCP asks routers not to fragment
    and does not count IP IDs over all hosts, and as small stacks (lwIP) have it if not.
    """
    packets = recording.packets
    frames, layers, out = packets.frames, packets.layers, packets.outgoing
    flags = tcp_flags(frames, layers)
    accepts = out & layers.is_ip4 & (flags & (SYN | ACK | RST) == SYN | ACK)
    sends = out & layers.is_udp & (src_port(frames, layers) < _EPHEMERAL)
    searched = out & layers.is_udp & (frames.number(layers.payload, 5) == int.from_bytes(b"HTTP/"))
    of_tcp = out & layers.is_ip4 & layers.is_tcp
    is_linux = bool(_usual(_whole(packets)[of_tcp], 1)) and _ids(recording, of_tcp) != "host"
    return Reflexes(
        headers=_headers(recording, flags, is_linux=is_linux),
        arp_size=_usual(frames.size[out & (layers.ethertype == ARP)], 60),
        quote=_quote(packets, is_linux=is_linux),
        errors_limited=is_linux,
        tcp=_tcp(recording, flags, is_linux=is_linux),
        tcp_ports=_open_ports(packets, np.flatnonzero(accepts)),
        udp_ports=tuple(np.unique(src_port(frames, layers)[sends]).tolist()),
        ssdp_port=bool(_usual(src_port(frames, layers)[searched] == ssdp.PORT, 1)),
        delays_ns={
            **_delays(packets, flags),
            **_discovery_delays(sayings),
            **({"confirm": _CONFIRMS_AFTER} if is_linux or _confirms(packets) else {}),
        },
    )


def _usual(values: Integers | Flags, otherwise: int) -> int:
    """The most frequent one."""
    if not len(values):
        return otherwise
    seen, count = np.unique(values, return_counts=True)
    return int(seen[np.argmax(count)])


def _whole(packets: Packets) -> Integers:
    """Whether packets of IPv4 (P) have DF."""
    return packets.frames.number(packets.layers.network + 6, 1) >> 6 & 1


def _headers(recording: Recording, flags: Integers, *, is_linux: bool) -> dict[str, Header]:
    packets = recording.packets
    frames, layers = packets.frames, packets.layers
    own = packets.outgoing & layers.is_ip4
    is_one = frames.number(0, 1) & 1 == 0
    kind = np.where(layers.protocol == ICMP, frames.number(layers.transport, 1), -1)
    is_reset = own & (flags & RST != 0)
    # other resets are of connections that there were
    had = np.unique(packets.flow[own & layers.is_tcp & ~is_reset])
    shown = {
        "accept": own & (flags & (SYN | ACK | RST) == SYN | ACK),
        "reset": is_reset & ~np.isin(packets.flow, had),
        "echo": own & (kind == 0),
        "error": own & (kind == 3),
        "mdns": own & (frames.number(layers.network + 16, 4) == int.from_bytes(mdns.GROUP)),
        "datagram": own & layers.is_udp & is_one,
    }
    shown["mdns"] &= layers.is_udp
    hops = ttl(frames, layers)
    usual = _usual(hops[own & is_one & (layers.is_tcp | (kind >= 0))], 64)
    of_icmp = Header(ttl=usual, keeps_whole=False, ids="pair" if is_linux else "host")
    others = Header(ttl=usual, keeps_whole=is_linux, ids="zero" if is_linux else "host")
    unseen = {
        "echo": of_icmp if is_linux else of_icmp.model_copy(update={"ids": "asked"}),
        "error": of_icmp,
        "mdns": others.model_copy(update={"ttl": 255}),
    }
    whole = _whole(packets)
    found = {}
    for name, which in shown.items():
        header = unseen.get(name, others)
        if which.any():
            header = Header(
                ttl=_usual(hops[which], usual),
                keeps_whole=bool(_usual(whole[which], 1)),
                ids=_ids(recording, which) or header.ids,
            )
        found[name] = header
    return found


def _ids(recording: Recording, which: Flags) -> Literal["zero", "host", "pair", "random"] | None:
    """How some packets (P) are counted; None where that was not learnt."""
    told = recording.of("ip_ids")
    if "scope" not in told:
        return None
    scope, step = told["scope"][which], np.abs(told["step"][which])
    usual = _usual(scope, 0)
    if usual == _NOT_COUNTED:
        return "zero"
    if np.median(step[scope == usual]) > _REGULAR:
        return "random"
    return "host" if usual == _OF_HOST else "pair"


def _quote(packets: Packets, *, is_linux: bool) -> int:
    """Bytes that an error repeats: as many as were repeated at most, if some were left out."""
    frames, layers = packets.frames, packets.layers
    is_error = layers.is_ip4 & (layers.protocol == ICMP) & packets.outgoing
    is_error &= frames.number(layers.transport, 1) == 3
    quoted = (layers.end - layers.transport - 8)[is_error]
    whole = frames.number(layers.transport + 10, 2)[is_error]
    cut = quoted[quoted < whole]
    return int(cut.max()) if len(cut) else _LINUX_QUOTE if is_linux else _LEAST_QUOTE


def _tcp(recording: Recording, flags: Integers, *, is_linux: bool) -> Tcp:
    both = ECE | CWR
    packets = recording.packets
    offered = ~packets.outgoing & (flags & (SYN | ACK | both) == SYN | both)
    taken = packets.outgoing & (flags & (SYN | ACK) == SYN | ACK) & (flags & ECE != 0)
    rate, stamps = _stamps(recording, flags)
    return Tcp(
        stamps_rate=rate,
        stamps=stamps,
        ecn=bool(taken.any()) if offered.any() else is_linux,
        drops_syn_fin=is_linux,
    )


def _stamps(
    recording: Recording, flags: Integers
) -> tuple[float, Literal["one", "host", "connection"]]:
    """Ticks a second of the device's clock of timestamps, and whose clock that is.

    Connections of one clock have begun to count at the same time.
    """
    told, packets = recording.of("timestamps"), recording.packets
    stamped = find_options(packets.frames, packets.layers).timestamps > 0
    which = np.flatnonzero(packets.outgoing & (flags & SYN != 0) & packets.layers.is_ip4 & stamped)
    if "clock" not in told or not len(which):
        return 1000.0, "host"
    clock = told["clock"][which, 0]
    rate = float(np.median(told["clocks.rate"][clock]))
    passed = told["clocks.time_ns"][clock] * (rate / 1e9)
    began = np.round((told["clocks.value"][clock] - passed) % 2**32 / rate).astype(np.int64)
    capture, peer = packets.session[which], ip_address(packets, is_src=False)[which]

    def differ(*of: Integers) -> bool:
        """Whether most further connections of the same ones have another clock."""
        same = len(np.unique(np.stack(of, axis=1), axis=0))
        clocks = len(np.unique(np.stack([*of, began], axis=1), axis=0))
        return 2 * (clocks - same) > len(which) - same

    if not differ(capture):
        return rate, "one"
    return rate, "connection" if differ(capture, peer) else "host"


def _open_ports(packets: Packets, accepts: Integers) -> dict[int, OpenPort]:
    """By port: the answer to who offers most."""
    frames, layers = packets.frames, packets.layers
    port, window = src_port(frames, layers), tcp_window(frames, layers)
    found: dict[int, OpenPort] = {}
    for i in accepts.tolist():
        options = frames[i][int(layers.transport[i]) + 20 : int(layers.payload[i])].hex()
        known = found.get(int(port[i]))
        if known is None or len(options) >= len(known.options):
            found[int(port[i])] = OpenPort(window=int(window[i]), options=options)
    return found


def _delays(packets: Packets, flags: Integers) -> dict[str, tuple[int, ...]]:
    """Between what asks and what answers, by kind, nanoseconds in rising order."""
    frames, layers, out = packets.frames, packets.layers, packets.outgoing
    kind = frames.number(layers.transport, 1)
    operation = frames.number(layers.network + 6, 2)
    is_arp, is_icmp = layers.ethertype == ARP, layers.protocol == ICMP
    is_icmp6 = layers.protocol == ICMP6
    peer = np.where(out, dst_port(frames, layers), src_port(frames, layers))
    nobody = np.zeros(len(packets), np.int64)
    pairs = {
        "arp": (is_arp & (operation == 1), is_arp & (operation == 2), nobody),
        "icmp": (is_icmp & (kind == 8), is_icmp & (kind == 0), nobody),
        "icmp6": (
            is_icmp6 & ((kind == 128) | (kind == 135)),
            is_icmp6 & ((kind == 129) | (kind == 136)),
            nobody,
        ),
        "tcp": (flags == SYN, (flags & SYN | flags & RST) != 0, peer),
    }
    found = {
        name: _between(packets, asks & ~out, answers & out, whom)
        for name, (asks, answers, whom) in pairs.items()
    }
    seen = sorted(delay for each in found.values() for delay in each) or [*_USUAL_DELAYS]
    return {name: _some(each or seen) for name, each in found.items()}


def _discovery_delays(sayings: Sayings) -> dict[str, tuple[int, ...]]:
    """The same, of questions by multicast."""
    seen = sayings.delays_ns
    of_names = sorted(seen.get(names.LLMNR, []) + seen.get(names.NETBIOS, []))
    return {
        "mdns": _some(seen.get(mdns.PORT) or _MDNS_DELAYS),
        "ssdp": _some(seen.get(ssdp.PORT) or _SSDP_DELAYS),
        "names": _some(of_names or _USUAL_DELAYS),
    }


def _confirms(packets: Packets) -> bool:
    """Whether it asks neighbours, each alone, whether they are there."""
    frames, layers = packets.frames, packets.layers
    asks = (layers.ethertype == ARP) & (frames.number(layers.network + 6, 2) == 1)
    return bool((packets.outgoing & asks & (frames.number(0, 1) & 1 == 0)).any())


def _some(delays: Sequence[int]) -> tuple[int, ...]:
    """Those that are as often in a few as in all."""
    place = np.linspace(0, len(delays) - 1, min(len(delays), _MOST_DELAYS)).round().astype(int)
    return tuple(delays[i] for i in place.tolist())


def _between(packets: Packets, asks: Flags, answers: Flags, whom: Integers) -> list[int]:
    """Nanoseconds from the last question of the same capture and peer to each answer, sorted."""
    asked: dict[tuple[int, int], int] = {}
    found = []
    for i in np.flatnonzero(asks | answers).tolist():
        key = int(packets.session[i]), int(whom[i])
        if asks[i]:
            asked[key] = int(packets.time_ns[i])
        elif key in asked:
            found.append(int(packets.time_ns[i]) - asked.pop(key))
    return sorted(delay for delay in found if 0 < delay < _SOON_NS)
