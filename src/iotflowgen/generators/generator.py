"""What generators do; the contract suite in the tests holds each of them to it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np

from iotflowgen.generators.model_file import StoredModel
from iotflowgen.progress import Progress, silent
from iotflowgen.recording import Recording
from iotflowgen.settings import Accelerator
from iotflowgen.traffic import Event, Session, Trace, Windows

__all__ = ["EventGenerator", "Generator", "SessionGenerator", "SideBySideGenerator"]


class Generator(Protocol):
    """Learns from captures of one device, then draws windows of new traffic.

    The same seed gives the same windows, bit for bit, on the same kind of processor and with as
    many threads; GPUs make no such promise.
    """

    name: ClassVar[str]
    Config: ClassVar[Any]
    """Its settings: a frozen pydantic model in which everything has a default."""

    def __init__(
        self,
        config: Any = None,  # noqa: ANN401 - each method has settings of its own
        *,
        seed: int = 0,
        accelerator: Accelerator = "auto",
    ) -> None: ...

    def fit(self, traces: Sequence[Trace], *, progress: Progress = silent) -> Self:
        """Learn from the captures of one device.

        Raises:
            TooShort: No capture holds a window.
            TrainingError: There is too little to learn from, or training came to nothing.
        """

    def sample(self, n: int, rng: np.random.Generator, *, progress: Progress = silent) -> Windows:
        """Draw `n` synthetic windows.

        Raises:
            ModeCollapse: They repeat themselves far more than real windows do.
        """

    def save(self, path: Path, recording: Recording | None = None) -> None:
        """Write the model file, whole or not at all; with the captured packets, where there are.

        Raises:
            OutputError: The file cannot be written.
        """

    @classmethod
    def load(cls, path: Path, *, accelerator: Accelerator = "auto") -> Self:
        """Read a model file that `save` wrote.

        Raises:
            ModelError: It is damaged, of another version, or of another generator.
        """

    @classmethod
    def restore(cls, stored: StoredModel, *, accelerator: Accelerator = "auto") -> Self:
        """The generator of a model file that was read.

        Raises:
            ModelError: Its parts do not fit together.
        """


@runtime_checkable
class SessionGenerator(Protocol):
    """A generator that draws whole sessions, too."""

    def sessions(self, n: int, rng: np.random.Generator) -> list[Session]:
        """Draw `n` sessions, each from its first packet, at time 0, to its last."""

    def stream(self, rng: np.random.Generator, *, at_once: int | None = None) -> Iterator[Session]:
        """One session that never ends, from time 0 on, piece by piece under one name.

        About `at_once` packets are drawn together: as many as is quick, by default.
        """


@runtime_checkable
class SideBySideGenerator(SessionGenerator, Protocol):
    """A generator whose streams take less time beside each other."""

    def side_by_side(
        self, *, at_once: int | None = None
    ) -> Callable[[np.random.Generator], Iterator[Session]]:
        """What `stream` yields of each generator of random numbers, for many of these."""


@runtime_checkable
class EventGenerator(SessionGenerator, Protocol):
    """A generator that knows what its device does because of events."""

    def known_events(self) -> Mapping[str, int]:
        """Names of the events that it knows, and how many of each it has learnt from."""

    def fit(
        self,
        traces: Sequence[Trace],
        *,
        events: Sequence[Sequence[Event]] = (),
        progress: Progress = silent,
    ) -> Self:
        """Learn from captures, and from the events of each of them, in order of time.

        Events are on the clock of their capture. Without any it knows none.
        """

    def stream(
        self,
        rng: np.random.Generator,
        *,
        at_once: int | None = None,
        events: Iterable[Event] = (),
        start_ns: int = 0,
    ) -> Iterator[Session]:
        """As of a `SessionGenerator`, with events at times from the session's time 0 on.

        They come in order of time, and may go on for ever. Packets say which they are caused by,
        and nothing else is done that events cause; where the sequence is empty, this comes by
        itself. Time 0 is `start_ns`, nanoseconds since the epoch, which gives the hours of the day.
        """

    def respond(
        self, ahead: Session, event: Event, rng: np.random.Generator, *, number: int = 0
    ) -> Session:
        """What is drawn of a stream and not used yet, with what an event in that time causes.

        Its packets say that `number` has caused them; the others keep what they say, or say -1. It
        goes on with connections that are open, and opens others, whose numbers no piece of the
        stream has.

        Args:
            ahead: A stretch of a stream.
            event: On the clock of that stretch.
            rng: Draws what the event causes.
            number: Of the event, among all.
        """
