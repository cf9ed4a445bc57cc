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

LEVELS: Final = ("successor", "kind and stage", "kind", "nearest length", "none")
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
class _Captured:
    """The packets of a recording by kind."""

    services: Integers
    """(S)"""
    kinds: Integers
    """Codes of kinds, rising: those that differ in length alone stand together (K)."""
    kind: Integers
    """Of each packet (P); -1 of those without a frame."""
    stage: Integers
    """Of each packet (P)."""
    outgoing: Flags
    """Of each packet (P)."""
    header: Integers
    """Bytes before the payload of each packet (P)."""
    successor: Integers
    """The next packet of the flow (P); -1 for none."""
    staged: _Lists
    """All with a frame, by kind and stage."""
    flexible: _Lists
    """Those whose length may change, by kind."""

    @classmethod
    def of(cls, recording: Recording) -> "_Captured":
        """Sort the packets of a recording."""
        frames, layers = recording.frames, recording.layers
        src, dst = src_port(frames, layers), dst_port(frames, layers)
        services = find_services(src, dst)
        code = _codes(recording, src, dst, services)
        has_frame = np.flatnonzero(frames.size)
        kinds = np.unique(code[has_frame])
        kind = np.full(len(recording), -1)
        kind[has_frame] = np.searchsorted(kinds, code[has_frame])
        stage = _stages(tcp_flags(frames, layers))
        stretches = layers.has_ports & (payload_size(layers) > 0) & (stage == _TALKS)
        stretches = np.flatnonzero(stretches & (recording.protocols & _RIGID == 0))
        staged = kind[has_frame] * _STAGES + stage[has_frame]
        return cls(
            services=services,
            kinds=kinds,
            kind=kind,
            stage=stage,
            outgoing=recording.outgoing,
            header=layers.payload,
            successor=_successors(recording.flow),
            staged=_Lists.of(has_frame, staged, len(kinds) * _STAGES),
            flexible=_Lists.of(stretches, kind[stretches], len(kinds)),
        )

    def draw(
        self, windows: Windows, flow: Integers, rng: np.random.Generator
    ) -> tuple[Integers, NDArray[np.int8]]:
        """Captured packets (N, L) and how well they fit, as places in `LEVELS` (N, L)."""
        code = _codes(windows, windows.src_port, windows.dst_port, self.services)
        kind, share = self._known(code), rng.random(code.shape)
        source = self._of_other_length(code, kind, windows.length, share)
        level = np.where(source < 0, 4, 3).astype(np.int8)
        last = np.full(int(flow.max(initial=-1)) + 2, _UNSEEN)
        for step in range(windows.size):
            # packets of no flow share the last place, which tells them nothing
            of, now = flow[:, step], kind[:, step]
            before = last[of]
            follows = np.where(before >= 0, self.successor[before], -1)
            follows[self.kind[follows] != now] = -1
            place = now * _STAGES
            stage = self._stage_after(before, place, windows.outgoing[:, step])
            staged = self.staged.draw(np.where(now < 0, -1, place + stage), share[:, step])
            alike = self.staged.draw(place, share[:, step], lists=_STAGES)
            for rank, found in ((2, alike), (1, staged), (0, follows)):
                has = found >= 0
                source[has, step], level[has, step] = found[has], rank
            taken = source[:, step]
            last[of] = np.where(taken >= 0, taken, np.where(before >= 0, before, _SEEN))
        return source, level

    def _known(self, code: Integers) -> Integers:
        """The captured kind of each code (N, L); -1 for none."""
        at = np.searchsorted(self.kinds, code)
        at[at == len(self.kinds)] = -1
        return np.where(self.kinds[at] == code, at, -1) if len(self.kinds) else at

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
            begins = (before == _UNSEEN) & self.staged.has(np.where(place < 0, -1, place + first))
            stage[begins] = first
        reached = self.stage[before]
        opened = (before >= 0) & (reached == _OPENS)
        answers = self.outgoing[before] != outgoing
        stage[opened] = np.where(answers, _ANSWERS, _OPENS)[opened]
        stage[(before >= 0) & (reached == _CLOSES)] = _CLOSES
        return stage

    def _of_other_length(
        self, code: Integers, kind: Integers, length: NDArray[np.int32], share: NDArray[np.float64]
    ) -> Integers:
        """For packets of no captured kind, those that can be made as long (N, L); -1 for none."""
        source = np.full(code.shape, -1)
        flexible = np.flatnonzero(np.diff(self.flexible.first))
        if not len(flexible):
            return source
        missing = (kind < 0) & (length <= _LONGEST)
        wanted, codes = code[missing], self.kinds[flexible]
        above = np.searchsorted(codes, wanted)
        near = np.stack([above - 1, above]).clip(0, len(codes) - 1)
        away = np.where(
            codes[near] >> _LENGTH_BITS == wanted >> _LENGTH_BITS,
            np.abs(codes[near] - wanted),
            _LONGEST,
        )
        nearer = np.argmin(away, axis=0)[None]
        at, away = np.take_along_axis(near, nearer, 0)[0], np.take_along_axis(away, nearer, 0)[0]
        found = self.flexible.draw(np.where(away < _LONGEST, flexible[at], -1), share[missing])
        fits = length[missing] > self.header[found]
        source[missing] = np.where(fits, found, -1)
        return source


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
