"""A distribution of its own that adds one of each kind; it is installed where it is in the path."""

import numpy as np

from iotflowgen.generators.recorded import Recorded, RecordedConfig
from iotflowgen.progress import silent
from iotflowgen.traffic import Session, cut_windows, draw_window_starts

__all__ = ["TYPE_OF_SERVICE", "ToyAdversary", "ToyCodec", "ToyGenerator", "toy_metric"]

TYPE_OF_SERVICE = 0x2A


class ToyGenerator(Recorded):
    """Captures, once more."""

    name = "toy-generator"
    Config = RecordedConfig

    def sample(self, n, rng, *, progress=silent):
        progress("sample", n, n)
        places = draw_window_starts(self._traces, n, self.config.window, rng)
        return cut_windows(self._traces, places)

    def sessions(self, n, rng):
        starts = np.cumsum([0, *map(len, self._traces)])
        return [self._session(i, starts) for i in rng.integers(len(self._traces), size=n)]

    def stream(self, rng, *, at_once=None):
        while True:
            yield from self.sessions(1, rng)

    def _session(self, i, starts):
        trace = self._traces[i]
        return Session(
            name=trace.name,
            time_ns=trace.time_ns - trace.time_ns[0],
            length=trace.length,
            outgoing=trace.outgoing,
            src_port=trace.src_port,
            dst_port=trace.dst_port,
            protocols=trace.protocols,
            source=np.arange(starts[i], starts[i + 1]),
            flow=np.full(len(trace), -1),
        )


class ToyAdversary:
    """Whatever is longer than what was real is synthetic."""

    name = "toy-adversary"
    needs_headers = False
    stretch_ns = 0

    def __init__(self, *, seed=0):
        self.seed = seed

    def fit(self, windows, synthetic):
        self._usual = windows.length[~synthetic].mean()
        return self

    def score(self, windows):
        return 1 / (1 + np.exp(self._usual - windows.length.mean(axis=1)))


def toy_metric(real, synthetic, train):
    """The mean length of frames."""
    return {"bytes": float(synthetic.length.mean()), "bytes_control": float(real.length.mean())}


class ToyCodec:
    """Gives all packets of IPv4 the same type of service."""

    name = "toy-codec"

    def __init__(self, recording):
        assert recording.of(self.name)["captured"].shape == (len(recording),)

    @staticmethod
    def encode(packets):
        frames, layers = packets.frames, packets.layers
        return {"captured": np.where(layers.is_ip4, frames.number(layers.network + 1, 1), -1)}

    def decode(self, packets, memory, noise):
        frames, layers = packets.frames, packets.layers
        told = np.full(len(packets), TYPE_OF_SERVICE)
        frames.put(layers.network + 1, 1, told, layers.is_ip4 & packets.is_new)
