"""A window as one row of numbers, for trees.

Shapes: N windows, L packets each, P protocols, F features a window.
"""

import numpy as np
from numpy.typing import NDArray

from iotflowgen.traffic import Windows, unpack_protocols

__all__ = ["features"]


def features(windows: Windows) -> NDArray[np.float64]:
    """Every field of every packet, then a summary of the window: (N, F)."""
    protocols_NLP = unpack_protocols(windows.protocols)
    flat = [getattr(windows, name) for name in Windows.columns() if name != "protocols"]
    flat.append(protocols_NLP.reshape(len(windows), -1))
    return np.concatenate([*flat, _summary(windows, protocols_NLP)], axis=1, dtype=np.float64)


def _summary(windows: Windows, protocols_NLP: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Means, deviations, counts of distinct values and inter-arrival statistics: (N, F)."""
    # a microsecond is what captures resolve; the floor keeps 0 on the axis
    logs_NL = np.log10(windows.duration_ns / 1e9 + 1e-6)
    measured = (windows.length, windows.src_port, windows.dst_port, logs_NL)
    named = (windows.length, windows.src_port, windows.dst_port, windows.protocols)
    columns = [
        *(field.mean(axis=1) for field in measured),
        *(field.std(axis=1) for field in measured),
        *(_distinct(field) for field in named),
        *np.quantile(logs_NL, [0, 0.25, 0.5, 0.75, 1], axis=1),
        windows.duration_ns.sum(axis=1),
        windows.outgoing.mean(axis=1),
        np.diff(windows.outgoing, axis=1).sum(axis=1),
    ]
    return np.column_stack([*columns, protocols_NLP.mean(axis=1)])


def _distinct(values_NL: NDArray[np.integer]) -> NDArray[np.int64]:
    """How many different values each window has (N)."""
    changes_NL = np.diff(np.sort(values_NL, axis=1), axis=1) != 0
    distinct: NDArray[np.int64] = 1 + changes_NL.sum(axis=1)
    return distinct
