"""Replay: windows of the training captures, their durations jittered.

Not a serious decoy, but a check of evaluation protocols: where windows of one capture are in both
training and test, copying wins, and a replay cannot be told from real traffic.

Shapes: N windows, L packets each.
"""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from iotflowgen.generators.recorded import Recorded, RecordedConfig
from iotflowgen.progress import Progress, silent
from iotflowgen.traffic import Windows, cut_column, cut_windows, draw_window_starts, flow_by_ports

__all__ = ["Replay", "ReplayConfig", "jitter"]


class ReplayConfig(RecordedConfig):
    """Settings of the replay."""

    noise: float = Field(default=0.1, ge=0, lt=1)
    """Most that a duration is changed by, as a share of it (section 4.5)."""


class Replay(Recorded):
    """Real windows with slightly altered durations."""

    name: ClassVar[str] = "replay"
    Config = ReplayConfig

    def sample(self, n: int, rng: np.random.Generator, *, progress: Progress = silent) -> Windows:
        """Draw `n` windows of the captures, each once while they last."""
        places = draw_window_starts(self._traces, n, self.config.window, rng)
        windows = cut_windows(self._traces, places)
        ends = np.cumsum([len(trace) for trace in self._traces])
        source = cut_column(np.split(np.arange(ends[-1]), ends[:-1]), places)
        progress("sample", n, n)
        return replace(
            windows,
            duration_ns=jitter(windows.duration_ns, self.config.noise, rng),
            headers=None,
            source=source,
            flow=flow_by_ports(windows),
        )


def jitter(
    duration_ns: NDArray[np.int64], noise: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Durations, each longer or shorter by at most `noise` of itself, in the same shape."""
    factor = 1 + rng.uniform(-noise, noise, duration_ns.shape)
    return np.rint(duration_ns * factor).astype(np.int64)
