"""A distribution of its own that adds one of each kind; it is installed where it is in the path."""

from dataclasses import fields, replace

import numpy as np
from pydantic import Field

from iotflowgen.generators.recorded import Recorded, RecordedConfig
from iotflowgen.progress import silent
from iotflowgen.traffic import Event, Session, cut_windows, draw_window_starts

__all__ = [
    "TYPE_OF_SERVICE",
    "ToyAdversary",
    "ToyCodec",
    "ToyEvents",
    "ToyGenerator",
    "toy_metric",
]

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


class ToyEventsConfig(RecordedConfig):
    """It keeps what it has learnt of events among its settings."""

    follows: dict[str, list[tuple[int, int, int]]] = Field(default_factory=dict)
    """By the name of the event: the first packet after each, how many, and how much later, ns."""


class ToyEvents(ToyGenerator):
    """Captures, once more; events are followed by what followed one of theirs within a second."""

    name = "toy-events"
    Config = ToyEventsConfig

    def fit(self, traces, *, events=(), progress=silent):
        follows = {}
        starts = np.cumsum([0, *map(len, traces)])
        for trace, own, start in zip(traces, events, starts, strict=False):
            for time_ns, name in own:
                first, last = np.searchsorted(trace.time_ns, [time_ns, time_ns + 10**9])
                lag_ns = int(trace.time_ns[first]) - time_ns if first < last else 0
                what = int(start + first), int(last - first), lag_ns
                follows.setdefault(name, []).append(what)
        if follows:
            self.config = self.config.model_copy(update={"follows": follows})
        return super().fit(traces, progress=progress)

    def known_events(self):
        return {name: len(known) for name, known in self.config.follows.items()}

    def stream(self, rng, *, at_once=None, events=(), start_ns=0):
        coming, end_ns = iter([*events, Event(2**62, "")]), 0
        event, number = next(coming), 0
        while True:
            (session,) = self.sessions(1, rng)
            session = replace(session, name="stream", time_ns=session.time_ns + end_ns)
            end_ns = int(session.time_ns[-1]) + 10**9
            session = replace(session, event=np.full(len(session), -1))
            while event.time_ns < end_ns:
                session = self._with(session, event, number, rng)
                event, number = next(coming), number + 1
            end_ns = max(end_ns, int(session.time_ns[-1]) + 1)
            yield session

    def respond(self, ahead, event, rng, *, number=0):
        return self._with(ahead, event, number, rng)

    def _with(self, session, event, number, rng):
        known = self.config.follows[event.name]
        first, size, lag_ns = known[rng.integers(len(known))]
        trace = self._all()
        own = trace[slice(first, first + size)]
        if not len(own):
            return session
        own = replace(
            own,
            name=session.name,
            time_ns=own.time_ns - own.time_ns[0] + event.time_ns + lag_ns,
            event=np.full(len(own), number),
        )
        return Session.merged([session, own])

    def _all(self):
        starts = np.cumsum([0, *map(len, self._traces)])
        parts = [self._session(i, starts) for i in range(len(self._traces))]
        columns = {
            each.name: np.concatenate([getattr(part, each.name) for part in parts])
            for each in fields(Session)
            if each.name not in ("name", "event", "time_ns")
        }
        gaps = [np.diff(part.time_ns, prepend=-(10**9)) for part in parts]
        return Session(name="all", time_ns=np.cumsum(np.concatenate(gaps)), **columns)


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
