"""The paper's adversary as its authors' code trains it; `packet-metadata` is as they describe it.

In `evaluate.py` of josephzbao/IoTFlowGenerator-main, in the versions of it that do not count up the
numbers of frame lengths and ports, every length and every port is category 0. What its LSTM sees of
a packet is then the length over the largest, direction, each protocol, and the duration over the
longest; neither ports nor length categories. Sizes, training and Keras' initial weights are kept.

Deviations: embeddings that are the same for every packet are left out, since they add up to a bias.
The largest and the longest are of the real windows trained on; there, of all devices' real windows,
beside which most durations are smaller still. How windows are split is up to `evaluation`, as for
every adversary; the single split and what is selected by it stand in `benchmarks/selection.py`.

Shapes: N windows, L packets each, M numbers a packet.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from iotflowgen.adversaries.lstm import LSTMAdversary, LSTMConfig
from iotflowgen.traffic import Windows, unpack_protocols

__all__ = ["Published"]


class Published(LSTMAdversary):
    """LSTM over scaled lengths and durations, directions and protocols."""

    name = "published"
    CONFIG: ClassVar = LSTMConfig(
        hidden=100, dense=100, epochs=30, batch=32, learning_rate=1e-3, initial="keras"
    )

    def _look(self, windows: Windows, synthetic: NDArray[np.bool_]) -> Sequence[int]:
        real = windows[~synthetic]
        self._largest, self._longest = real.length.max(), max(real.duration_ns.max(), 1)
        return ()

    def _see(self, windows: Windows) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """No categories (N, L, 0), and numbers between 0 and 1 of real packets (N, L, M)."""
        numbers = (
            (windows.length / self._largest)[..., None],
            windows.outgoing[..., None],
            unpack_protocols(windows.protocols),
            (windows.duration_ns / self._longest)[..., None],
        )
        categories_NLF = np.zeros((*windows.length.shape, 0), dtype=np.int64)
        return categories_NLF, np.concatenate(numbers, axis=-1, dtype=np.float64)
