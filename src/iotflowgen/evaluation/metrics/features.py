"""The space that windows are compared in, where a metric needs a distance between two.

Shapes: N windows, L packets each, F numbers a packet.
"""

import numpy as np
from numpy.typing import NDArray

from iotflowgen.traffic import Windows, unpack_protocols

__all__ = ["embed", "evenly", "log_seconds", "scale"]

_SHORTEST_NS = 1000  # what captures resolve; durations below count as that long
_ROUNDING = 1e-12


def log_seconds(windows: Windows) -> NDArray[np.float64]:
    """Durations (N, L) as decimal logarithms of seconds, a microsecond at least."""
    seconds = np.maximum(windows.duration_ns, _SHORTEST_NS) / 1e9
    logs: NDArray[np.float64] = np.log10(seconds)
    return logs


def embed(windows: Windows, reference: Windows) -> NDArray[np.float64]:
    """Points (N, L * F) whose Euclidean distance compares windows packet by packet.

    Four fields count alike: the logarithm of the frame length, the direction, the 16 protocols and
    the logarithm of the duration. Each is scaled so that its variance over the packets of
    `reference` is 1 in all; one that does not vary there is left as it is. Ports are left out:
    their numbers have no distance, and the protocols say most of what they say.

    Args:
        windows: What to embed.
        reference: The windows that set the scale; points compare only where it was the same.
    """
    scaled = [
        (field - within.mean(axis=(0, 1))) / np.sqrt(scale(within.var(axis=(0, 1)).sum()))
        for field, within in zip(_fields(windows), _fields(reference), strict=True)
    ]
    points: NDArray[np.float64] = np.concatenate(scaled, axis=-1).reshape(len(windows), -1)
    return points


def scale(variance: float) -> float:
    """What to divide by: the variance, or 1 where there is none but what rounding leaves."""
    return variance if variance > _ROUNDING else 1.0


def evenly(windows: Windows, n: int) -> Windows:
    """At most `n` windows, evenly apart: figures that depend on how many there are compare so."""
    return windows[np.linspace(0, len(windows) - 1, min(n, len(windows))).astype(np.int64)]


def _fields(windows: Windows) -> tuple[NDArray[np.float64], ...]:
    """Length, direction, protocols and duration, each (N, L, its numbers)."""
    return (
        np.log2(np.maximum(windows.length, 1))[..., None],
        windows.outgoing[..., None].astype(np.float64),
        unpack_protocols(windows.protocols).astype(np.float64),
        log_seconds(windows)[..., None],
    )
