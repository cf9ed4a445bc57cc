"""A summary of a set of windows, small enough for a results file, from which plots are drawn.

Shapes: N windows, L packets each.
"""

from collections import Counter

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from iotflowgen.traffic import PROTOCOLS, Windows, unpack_protocols

__all__ = ["DECADES", "LENGTH_STEP", "Example", "Profile", "profile"]

LENGTH_STEP = 32
"""Bytes a bin of frame lengths."""
DECADES = (-6, 4)
"""Durations from a microsecond to three hours, as powers of ten of a second."""
_DURATION_BINS = 50
_LONGEST = 1536
_NAMED = 8  # ports and configurations that get a name; the others are one
_EXAMPLES = 6
OTHER = "other"


class Example(BaseModel):
    """One window as packets in time."""

    model_config = ConfigDict(frozen=True)

    seconds: tuple[float, ...]
    """Since the first packet (L)."""
    bytes: tuple[int, ...]
    """Frame lengths (L), negative where the device received."""


class Profile(BaseModel):
    """Distributions over all packets of a set of windows, as shares that add up to 1."""

    model_config = ConfigDict(frozen=True)

    lengths: tuple[float, ...]
    """Frame lengths, `LENGTH_STEP` bytes a bin; the last holds all that are longer."""
    durations: tuple[float, ...]
    """Durations on a logarithmic axis over `DECADES`; shorter and longer are in the outer bins."""
    src_ports: dict[str, float]
    """The commonest source ports of the real windows, and `other`."""
    dst_ports: dict[str, float]
    """The commonest destination ports of the real windows, and `other`."""
    protocols: dict[str, float]
    """The commonest protocol configurations of the real windows, and `other`."""
    outgoing: float
    """Share of packets that the device sent."""
    examples: tuple[Example, ...]
    """The first windows."""


def profile(windows: Windows, real: Windows) -> Profile:
    """Describe windows; `real` ones say which ports and configurations get a name."""
    logs = np.log10(np.maximum(windows.duration_ns, 1) / 1e9)
    return Profile(
        lengths=_shares(
            np.minimum(windows.length, _LONGEST - 1), np.arange(0, _LONGEST + 1, LENGTH_STEP)
        ),
        durations=_shares(np.clip(logs, *DECADES), np.linspace(*DECADES, _DURATION_BINS + 1)),
        src_ports=_named(windows.src_port, real.src_port),
        dst_ports=_named(windows.dst_port, real.dst_port),
        protocols={
            _configuration(key): share
            for key, share in _named(windows.protocols, real.protocols).items()
        },
        outgoing=float(windows.outgoing.mean()),
        examples=tuple(_example(windows, i) for i in range(min(_EXAMPLES, len(windows)))),
    )


def _shares(values: NDArray[np.generic], edges: NDArray[np.generic]) -> tuple[float, ...]:
    counts, _ = np.histogram(values, edges)
    return tuple((counts / counts.sum()).tolist())


def _named(values: NDArray[np.integer], real: NDArray[np.integer]) -> dict[str, float]:
    names = [value for value, _ in Counter(real.ravel().tolist()).most_common(_NAMED)]
    shares = {str(name): float(np.mean(values == name)) for name in names}
    return shares | {OTHER: max(0.0, 1 - sum(shares.values()))}


def _configuration(key: str) -> str:
    """The protocols of a configuration by name."""
    if key == OTHER:
        return key
    present = unpack_protocols(np.array(int(key), dtype=np.uint16))
    return " ".join(np.array(PROTOCOLS)[present].tolist()) or "none of the 16"


def _example(windows: Windows, i: int) -> Example:
    seconds = np.cumsum(np.concatenate([[0], windows.duration_ns[i, :-1]])) / 1e9
    signed = np.where(windows.outgoing[i], windows.length[i], -windows.length[i])
    return Example(seconds=tuple(seconds.tolist()), bytes=tuple(signed.tolist()))
