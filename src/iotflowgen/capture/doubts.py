"""What makes captures doubtful to learn from: times that nobody measured, packets that stand twice.

Captures of networks hold packets once for each port or radio that they were seen at; anonymisers
write times of their own. Neither is told by the file.

Shapes: P packets of a capture.
"""

import warnings
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.capture.read import CaptureWarning
from iotflowgen.traffic import Trace
from iotflowgen.wire import Frames

__all__ = ["copies", "doubt"]

_GAPS: Final = 50
"""Fewer tell nothing."""
_SAME: Final = 0.5
"""A larger share of equal gaps is not measured: of captures it is an eighth at most."""
_BACK_NS: Final = 10**9
_BACK: Final = 0.01
"""A larger share of packets that long before the one before them was not captured in this order."""
_APART_NS: Final = 10 * 10**6
"""Copies come as soon as this: a retransmission takes longer (RFC 6298), and counts an IP ID on."""
_TWICE: Final = 0.05
"""A larger share of copies is worth a word."""
_TAG: Final = 4
"""Bytes of a VLAN tag (IEEE 802.1Q), after the addresses."""
_ADDRESSES: Final = 12
_BLOCK: Final = 2**12
"""Packets that are compared at once: each byte takes many."""
_TOLD: Final = 54
"""Bytes of Ethernet, IPv4 and TCP headers: a frame that is cut shorter may go on otherwise."""


def doubt(captures: Iterable[tuple[Trace, Frames]]) -> None:
    """Warn of what is wrong to learn from, by the frames that `read_frames` gives.

    Warns:
        CaptureWarning: Times look written, not captured; or packets stand twice.
    """
    constant: list[str] = []
    disordered: list[str] = []
    twice = packets = 0
    for trace, frames in captures:
        copied = copies(trace, frames)
        twice += int(copied.sum())
        packets += len(trace)
        # copies come after a time of their own, which may always be the same
        if gap := _constant_gap(trace[~copied]):
            constant.append(f"{trace.name} ({gap})")
        if _is_disordered(trace):
            disordered.append(trace.name)
    if constant:
        _warn(
            f"times look written, not captured: {_few(constant)}; what is learnt of time is wrong "
            "then, so take captures with their own times"
        )
    if disordered:
        _warn(
            f"packets lie far from the order of their times in {_few(disordered)}, so times look "
            "written, or captures are put together; what is learnt of time may be wrong"
        )
    if twice > _TWICE * packets:
        _warn(
            f"{twice} of {packets} packets stand twice, as where two ports are mirrored; "
            "--deduplicate leaves the copies out"
        )


def _constant_gap(trace: Trace) -> str:
    """What most gaps between packets are, if they are one; nothing if not."""
    gaps = np.diff(trace.time_ns // 1000)
    if len(gaps) < _GAPS:
        return ""
    values, counts = np.unique(gaps, return_counts=True)
    most = int(np.argmax(counts))
    share = float(counts[most] / len(gaps))
    return f"{share:.0%} of gaps are {values[most] / 1000:g} ms" if share > _SAME else ""


def _is_disordered(trace: Trace) -> bool:
    """Whether many packets come after others in the file that are a second younger, or more."""
    if trace.in_file is None:
        return False
    steps = np.diff(trace.time_ns[np.argsort(trace.in_file)])
    return bool((steps < -_BACK_NS).sum() > _BACK * max(len(steps), _GAPS))


def copies(trace: Trace, frames: Frames) -> NDArray[np.bool_]:
    """Which packets (P) were there less than 10 ms before, with or without a VLAN tag."""
    tagged = (frames.number(_ADDRESSES, 2) == 0x8100) & (frames.size >= _ADDRESSES + _TAG)
    # a tag takes bytes of a frame that is cut off: without it, all are as short
    is_cut = frames.size < trace.length
    end = np.where(is_cut & ~tagged, frames.size - _TAG, frames.size)
    weight = np.random.default_rng(0).integers(
        2**63, size=int(frames.size.max(initial=0)) + 1, dtype=np.uint64
    )
    key = np.zeros(len(trace), dtype=np.uint64)
    for first in range(0, len(trace), _BLOCK):
        block = slice(first, first + _BLOCK)
        key[block] = _hashes(frames.take(block), tagged[block], end[block], weight)
    length = trace.length - np.where(tagged, _TAG, 0)
    order = np.lexsort((trace.time_ns, length, key))
    same = (np.diff(key[order]) == 0) & (np.diff(length[order]) == 0)
    soon = np.diff(trace.time_ns[order]) < _APART_NS
    copied = np.zeros(len(trace), dtype=bool)
    copied[order[1:][same & soon]] = True
    return copied & (~is_cut | (frames.size >= _TOLD)) & (frames.size > 0)


def _hashes(
    frames: Frames,
    tagged: NDArray[np.bool_],
    end: NDArray[np.int64],
    weight: NDArray[np.uint64],
) -> NDArray[np.uint64]:
    """A number for what each frame (P) holds up to its `end` (P), without its tag.

    It is the sum of its bytes, each times the `weight` of its place.
    """
    packed = frames.packed()
    packet = np.repeat(np.arange(len(packed)), packed.size)
    at = np.arange(len(packed.data)) - packed.start[packet]
    in_tag = tagged[packet] & (at >= _ADDRESSES) & (at < _ADDRESSES + _TAG)
    counts = ~in_tag & (at < end[packet])
    at -= np.where(tagged[packet] & (at >= _ADDRESSES), _TAG, 0)
    value = np.where(counts, (packed.data.astype(np.uint64) + 1) * weight[at], 0)
    total = np.zeros(len(value) + 1, dtype=np.uint64)
    np.cumsum(value, out=total[1:])
    found: NDArray[np.uint64] = total[packed.start + packed.size] - total[packed.start]
    return found


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _warn(message: str) -> None:
    warnings.warn(message, CaptureWarning, stacklevel=3)
