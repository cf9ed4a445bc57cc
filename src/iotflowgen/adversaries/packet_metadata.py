"""The paper's adversary, packet metadata inference (sections 3.2 and 5.2).

Frame length, source and destination port, protocol configuration and direction are categories with
an embedding each, durations are continuous; an LSTM reads the window, and its last state decides
by cross-entropy. The paper gives no sizes; these are ours.

Shapes: N windows, L packets each, F categories a packet.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from iotflowgen.adversaries.lstm import LSTMAdversary
from iotflowgen.traffic import Windows

__all__ = ["PacketMetadata"]

_CATEGORIES = ("length", "src_port", "dst_port", "protocols", "outgoing")


class PacketMetadata(LSTMAdversary):
    """LSTM over categorical packet metadata and log durations."""

    name = "packet-metadata"
    needs_headers = False
    stretch_ns: int = 0

    def _look(
        self,
        windows: Windows,
        synthetic: NDArray[np.bool_],  # noqa: ARG002 - either kind may show a category
    ) -> Sequence[int]:
        self._vocabularies = [np.unique(getattr(windows, name)) for name in _CATEGORIES]
        logs = _log_seconds(windows)
        self._centre, self._spread = logs.mean(), logs.std() + 1e-6
        return [len(vocabulary) for vocabulary in self._vocabularies]

    def _see(self, windows: Windows) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Categories (N, L, F), 0 where training has not seen one; log durations (N, L, 1)."""
        columns = []
        for name, vocabulary in zip(_CATEGORIES, self._vocabularies, strict=True):
            values = getattr(windows, name)
            place = np.searchsorted(vocabulary, values)
            columns.append(np.where(np.isin(values, vocabulary), place + 1, 0))
        timing = (_log_seconds(windows) - self._centre) / self._spread
        return np.stack(columns, axis=-1), timing[..., None]


def _log_seconds(windows: Windows) -> NDArray[np.float64]:
    """Durations (N, L) on a logarithmic axis, a microsecond being where it begins to matter."""
    logs: NDArray[np.float64] = np.log10(windows.duration_ns / 1e9 + 1e-6)
    return logs
