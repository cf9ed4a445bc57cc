"""Numbers for the ephemeral ports of windows whose packets repeat no captured one.

`encoding.ports` tells which ends of a window have the same port, not which number that is. Numbers
do not stand alone: a service has its own, and those of one capture belong together. So a window
takes all of them from one stretch of one capture, which begins with the captured window that is
most like it. Each of its ports follows the next captured one, from there on, that is of the same
side and has the same port at the other end; where that capture has none left, another's. It has the
number of the one it follows, or a new one by the law of its service (`generators.ports`).

Shapes: N windows, L packets each; W captured windows; P packets of all captures; E = 2L ends, the
source and the destination of each packet in turn; K ephemeral ports of all windows.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist  # type: ignore[import-untyped]

from iotflowgen.encoding import PortEncoder
from iotflowgen.generators.ports import Ports
from iotflowgen.traffic import Trace, Windows, protocol_mask

__all__ = ["PortNumbers"]

_UDP = protocol_mask(["udp"])
_COLUMNS = ("length", "outgoing", "protocols", "src_port", "dst_port")
_PREFIX = "packets."  # of tensors
_MOST = 5000
"""Captured windows that others are compared with."""
_BATCH = 512
"""Windows compared at a time."""
_DYNAMIC = (49152, 65536)  # ports that nobody registers (RFC 6335)
_EPHEMERAL = -1  # in the place of a port at the other end: any that is no constant
_ANY = -2  # in the place of a capture, or of that port
_NONE = -1  # in the place of the packet that a port follows


class PortNumbers:
    """Draws ephemeral ports as captures show them."""

    def __init__(
        self, columns: Mapping[str, NDArray[Any]], encoder: PortEncoder, window: int
    ) -> None:
        """Learn from packets of captures.

        Args:
            columns: Features of the packets (P), and which capture each is of.
            encoder: Which ports are constants, and whether the others recur.
            window: L, packets of the windows to come.

        Raises:
            ValueError: No capture holds a window.
        """
        self._columns, self._encoder = columns, encoder
        last = np.arange(window - 1, len(columns["capture"]))
        first = last - window + 1
        is_one = columns["capture"][first] == columns["capture"][last]
        self._places_WL = first[is_one, None] + np.arange(window)
        """The packets of every captured window."""
        if not len(self._places_WL):
            raise ValueError(f"no capture holds a window of {window} packets")
        outgoing, source, destination = (columns[n] for n in ("outgoing", "src_port", "dst_port"))
        device = np.where(outgoing, source, destination)
        peer = np.where(outgoing, destination, source)
        capture, udp = columns["capture"], columns["protocols"] & _UDP > 0
        of_device = _Side(device, peer, capture, udp, encoder)
        of_peers = _Side(peer, device, capture, udp, encoder)
        # where one side has none, those of the other look right
        self._sides = {True: of_device or of_peers, False: of_peers or of_device}

    @classmethod
    def fit(cls, traces: Sequence[Trace], encoder: PortEncoder, window: int) -> Self:
        """Learn from captures, one of which holds a window."""
        columns = {name: np.concatenate([getattr(t, name) for t in traces]) for name in _COLUMNS}
        columns["capture"] = np.repeat(np.arange(len(traces)), [len(t) for t in traces])
        return cls(columns, encoder, window)

    def tensors(self) -> dict[str, NDArray[Any]]:
        """What a model file keeps of it."""
        return {_PREFIX + name: column for name, column in self._columns.items()}

    @classmethod
    def restore(
        cls, tensors: Mapping[str, NDArray[Any]], encoder: PortEncoder, window: int
    ) -> Self:
        """From the tensors of a model file.

        Raises:
            KeyError: It lacks some.
            ValueError: They do not fit together.
        """
        columns = {name: tensors[_PREFIX + name] for name in (*_COLUMNS, "capture")}
        kinds = {(column.shape, column.dtype.kind in "bui") for column in columns.values()}
        if kinds != {(columns["capture"].shape[:1], True)}:
            raise ValueError("columns of packets differ in shape, or are no integers")
        return cls(columns, encoder, window)

    def draw(self, windows: Windows, rng: np.random.Generator) -> Windows:
        """Windows (N) with numbers in the place of slots, as `PortEncoder.decode` leaves them."""
        ends_NE = _interleaved(windows.src_port, windows.dst_port)
        of_device_NE = _interleaved(windows.outgoing, ~windows.outgoing)
        found = [
            (row, end, packet)
            for row, start in enumerate(self._most_alike(windows, rng).tolist())
            for end, packet in self._follow(ends_NE[row], of_device_NE[row], start, rng)
        ]
        row_K, end_K, packet_K = np.array(found, dtype=np.int64).reshape(-1, 3).T
        side_K = of_device_NE[row_K, end_K]
        number_K = np.zeros(len(packet_K), dtype=np.int64)
        for of_device, side in self._sides.items():
            mine = side_K == of_device
            number_K[mine] = side.numbers(packet_K[mine], row_K[mine], rng)
        slot_K = ends_NE[row_K, end_K]
        for row, slot, number in zip(row_K, slot_K, _apart(row_K, number_K), strict=True):
            ends_NE[row, ends_NE[row] == slot] = number
        return replace(windows, src_port=ends_NE[:, 0::2], dst_port=ends_NE[:, 1::2])

    def _most_alike(self, windows: Windows, rng: np.random.Generator) -> NDArray[np.int64]:
        """The packet (N) with which the captured window begins that has most fields in common."""
        places_WL = self._places_WL[rng.permutation(len(self._places_WL))[:_MOST]]
        captured = self._in_slots(places_WL)
        place_N = np.empty(len(windows), dtype=np.int64)
        for first in range(0, len(windows), _BATCH):
            rows = slice(first, first + _BATCH)
            differ = cdist(_flat(windows[rows]), _flat(captured), "hamming")
            # which one it is among those alike is chance
            differ += rng.random(differ.shape) * 1e-6
            place_N[rows] = places_WL[differ.argmin(axis=1), 0]
        return place_N

    def _in_slots(self, packet_WL: NDArray[np.int64]) -> Windows:
        """Captured windows, with slots in the place of ephemeral ports."""
        columns = {name: self._columns[name][packet_WL] for name in _COLUMNS}
        tokens = self._encoder.encode(columns["src_port"], columns["dst_port"])
        columns["src_port"], columns["dst_port"] = self._encoder.decode(*tokens)
        return Windows(duration_ns=np.zeros(packet_WL.shape, dtype=np.int64), **columns)

    def _follow(
        self,
        ends_E: NDArray[np.int32],
        of_device_E: NDArray[np.bool_],
        start: int,
        rng: np.random.Generator,
    ) -> Iterator[tuple[int, int]]:
        """The end where each slot of a window comes first, and the packet that its port follows."""
        captured: dict[int, int] = {}
        """The captured port that each slot follows."""
        slots, first = np.unique(ends_E, return_index=True)
        for end in np.sort(first[slots < 0]).tolist():
            other = int(ends_E[end ^ 1])
            side = self._sides[bool(of_device_E[end])]
            if other < 0:
                other = captured.get(other, _EPHEMERAL)
            packet = side.following(start, other, captured.values(), rng)
            if packet != _NONE:
                captured[int(ends_E[end])] = int(side.own[packet])
            yield end, packet


class _Side:
    """Ephemeral ports of the device, or of its peers, along all captures (P)."""

    def __init__(
        self,
        own: NDArray[np.int32],
        other: NDArray[np.int32],
        capture: NDArray[np.int64],
        udp: NDArray[np.bool_],
        encoder: PortEncoder,
    ) -> None:
        self.own = own
        self._capture, self._fresh = capture, encoder.config.ephemeral == "fresh"
        constants = encoder.constants
        if self._fresh:
            self._law = Ports(own, other, capture, udp, constants, encoder.config.slots)
        self._packets: dict[tuple[int, int], list[int]] = defaultdict(list)
        """Packets with an ephemeral port by capture and by the port at the other end, rising."""
        for packet in np.flatnonzero(~np.isin(own, constants)).tolist():
            port = int(other[packet])
            kinds = (port, _ANY) if port in constants else (port, _EPHEMERAL, _ANY)
            for of in (int(capture[packet]), _ANY):
                for kind in kinds:
                    self._packets[of, kind].append(packet)

    def __len__(self) -> int:
        """How many packets have an ephemeral port."""
        return len(self._packets.get((_ANY, _ANY), []))

    def following(
        self, start: int, other: int, taken: Collection[int], rng: np.random.Generator
    ) -> int:
        """The next packet from `start` on whose port is not taken; `_NONE` where there is none.

        Args:
            start: A packet; its capture, to the end and from the beginning, comes first.
            other: The port at the other end, or `_EPHEMERAL`.
            taken: Ports that may not come again.
            rng: Draws where to begin in all captures.
        """
        of, anywhere = int(self._capture[start]), int(rng.integers(len(self.own)))
        for among, since in (
            ((of, other), start),
            ((_ANY, other), anywhere),
            ((of, _ANY), start),
            ((_ANY, _ANY), anywhere),
        ):
            packets = self._packets.get(among, [])
            at = bisect_left(packets, since)
            for packet in chain(packets[at:], packets[:at]):
                if self.own[packet] not in taken:
                    return packet
        return _NONE

    def numbers(
        self, packet: NDArray[np.int64], window: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """The numbers of ports (K) of windows (K), from the packets that they follow (K)."""
        numbers = rng.integers(*_DYNAMIC, size=len(packet))
        follows = packet != _NONE
        packet, window = packet[follows], window[follows]
        if self._fresh:
            numbers[follows] = self._law.draw(
                packet, np.arange(len(packet)), window, rng, fresh=True
            )
        else:
            numbers[follows] = self.own[packet]
        return numbers


def _apart(window: NDArray[np.int64], number: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers (K), those raised that another port of the same window (K) has already."""
    number = number.copy()
    while True:
        _, first = np.unique(np.stack([window, number]), axis=1, return_index=True)
        again = np.setdiff1d(np.arange(len(number)), first)
        if not len(again):
            return number
        number[again] = np.where(number[again] < _DYNAMIC[1] - 1, number[again] + 1, _DYNAMIC[0])


def _interleaved(source: NDArray[Any], destination: NDArray[Any]) -> NDArray[Any]:
    """Both ends of each packet in turn (N, E)."""
    return np.stack([source, destination], axis=-1).reshape(len(source), 2 * source.shape[1])


def _flat(windows: Windows) -> NDArray[np.float64]:
    """All that windows (N) are compared by, in a row each."""
    return np.concatenate([getattr(windows, name) for name in _COLUMNS], axis=1, dtype=np.float64)
