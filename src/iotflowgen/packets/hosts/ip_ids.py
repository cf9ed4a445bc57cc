"""IPv4 identification, as a codec (RFC 791, section 3.2; RFC 6864).

Hosts count all packets, those to each host, or those of each connection; some draw random numbers,
some always send 0. The codec is not told which: for each kind of packets it finds the scope in
which numbers are most regular, and keeps the steps between them. A random number is a step as well.

Shapes: P captured packets; E packets of a block; I those of IPv4 that are identified; K kinds.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.hosts.addresses import ip_address
from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise, mixed
from iotflowgen.recording import Groups, Packets, Recording
from iotflowgen.wire import FIN, dst_port, src_port, tcp_flags
from iotflowgen.wire.arrays import Integers
from iotflowgen.wire.layers import ip_id

__all__ = ["IpIds"]

_NOT, _HOST, _PAIR, _FLOW = range(4)
"""Scopes that have a count: none, a host, a host and whom it sends to, a direction of a flow."""
_BITS = 16
_PORTS = 2**16
_SMALL = 16
"""A step of a count, packets that were not captured included."""
_NEAR = 4096
"""What counts as a number close to another."""


class IpIds:
    """Identifications, each by its step from the one before in its scope.

    A scope begins with the number that its first packet had when captured, or as much later as
    those of other captures do, where these begin with much the same number or go on where the
    last one ended; with any other number where not.
    """

    name: ClassVar[str] = "ip_ids"

    def __init__(self, recording: Recording) -> None:
        """Take the references of all packets (P)."""
        told = recording.of(self.name)
        self._scope, self._step = told["scope"], told["step"]
        self._begin, self._spread = told["begin"], told["spread"].astype(np.int64)

    @staticmethod
    def encode(packets: Packets) -> dict[str, NDArray[Any]]:
        """`scope`, `step` from the number before, `begin`, the number, and its `spread` (P)."""
        number_P = ip_id(packets.frames, packets.layers)
        which = np.flatnonzero(number_P)
        some, number = packets.take(which), number_P[which]
        kind = _kind(some, number)
        scope = _most_regular(some, number, kind)
        key = _key(some, scope)
        groups = Groups(key)
        step = _signed(number - groups.previous(number, 0))
        again = ~groups.is_first
        step[~again] = _median(kind[again], step[again], int(kind.max(initial=-1)) + 1)[
            kind[~again]
        ]
        columns: dict[str, NDArray[Any]] = {
            "scope": np.full(len(packets), _NOT, np.int8),
            "step": np.zeros(len(packets), np.int32),
            "begin": number_P.astype(np.int32),
            "spread": np.zeros(len(packets), np.int32),
        }
        columns["scope"][which], columns["step"][which] = scope, step
        columns["spread"][which] = _spread(some, number, kind, scope)
        packets.frames.put(packets.layers.network + 4, 2, 0, packets.layers.is_ip4)
        return columns

    def decode(self, packets: Packets, memory: Memory, noise: Noise) -> None:
        """Write the numbers of new packets."""
        news = packets.news
        scope = self._scope[news.source]
        is_counted = (scope != _NOT) & news.layers.is_ip4
        some = news.take(is_counted)
        key = _key(some, scope[is_counted])
        groups = Groups(key)
        value = self._step[some.source].astype(np.int64)
        firsts = np.flatnonzero(groups.is_first)
        before = memory.recall("ip id", key[firsts], np.full(len(firsts), -1))
        spread = self._spread[some.source[firsts]]
        captured = self._begin[some.source[firsts]]
        begins = captured + noise.below(spread + 1, "ip id", key[firsts])
        value[firsts] = np.where(before >= 0, before + value[firsts], begins)
        number = groups.sum(value) % 2**_BITS
        last = np.empty(len(firsts), dtype=np.int64)
        # of what is assigned twice, the last stays
        last[groups.number] = number
        memory.keep("ip id", key[firsts], last[groups.number[firsts]])
        some.frames.put(some.layers.network + 4, 2, number)


def _key(packets: Packets, scope: NDArray[Any]) -> Integers:
    """Numbers (I) for scopes, the same for the same one."""
    src, dst = (ip_address(packets, is_src) for is_src in (True, False))
    in_flow = (scope == _FLOW) & (packets.flow >= 0)
    first = np.where(in_flow, 2 * packets.flow + packets.outgoing, packets.session)
    second = np.where(in_flow, -1, src)
    third = np.where(scope == _PAIR, dst, -1)
    return mixed(first, second, third)


def _kind(packets: Packets, number: Integers) -> Integers:
    """Which packets (I) are counted alike, from 0 on.

    The device does so by protocol, and the many servers of a service do all the same. A service's
    port is the one of the two that more flows have. What an end of TCP sends after its FIN is of a
    kind of its own, unless it counts on in its flow: in TIME-WAIT Linux has no socket any more, and
    counts by host.
    """
    ports = np.stack([each(packets.frames, packets.layers) for each in (src_port, dst_port)])
    of_flow = ports[:, Groups(packets.flow).is_first & (packets.flow >= 0)]
    flows = np.bincount(of_flow.ravel(), minlength=_PORTS)[ports]
    least = np.where(flows == flows.max(axis=0), ports, _PORTS).min(axis=0)
    service = np.where(packets.outgoing, -1, least)
    fin = packets.layers.is_tcp & (tcp_flags(packets.frames, packets.layers) & FIN > 0)
    sent = Groups(mixed(packets.flow, packets.outgoing))
    counts_on = np.abs(_signed(number - sent.previous(number, 0))) <= _SMALL
    after = (sent.latest(fin) >= 0) & ~fin & ~counts_on
    said = (service << 10) + (after << 9) + packets.layers.protocol
    kind: Integers = np.unique(said, return_inverse=True)[1].astype(np.int64)
    return kind


def _signed(difference: Integers) -> Integers:
    """The shorter way around."""
    shorter: Integers = (difference + 2 ** (_BITS - 1)) % 2**_BITS - 2 ** (_BITS - 1)
    return shorter


def _most_regular(packets: Packets, number: Integers, kind: Integers) -> Integers:
    """The scope of packets (I) of each kind in which steps take the fewest bits to be told.

    A step is told in Elias' gamma code, or the number itself if that is shorter: so a jump costs as
    much as a beginning.
    """
    bits = []
    for scope in (_HOST, _PAIR, _FLOW):
        key = _key(packets, np.full(len(packets), scope))
        groups = Groups(mixed(kind, key))
        step = _signed(number - groups.previous(number, 0))
        cost = np.minimum(2 * np.log2(1 + np.abs(step)) + 1, _BITS)
        cost[groups.is_first] = _BITS
        bits.append(np.bincount(kind, cost))
    best: Integers = (_HOST + np.argmin(bits, axis=0))[kind]
    return best


def _median(kind: Integers, step: Integers, kinds: int) -> Integers:
    """The usual step of each kind (K); 1 of one that has none."""
    order = np.lexsort((step, kind))
    bounds = np.searchsorted(kind[order], np.arange(kinds + 1))
    middle = (bounds[:-1] + bounds[1:]) // 2
    usual = np.ones(kinds, dtype=np.int64)
    some = bounds[1:] > bounds[:-1]
    usual[some] = step[order[middle[some]]]
    return usual


def _spread(packets: Packets, number: Integers, kind: Integers, scope: Integers) -> Integers:
    """How far beyond where scopes of packets (I) began, by kind, others may begin.

    That is as far as they are from each other, if they mostly begin close to where the one before
    began or ended; that is the same host's, and if each that it sends to has a scope, of the same
    pair, in the capture before; of scopes of flows, any.
    """
    groups = Groups(mixed(kind, _key(packets, scope)))
    begins = np.flatnonzero(groups.is_first)
    last = np.empty(len(begins), dtype=np.int64)
    place = np.empty(len(begins), dtype=np.int64)
    place[groups.number[begins]] = np.arange(len(begins))
    # of what is assigned twice, the last stays
    last[place[groups.number]] = number
    scope, opens = scope[begins], packets.take(begins)
    src = np.where(scope == _FLOW, -1, ip_address(opens, is_src=True))
    dst = np.where(scope == _PAIR, ip_address(opens, is_src=False), -1)
    chains = Groups(mixed(kind[begins], src, dst))
    first = number[begins]
    near = np.abs(_signed(first - chains.previous(first, 0))) <= _NEAR
    near |= (first - chains.previous(last, 0)) % 2**_BITS <= _NEAR
    again = ~chains.is_first
    kinds = int(kind.max(initial=-1)) + 1
    share = np.bincount(kind[begins[again]], near[again] - 0.5, minlength=kinds)
    rising = np.lexsort((first, chains.number))
    gap, same = np.diff(first[rising]), np.diff(chains.number[rising]) == 0
    usual = _median(kind[begins[rising[1:][same]]], gap[same], kinds)
    spread: Integers = np.where(share > 0, usual, 2**_BITS - 1)[kind]
    return spread
