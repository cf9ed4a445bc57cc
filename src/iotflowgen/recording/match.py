"""Captured packets for windows of which only the features were drawn.

Each packet of such a window takes the first of these that there is:

- the one that came next, in its captured flow, after the last one that was taken in this flow, if
  it is of the same kind: length, direction, protocols, service, and which side of it speaks;
- any one of the same kind at the same stage of a connection;
- any one of the same kind;
- one of the same kind but for its length, of the nearest length, if its payload can be as long as
  it would have to be;
- none.

Shapes: N windows, L packets each; P packets of the recording; K kinds of them; S services.
"""

from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iotflowgen.recording.recording import Recording
from iotflowgen.traffic import Windows, flow_by_ports, protocol_mask
from iotflowgen.wire import ACK, FIN, RST, SYN, dst_port, payload_size, src_port, tcp_flags

__all__ = ["LEVELS", "Matched", "find_services", "match"]

LEVELS: Final = ("successor", "sequel", "kind and stage", "kind", "nearest length", "none")
"""What a packet was given, best first, as in the head of this file."""

_OPENS, _ANSWERS, _TALKS, _CLOSES = range(4)
"""Stages of a TCP connection: SYN, SYN and ACK, all else, FIN or RST. What is no TCP talks."""
_STAGES = 4
_RIGID = protocol_mask(["dns", "mdns", "dhcp", "bootp", "ntp"])
"""Messages that nobody makes longer or shorter."""
_SERVERS = (53, 67, 123)
"""Ports of DNS, DHCP and NTP: whoever asks there is no service itself."""
_LENGTH_BITS = 20  # of a frame of at most 2^18 bytes
_LONGEST = 2**16 - 1  # bytes that IP can say a packet has
_MIX = 0x1E3779B97F4A7C15  # odd, its bits in disorder
_SEEN, _UNSEEN = -2, -1  # a flow of which no packet has a captured one, and one without packets

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Matched(NamedTuple):
    """Windows that name captured packets, and how well these fit."""

    windows: Windows
    counts: dict[str, int]
    """Packets by level, of `LEVELS`; empty where windows had their packets already."""


def match(recording: Recording, windows: Windows, rng: np.random.Generator) -> Matched:
    """Give a captured packet to each packet of windows, and a flow by its ports.

    Windows that have their captured packets are left as they are.
    """
    if windows.source is not None:
        return Matched(windows, {})
    flow = flow_by_ports(windows)
    source, level = _Captured.of(recording).draw(windows, flow, rng)
    found = np.bincount(level.ravel(), minlength=len(LEVELS)).tolist()
    counts = {name: count for name, count in zip(LEVELS, found, strict=True) if count}
    return Matched(replace(windows, source=source, flow=flow), counts)


def find_services(src: Integers, dst: Integers) -> Integers:
    """Ports that have more different ones at the other end than those have, rising (S).

    Args:
        src: Source ports (P); 0 without.
        dst: Destination ports (P).
    """
    has = src > 0
    low, high = np.minimum(src, dst)[has], np.maximum(src, dst)[has]
    pair = np.unique((low << 16) | high)
    low, high = pair >> 16, pair & 0xFFFF
    degree = np.bincount(np.concatenate([low, high]), minlength=2**16)
    found = np.where(degree[low] > degree[high], low, high)[degree[low] != degree[high]]
    # a device may ask all of its servers from one port
    return np.union1d(found, [port for port in _SERVERS if degree[port]]).astype(np.int64)


@dataclass(frozen=True, eq=False)
class _Lists:
    """Packets in lists by number, one list after another."""

    members: Integers
    """And -1 after all of them."""
    first: Integers
    """Where each list begins, and the last one ends."""

    @classmethod
    def of(cls, packets: Integers, number: Integers, lists: int) -> "_Lists":
        """Put packets into lists, so many, each into that of its `number`."""
        order = np.argsort(number, kind="stable")
        first = np.searchsorted(number[order], np.arange(lists + 1))
        return cls(np.append(packets[order], -1), first)

    def has(self, number: Integers) -> Flags:
        """Whether there is anything in each list (N); nothing is where its number is negative."""
        at = np.maximum(number, -1)
        return np.where(at < 0, False, self.first[at] < self.first[at + 1])

    def draw(self, number: Integers, share: NDArray[np.float64], lists: int = 1) -> Integers:
        """Of each list (N), or of so many from there on, the packet at a share (N) of its length.

        -1 where the list is empty, or its number negative.
        """
        low = self.first[np.maximum(number, 0)]
        count = self.first[np.where(number < 0, 0, number + lists)] - low
        return self.members[np.where(count > 0, low + (share * count).astype(np.int64), -1)]


@dataclass(frozen=True, eq=False)
class _Kinds:
    """Packets by kind, or by the kinds of several in a row, and by stage."""

    codes: Integers
    """Of kinds, rising (K)."""
    lists: _Lists
    """By place in `codes`, and by stage."""

    @classmethod
    def of(cls, packets: Integers, code: Integers, stage: Integers) -> "_Kinds":
        """Sort packets by their codes and stages."""
        codes, kind = np.unique(code, return_inverse=True)
        return cls(codes, _Lists.of(packets, kind * _STAGES + stage, len(codes) * _STAGES))

    def find(self, code: Integers) -> Integers:
        """Where the lists of each code begin (...); a negative number for none."""
        at = np.searchsorted(self.codes, code)
        at[at == len(self.codes)] = -1
        is_known = self.codes[at] == code if len(self.codes) else False
        return np.where(is_known, at * _STAGES, -_STAGES)


@dataclass(frozen=True, eq=False)
class _Captured:
    """The packets of a recording by kind."""

    services: Integers
    """(S)"""
    code: Integers
    """Of each packet's kind (P); -1 of those without a frame."""
    stage: Integers
    """Of each packet (P)."""
    outgoing: Flags
    """Of each packet (P)."""
    header: Integers
    """Bytes before the payload of each packet (P)."""
    successor: Integers
    """The next packet of the flow (P); -1 for none."""
    kinds: tuple[_Kinds, ...]
    """All with a frame, by their own kind; then by that and what follows, as of `_sequels`."""
    flexible: _Kinds
    """Those whose length may change."""

    @classmethod
    def of(cls, recording: Recording) -> "_Captured":
        """Sort the packets of a recording."""
        frames, layers = recording.frames, recording.layers
        src, dst = src_port(frames, layers), dst_port(frames, layers)
        services = find_services(src, dst)
        has_frame = frames.size > 0
        code = np.where(has_frame, _codes(recording, src, dst, services), -1)
        stage = _stages(tcp_flags(frames, layers))
        successor = _successors(recording.flow)
        stretches = layers.has_ports & (payload_size(layers) > 0) & (stage == _TALKS)
        stretches &= has_frame & (recording.protocols & _RIGID == 0)

        def kinds(code: Integers, where: Flags) -> _Kinds:
            some = np.flatnonzero(where)
            return _Kinds.of(some, code[some], stage[some])

        return cls(
            services=services,
            code=code,
            stage=stage,
            outgoing=recording.outgoing,
            header=layers.payload,
            successor=successor,
            kinds=tuple(
                kinds(each, has_frame & is_whole) for each, is_whole in _sequels(code, successor)
            ),
            flexible=kinds(code, stretches),
        )

    def draw(
        self, windows: Windows, flow: Integers, rng: np.random.Generator
    ) -> tuple[Integers, NDArray[np.int8]]:
        """Captured packets (N, L) and how well they fit, as places in `LEVELS` (N, L)."""
        code = _codes(windows, windows.src_port, windows.dst_port, self.services)
        sequels = _sequels(code.ravel(), _successors(flow.ravel()))
        places = [
            np.where(is_whole, kinds.find(each), -_STAGES).reshape(code.shape)
            for kinds, (each, is_whole) in zip(self.kinds, sequels, strict=True)
        ]
        share = rng.random(code.shape)
        source = self._of_other_length(code, windows.length, share)
        source[places[0] >= 0] = -1
        level = np.where(source < 0, 5, 4).astype(np.int8)
        last = np.full(int(flow.max(initial=-1)) + 2, _UNSEEN)
        for step in range(windows.size):
            # packets of no flow share the last place, which tells them nothing
            of, at = flow[:, step], places[0][:, step]
            before = last[of]
            follows = np.where(before >= 0, self.successor[before], -1)
            follows[self.code[follows] != code[:, step]] = -1
            stage = self._stage_after(before, at, windows.outgoing[:, step])
            options = [(3, self.kinds[0].lists.draw(at, share[:, step], _STAGES))]
            for rank, kinds, place in zip((2, 1, 1), self.kinds, places, strict=True):
                number = np.where(place[:, step] < 0, -1, place[:, step] + stage)
                options.append((rank, kinds.lists.draw(number, share[:, step])))
            for rank, found in (*options, (0, follows)):
                has = found >= 0
                source[has, step], level[has, step] = found[has], rank
            taken = source[:, step]
            last[of] = np.where(taken >= 0, taken, np.where(before >= 0, before, _SEEN))
        return source, level

    def _stage_after(self, before: Integers, place: Integers, outgoing: Flags) -> Integers:
        """At which stage the next packet of a flow is (N).

        Args:
            before: The last one's captured packet (N), or _UNSEEN or _SEEN.
            place: Where the kind of the next one begins among those by kind and stage (N).
            outgoing: Whether the device sends it (N).
        """
        # what begins a flow begins a connection, if its kind ever does
        stage = np.full(len(before), _TALKS)
        for first in (_ANSWERS, _OPENS):
            begins = (before == _UNSEEN) & self.kinds[0].lists.has(np.where(place < 0, -1, place + first))
            stage[begins] = first
        reached = self.stage[before]
        opened = (before >= 0) & (reached == _OPENS)
        answers = self.outgoing[before] != outgoing
        stage[opened] = np.where(answers, _ANSWERS, _OPENS)[opened]
        stage[(before >= 0) & (reached == _CLOSES)] = _CLOSES
        return stage

    def _of_other_length(
        self, code: Integers, length: NDArray[np.int32], share: NDArray[np.float64]
    ) -> Integers:
        """Those of the nearest length that can be made as long (N, L); -1 for none."""
        codes = self.flexible.codes
        if not len(codes):
            return np.full(code.shape, -1)
        above = np.searchsorted(codes, code)
        near = np.stack([above - 1, above]).clip(0, len(codes) - 1)
        is_alike = codes[near] >> _LENGTH_BITS == code >> _LENGTH_BITS
        away = np.where(is_alike, np.abs(codes[near] - code), _LONGEST)
        at = np.where(away[0] < away[1], near[0], near[1])
        at = np.where((away.min(axis=0) < _LONGEST) & (length <= _LONGEST), at * _STAGES, -1)
        found = self.flexible.lists.draw(at, share, _STAGES)
        return np.where(length > self.header[found], found, -1)


def _codes(
    packets: Recording | Windows, src: NDArray[Any], dst: NDArray[Any], services: Integers
) -> Integers:
    """A number of each packet's kind (...), the length in its last bits."""
    is_service = np.zeros(2**16, dtype=bool)
    is_service[services] = True
    from_service = is_service[src]
    # the lower port, if that is open
    from_service = np.where(from_service == is_service[dst], src <= dst, from_service)
    code = packets.protocols.astype(np.int64)
    code = (code << 16) | np.where(from_service, src, dst)
    code = (code << 2) | 2 * from_service | packets.outgoing
    return (code << _LENGTH_BITS) | packets.length


def _stages(flags: Integers) -> Integers:
    opening = np.where(flags & ACK, _ANSWERS, _OPENS)
    return np.where(flags & SYN, opening, np.where(flags & (FIN | RST), _CLOSES, _TALKS))


def _successors(flow: Integers) -> Integers:
    """The next packet of each one's flow (P); -1 for none."""
    order = np.argsort(flow, kind="stable")
    this, following = order[:-1], order[1:]
    goes_on = (flow[this] == flow[following]) & (flow[this] >= 0)
    successor = np.full(len(flow), -1)
    successor[this[goes_on]] = following[goes_on]
    return successor


def _sequels(code: Integers, successor: Integers) -> list[tuple[Integers, Flags]]:
    """Codes of each packet (P) with those that follow in its flow: none, one, and three of them.

    And which of them are whole (P), because as many follow.
    """
    found = [(code, np.ones(len(code), dtype=bool))]
    for _ in range(2):
        is_whole = found[-1][1] & (successor >= 0)
        is_whole &= found[-1][1][successor]
        # 64 bits are never the same by chance
        code = code * _MIX + code[successor]
        found.append((code, is_whole))
        successor = np.where(successor >= 0, successor[successor], -1)
    return found
