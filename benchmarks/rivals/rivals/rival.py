"""A table of packets, as general-purpose generators of time series take it, and back.

One row a packet: the window it is in, frame length, direction, protocols and ports as categories,
and the duration as a logarithm. Ports are coded as for every other generator of windows
(`encoding.ports`): a general-purpose tool does not know that an ephemeral port is not to be learnt.

Shapes: N windows, L packets each.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Final, Self

import numpy as np
import pandas as pd
from pydantic import Field

from iotflowgen.encoding import PortConfig, PortEncoder, ProtocolEncoder
from iotflowgen.generators.port_numbers import PortNumbers
from iotflowgen.progress import Progress, silent
from iotflowgen.settings import Accelerator, Settings
from iotflowgen.traffic import Trace, Windows, cut_windows, draw_window_starts, every_window_start

__all__ = ["CATEGORIES", "DURATION", "WINDOW", "Rival", "RivalConfig"]

CATEGORIES: Final = ("length", "direction", "protocols", "src_port", "dst_port")
WINDOW: Final = "window"
DURATION: Final = "log_duration"
_RESOLUTION_NS: Final = 1000
"""Of captures; added to a duration, for 0 has no logarithm."""


class RivalConfig(Settings):
    """What all of them are given."""

    window: int = Field(default=20, ge=2)
    """L, packets a window."""
    windows: int = Field(default=500, ge=1)
    """Windows drawn at random to learn from, as many as the paper draws; fewer where the captures
    hold fewer."""
    epochs: int | None = Field(default=None, ge=1)
    """Passes over them; as many as the tool takes by itself, by default."""
    ports: PortConfig = PortConfig()
    """How ports are coded."""


class Rival(ABC):
    """Learns from, and draws, tables of packets."""

    name: ClassVar[str]
    Config: ClassVar[Any] = RivalConfig

    def __init__(
        self,
        config: RivalConfig | None = None,
        *,
        seed: int = 0,
        accelerator: Accelerator = "auto",
    ) -> None:
        self.config = config or RivalConfig()
        self.seed = seed
        self.cuda = accelerator != "cpu"

    def fit(self, traces: Sequence[Trace], *, progress: Progress = silent) -> Self:
        """Learn from the captures of one device.

        Raises:
            TooShort: No capture holds a window.
        """
        config, rng = self.config, np.random.default_rng(self.seed)
        n = min(config.windows, len(every_window_start(traces, config.window)))
        windows = cut_windows(traces, draw_window_starts(traces, n, config.window, rng))
        self._lengths, lengths = np.unique(windows.length, return_inverse=True)
        self._protocols = ProtocolEncoder.fit(windows.protocols)
        self._ports = PortEncoder.fit(traces, config.ports)
        self._numbers = PortNumbers.fit(traces, self._ports, config.window)
        self._longest = int(windows.duration_ns.max())
        src_port, dst_port = self._ports.encode(windows.src_port, windows.dst_port)
        columns = {
            WINDOW: np.repeat(np.arange(n), config.window),
            "length": lengths.reshape(windows.length.shape),
            "direction": windows.outgoing.astype(int),
            "protocols": self._protocols.encode(windows.protocols),
            "src_port": src_port,
            "dst_port": dst_port,
            DURATION: np.log10(windows.duration_ns + _RESOLUTION_NS),
        }
        self.fit_table(pd.DataFrame({name: each.ravel() for name, each in columns.items()}))
        progress("fit", 1, 1)
        return self

    def sample(self, n: int, rng: np.random.Generator, *, progress: Progress = silent) -> Windows:
        """Draw `n` synthetic windows."""
        table = self.sample_table(n, int(rng.integers(2**31)))
        progress("sample", n, n)
        shape = n, self.config.window
        columns = {name: table[name].to_numpy(np.int64).reshape(shape) for name in CATEGORIES}
        src_port, dst_port = self._ports.decode(columns["src_port"], columns["dst_port"])
        exponent = table[DURATION].to_numpy(np.float64).reshape(shape)
        duration_ns = np.rint(10 ** np.minimum(exponent, 18) - _RESOLUTION_NS)
        windows = Windows(
            duration_ns=np.clip(duration_ns, 0, self._longest).astype(np.int64),
            length=self._lengths[columns["length"]],
            outgoing=columns["direction"].astype(bool),
            src_port=src_port,
            dst_port=dst_port,
            protocols=self._protocols.decode(columns["protocols"]),
        )
        return self._numbers.draw(windows, rng)

    @abstractmethod
    def fit_table(self, table: pd.DataFrame) -> None:
        """Learn from N x L rows, window by window."""

    @abstractmethod
    def sample_table(self, n: int, seed: int) -> pd.DataFrame:
        """N x L rows of the same columns, window by window."""
