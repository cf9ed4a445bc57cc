"""The two ends of each flow, as a codec: Ethernet and IP addresses.

Packets of one flow may come from several captures, in which its ends had other addresses. They all
get those of its first packet. The peer is chosen by what happened before, so that a device contacts
the hosts that it has looked up, and stays with the peers that it has.

Shapes: P captured packets; E packets of a block; F flows of these; R records of answers of DNS.
"""

from copy import copy
from dataclasses import fields, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.hosts.addresses import address_at, ip_address
from iotflowgen.packets.hosts.answers import Answers, find_answers, latest
from iotflowgen.packets.hosts.leases import unify_addresses
from iotflowgen.packets.hosts.mentions import Mentions
from iotflowgen.packets.hosts.substitutes import SubstituteAddresses
from iotflowgen.packets.identity import Disguise
from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise, mixed
from iotflowgen.recording import Groups, Packets, Recording
from iotflowgen.wire import Frames, copy_ranges, dst_port
from iotflowgen.wire.arrays import Flags, Integers
from iotflowgen.wire.internet import is_outside
from iotflowgen.wire.layers import ARP

__all__ = ["NONE", "PEER", "Endpoints"]

PEER = "flow.peer"
"""What is remembered of whom flows are with: a packet with the same other end, or -1 - r for the
record r of an answer of DNS."""
NONE = -(2**40)
"""With nobody yet."""


class Endpoints:
    """Addresses, one of each end of a flow.

    With whom a flow of a session is:

    - with the host whose address the last answer of DNS to a name held, by its rank there, if
      the address that was captured was known from an answer to that name;
    - or with the host of the flow before to the same service, if it was so when captured;
    - or with the host that was captured.

    In all sessions of a file but the first, peers of TCP have other addresses of their networks, as
    `SubstituteAddresses` has them, and answers of DNS and ARP say these, and texts.
    """

    name: ClassVar[str] = "endpoints"
    _disguise: Disguise
    _shown: Frames
    """Of `_heads`, as the file shows them."""

    def __init__(self, recording: Recording) -> None:
        """Take the references of all packets (P), and frames, which have the addresses."""
        told = recording.of(self.name)
        self._recording = recording
        self._captured = recording.packets
        self._ends = told["ends"].astype(np.int64)
        self._heads = np.unique(self._ends)
        """Packets that others have the addresses of, rising."""
        outgoing, to_group = recording.outgoing, ~_is_unicast(self._captured)
        # who has no address yet is answered at the one that it is given
        has_none = outgoing & recording.layers.is_ip4 & (ip_address(self._captured, True) == 0)
        own, other = (to_group & ~outgoing) | has_none, to_group & outgoing
        self._is_no_host = np.stack([own, other], axis=-1)
        self._stays, self._name, self._rank = told["stays"], told["asked"], told["rank"]
        self._answers = Answers(**{f.name: told[f"answer_{f.name}"] for f in fields(Answers)})

    def of_file(self, disguise: Disguise) -> Self:
        """The same, for the hosts that one file shows."""
        same = copy(self)
        same._disguise, same._shown = disguise, disguise.frames(self._heads)
        return same

    @staticmethod
    def encode(packets: Packets) -> dict[str, NDArray[Any]]:
        """What flows refer to.

        - `ends` (P, 2): which packet is the first with the same address at the device's end, and
          which one at the other end;
        - `asked`, `rank` (P): the name that the other end was known by, -1 for none, and which of
          the addresses in that answer it had;
        - `stays` (P): whether the flow is with the host of the flow before to the same service;
        - `answer_` and the fields of `Answers` (R).

        The device has one address in all captures, and so has its gateway.
        """
        unify_addresses(packets)
        outgoing = packets.outgoing
        ends = [_alike(*_end(packets, is_src)) for is_src in (outgoing, ~outgoing)]
        answers = find_answers(packets)
        groups = Groups(packets.flow)
        first = groups.latest(groups.is_first)
        begins = np.flatnonzero(groups.is_first & (packets.flow >= 0))
        asked, rank = _known_by(packets, begins, answers)
        stays = np.zeros(len(packets), dtype=bool)
        flows = begins[_is_unicast(packets.take(begins))]
        services = Groups(_service(packets.take(flows)))
        stays[flows] = services.previous(ends[1][flows], -1) == ends[1][flows]
        columns = {f"answer_{f.name}": getattr(answers, f.name) for f in fields(Answers)}
        return columns | {
            "ends": np.stack(ends, axis=-1).astype(np.int32),
            "asked": asked[first],
            "rank": rank[first],
            "stays": stays[first],
        }

    def decode(self, packets: Packets, memory: Memory, noise: Noise) -> None:
        """Write the addresses of new packets, and addresses in answers."""
        news = packets.news
        self._set_ends(news.take(news.flow >= 0), memory)
        self._move(news, noise)

    def _set_ends(self, packets: Packets, memory: Memory) -> None:
        """Give packets (E) of flows the ends that these have."""
        groups = Groups(packets.flow)
        firsts = np.flatnonzero(groups.is_first)
        flows = packets.take(firsts)
        head = memory.recall("flow.head", flows.flow, flows.source)
        peer = memory.recall(PEER, flows.flow, np.full(len(flows), NONE))
        begins = peer == NONE
        peer[begins] = self._choose(packets, flows.take(begins), memory)
        memory.keep("flow.head", flows.flow, head)
        memory.keep(PEER, flows.flow, peer)
        which = np.empty(int(groups.number.max(initial=-1)) + 1, dtype=np.int64)
        which[groups.number[firsts]] = np.arange(len(firsts))
        head, peer = head[which][groups.number], peer[which][groups.number]
        own = self._ends[head, 0]
        met = np.where(peer >= 0, peer, self._ends[head, 1])
        there = self._ends[packets.source]
        # whoever answers what a group was asked does so from an address of its own
        is_host = ~(self._is_no_host[head] | self._is_no_host[packets.source])
        self._put_end(packets, own, (own != there[:, 0]) & is_host[:, 0], own_end=True)
        self._put_end(packets, met, (met != there[:, 1]) & is_host[:, 1], own_end=False)
        told = np.flatnonzero((peer < 0) & packets.layers.is_ip4 & is_host[:, 1])
        at = address_at(packets, ~packets.outgoing)[told]
        if len(told):
            record = -1 - peer[told]
            packet, which = np.unique(self._answers.packet[record], return_inverse=True)
            answers = self._disguise.frames(packet).take(which)
            packets.frames.take(told).put(at, 4, answers.number(self._answers.at[record], 4))

    def _choose(self, packets: Packets, flows: Packets, memory: Memory) -> Integers:
        """With whom flows are (F): a packet that has the same peer, or -1 - r for a record r."""
        source = flows.source
        chosen: Integers = self._ends[source, 1]
        record = self._record(packets, flows, memory)
        chosen = np.where(record >= 0, -1 - record, chosen)
        some = np.flatnonzero(_is_unicast(flows))
        key = _service(flows.take(some))
        stays = self._stays[source[some]] & (record[some] < 0)
        services = Groups(key)
        before = memory.recall("service.peer", key, chosen[some])
        last = np.where(stays & services.is_first, before, chosen[some])
        chosen[some] = last[services.latest(~stays | services.is_first)]
        memory.keep("service.peer", key, chosen[some])
        return chosen

    def _record(self, packets: Packets, flows: Packets, memory: Memory) -> Integers:
        """The record in which the address of the peer of flows (F) was told; -1 without."""
        answers = self._answers
        first, count = answers.of(packets.source)
        told = np.flatnonzero(count > 0)
        key = (packets.session[told] << 32) + answers.name[first[told]]
        name = self._name[flows.source]
        sought = np.where(name >= 0, (flows.session << 32) + name, -1)
        last = latest(key, packets.number[told], sought, flows.number)
        before = memory.recall("answer", sought, np.full(len(flows), -1))
        memory.keep("answer", key, packets.source[told])
        answer = np.where(last >= 0, packets.source[told[last]] if len(told) else -1, before)
        first, count = answers.of(answer)
        rank = self._rank[flows.source] % np.maximum(count, 1)
        return np.where(count > 0, first + rank, -1)

    def _put_end(self, packets: Packets, like: Integers, where: Flags, *, own_end: bool) -> None:
        """Write the addresses that captured packets `like` (E) have at one end."""
        some = np.flatnonzero(where)
        packets, captured = packets.take(some), self._captured.take(like[some])
        shown = self._shown.take(np.searchsorted(self._heads, like[some]))
        is_src, was_src = packets.outgoing == own_end, captured.outgoing == own_end
        mac = shown.number(np.where(was_src, 6, 0), 6)
        packets.frames.put(np.where(is_src, 6, 0), 6, mac)
        is_ip6 = packets.layers.is_ip6 & captured.layers.is_ip6
        is_ip4 = packets.layers.is_ip4 & captured.layers.is_ip4
        copy_ranges(
            shown.data,
            shown.start + address_at(captured, was_src),
            packets.frames.data,
            packets.frames.start + address_at(packets, is_src),
            np.where(is_ip6, 16, np.where(is_ip4, 4, 0)),
        )

    def _move(self, packets: Packets, noise: Noise) -> None:
        """Give hosts other addresses in all sessions but the first."""
        later = packets.take(packets.session > 0)
        if not len(later):
            return
        address, mentions, substitutes = self._others
        layers = later.layers
        for at, where in (
            (address_at(later, ~later.outgoing), layers.is_ip4),
            (layers.network + 14, layers.ethertype == ARP),
            (layers.network + 24, layers.ethertype == ARP),
        ):
            some = np.flatnonzero(where)
            frames, place = later.frames.take(some), at[some]
            said = frames.number(place, 4)
            frames.put(place, 4, substitutes.of(said, later.session[some], noise))
        first, count = self._answers.of(later.source)
        which = np.repeat(np.arange(len(later)), count)
        record = np.repeat(first - np.cumsum(count) + count, count) + np.arange(len(which))
        frames, at = later.frames.take(which), self._answers.at[record]
        said = frames.number(at, 4)
        other = substitutes.of(said, later.session[which], noise)
        frames.put(at, 4, other, said == address[record])
        which, text = mentions.of(later.source)
        other = substitutes.of(mentions.address[text], later.session[which], noise)
        mentions.rename(later, which, text, other)

    @cached_property
    def _others(self) -> tuple[Integers, Mentions, SubstituteAddresses]:
        """Addresses that answers tell (R), texts that name hosts, and what stands in for these."""
        frames = self._disguise.frames(np.arange(len(self._recording)))
        shown = replace(self._recording, frames=frames)
        address = frames.take(self._answers.packet).number(self._answers.at, 4)
        hosts, taken = _movable(shown.packets, address)
        mentions = Mentions(shown, hosts)
        return address, mentions, SubstituteAddresses(hosts, taken, mentions.address)


def _movable(packets: Packets, told: Integers) -> tuple[Integers, Integers]:
    """Who may have other addresses, and all addresses of captured packets.

    That is whom DNS told of (R), and whom TCP is spoken with, on the Internet: a host of the home
    that had another address an hour later would be noticed.
    """
    some = packets.take(packets.layers.is_ip4)
    src, dst = (ip_address(some, is_src) for is_src in (True, False))
    peer = np.where(some.outgoing, dst, src)
    hosts = np.union1d(peer[some.layers.is_tcp & is_outside(peer)], told[is_outside(told)])
    return hosts, np.union1d(src, dst)


def _end(packets: Packets, is_src: Flags) -> tuple[Integers, Integers]:
    """The addresses of one end of packets (P): of Ethernet, and of IP."""
    return packets.frames.number(np.where(is_src, 6, 0), 6), ip_address(packets, is_src)


def _alike(*columns: Integers) -> Integers:
    """The first row (P) that says the same in all columns (P)."""
    groups = Groups(mixed(*columns))
    return groups.latest(groups.is_first)


def _is_unicast(packets: Packets) -> Flags:
    """Whether packets (P) are for one host (IEEE 802, the group bit)."""
    is_one: Flags = packets.frames.number(0, 1) & 1 == 0
    return is_one


def _service(packets: Packets) -> Integers:
    """What first packets of flows (F) begin to talk with: a number of the session's own."""
    port = dst_port(packets.frames, packets.layers)
    kind = 2 * packets.layers.protocol + packets.layers.is_ip6
    return (((packets.session << 16) + port) << 10) + 2 * kind + packets.outgoing


def _known_by(packets: Packets, flows: Integers, answers: Answers) -> tuple[Integers, Integers]:
    """The name by which the peer's address was known where flows (F) begin, and its rank (P)."""
    begins = packets.take(flows)
    peer = ip_address(begins, ~begins.outgoing)
    captured = packets.take(answers.packet)
    key = (captured.session << 32) + captured.frames.number(answers.at, 4)
    sought = np.where(begins.layers.is_ip4, (begins.session << 32) + peer, -1)
    record = latest(key, answers.packet, sought, flows)
    name, rank = np.full((2, len(packets)), -1)
    has = record >= 0
    name[flows[has]] = answers.name[record[has]]
    rank[flows[has]] = record[has] - answers.of(answers.packet[record[has]])[0]
    return name, rank
