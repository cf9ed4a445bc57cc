"""Which packets are alike, of recordings and of windows.

Shapes: P packets; K kinds; S services.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.recording.recording import Recording
from iotflowgen.traffic import Windows
from iotflowgen.wire import ACK, FIN, RST, SYN
from iotflowgen.wire.arrays import Flags, Integers

__all__ = [
    "ANSWERS",
    "CLOSES",
    "LENGTH_BITS",
    "NONE",
    "OPENS",
    "STAGES",
    "TALKS",
    "Kinds",
    "codes_of",
    "find_services",
    "sequels",
    "stages_of",
    "successors_of",
]

OPENS, ANSWERS, TALKS, CLOSES = range(4)
"""Stages of a TCP connection: SYN, SYN and ACK, all else, FIN or RST. What is no TCP talks."""
STAGES: Final = 4
LENGTH_BITS: Final = 20
"""The last bits of a code are the length of a frame, which is at most 2^18 bytes."""
NONE: Final = -STAGES
"""No place among kinds, whatever the stage that is added."""
_SERVERS = (53, 67, 123)
"""Ports of DNS, DHCP and NTP: whoever asks there is no service itself."""
_MIX = 0x1E3779B97F4A7C15  # odd, its bits in disorder


@dataclass(frozen=True, eq=False)
class Kinds:
    """Packets in lists by kind (K) and, within it, by stage."""

    codes: Integers
    """Of kinds, rising, and after all of them one that no packet has (K + 1)."""
    members: Integers
    """Packets, list after list, and -1 after all of them."""
    first: Integers
    """Where each list begins among them, and the last one ends (K * STAGES + 1)."""

    @classmethod
    def of(cls, code: Integers, stage: Integers, where: Flags) -> "Kinds":
        """Put those packets (P) that `where` names into lists, by their codes and stages."""
        packets = np.flatnonzero(where)
        codes, kind = np.unique(code[packets], return_inverse=True)
        place = kind * STAGES + stage[packets]
        order = np.argsort(place, kind="stable")
        first = np.searchsorted(place[order], np.arange(len(codes) * STAGES + 1))
        return cls(np.append(codes, np.iinfo(np.int64).max), np.append(packets[order], -1), first)

    def find(self, code: Integers) -> Integers:
        """Places: where the lists of each code begin (...); NONE where there are none."""
        at = np.searchsorted(self.codes, code)
        return np.where(self.codes[at] == code, at * STAGES, NONE)

    def find_near(self, code: Integers) -> Integers:
        """As `find`, of that code which differs in length alone, and least (...)."""
        above = np.searchsorted(self.codes, code)
        near = np.stack([above - 1, above]).clip(min=0)
        found, far = self.codes[near], 1 << LENGTH_BITS
        is_alike = found >> LENGTH_BITS == code >> LENGTH_BITS
        away = np.where(is_alike, np.abs(found - code), far)
        at = np.where(away[0] < away[1], near[0], near[1])
        return np.where(away.min(axis=0) < far, at * STAGES, NONE)

    def count(self, place: Integers, lists: Integers | int = 1) -> Integers:
        """Packets in each list (...), or in so many from there on; 0 where a place is negative."""
        begin, end = place.clip(min=0), np.where(place < 0, 0, place + lists)
        count: Integers = self.first[end] - self.first[begin]
        return count

    def draw(
        self, place: Integers, share: NDArray[np.float64], lists: Integers | int = 1
    ) -> Integers:
        """Of so many lists, the packet at a share of their length (...); -1 where that is 0."""
        count = self.count(place, lists)
        at = self.first[place.clip(min=0)] + (share * count).astype(np.int64)
        found: Integers = self.members[np.where(count > 0, at, -1)]
        return found


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


def codes_of(
    packets: Recording | Windows, src: NDArray[Any], dst: NDArray[Any], services: Integers
) -> Integers:
    """A number of each packet's kind (...): of its length, in the last bits, and all else.

    Two ports that are no services are as good as any other two.
    """
    is_service = np.zeros(2**16, dtype=bool)
    is_service[services] = True
    from_service = is_service[src] & (~is_service[dst] | (src <= dst))
    service = np.where(from_service, src, np.where(is_service[dst], dst, 0))
    code = packets.protocols.astype(np.int64)
    code = (code << 16) | service
    code = (code << 2) | 2 * from_service | packets.outgoing
    coded: Integers = (code << LENGTH_BITS) | packets.length
    return coded


def stages_of(flags: Integers) -> Integers:
    """At which stage packets with these flags of TCP are (P)."""
    opening = np.where(flags & ACK, ANSWERS, OPENS)
    return np.where(flags & SYN, opening, np.where(flags & (FIN | RST), CLOSES, TALKS))


def successors_of(flow: Integers) -> Integers:
    """The next packet of each one's flow (P); -1 for none."""
    order = np.argsort(flow, kind="stable")
    this, following = order[:-1], order[1:]
    goes_on = (flow[this] == flow[following]) & (flow[this] >= 0)
    successor = np.full(len(flow), -1)
    successor[this[goes_on]] = following[goes_on]
    return successor


def sequels(code: Integers, successor: Integers) -> list[tuple[Integers, Flags]]:
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
