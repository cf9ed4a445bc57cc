"""A model of one device: learnt from captures, kept in a file, asked for honeydata."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import Any, Final

import numpy as np

from iotflowgen.errors import ArgumentError
from iotflowgen.events import Aligned
from iotflowgen.generators import (
    EventGenerator,
    Generator,
    SessionGenerator,
    SideBySideGenerator,
    check_representable,
    first_packets,
    first_seconds,
    shifted_to,
    spaced,
)
from iotflowgen.library.arguments import seed_numbers
from iotflowgen.library.events import (
    ScheduleSource,
    Wanted,
    wanted_events,
)
from iotflowgen.library.files import AnyPath
from iotflowgen.library.honeydata import Honeydata, OfSessions, OfWindows
from iotflowgen.library.times import nanoseconds_of, seconds_of
from iotflowgen.packets import Leases
from iotflowgen.progress import Progress
from iotflowgen.recording import Recording
from iotflowgen.traffic import Event, Session

__all__ = ["Model", "Seed"]

Seed = int | Sequence[int]
"""As `numpy.random.default_rng` takes it: the same seed, the same result."""

_MOST: Final = {"windows": 10**6}


@dataclass(frozen=True, eq=False)
class Model:
    """How one device talks.

    >>> from iotflowgen import fit
    >>> model = fit("samples/plug")
    >>> honey = model.generate(sessions=2, seed=1)
    >>> [session.name for session in honey]
    ['0', '1']
    """

    generator: Generator
    """The method, fitted."""
    recording: Recording | None
    """The captured packets; None where they are not read as Ethernet: generated ones are
    fuzzed."""
    captures: tuple[int, ...]
    """Packets of each capture that it was fitted on."""
    aligned: Aligned | None = None
    """How events were brought in line with the captures; None of a model that was loaded."""

    @property
    def events(self) -> dict[str, int]:
        """Names of the events that it knows, and how many of each it has learnt from."""
        if isinstance(self.generator, EventGenerator):
            return dict(self.generator.known_events())
        return {}

    @property
    def report(self) -> dict[str, Any]:
        """How the fit went, where the method tells; the settings are `generator.config`."""
        report = getattr(self.generator, "report", None)
        return {} if report is None else asdict(report)

    def save(self, path: AnyPath) -> None:
        """Write the model file, whole or not at all.

        Raises:
            OutputError: The file cannot be written.
        """
        self.generator.save(Path(path), self.recording)

    def generate(
        self,
        *,
        sessions: int | None = None,
        packets: int | None = None,
        duration: str | timedelta | None = None,
        windows: int | None = None,
        events: Wanted | None = None,
        schedule: ScheduleSource | None = None,
        zone: str | None = None,
        seed: Seed = 0,
        start: str | datetime | None = None,
    ) -> Honeydata:
        """Ask for honeydata; it is drawn when it is written, or iterated over.

        How much is said by one of the first four; by none, it is one session. With events it is
        one session without end, by default for a minute after the last of them, or for a day of a
        schedule.

        Args:
            sessions: So many, from first packet to last, each a minute after the one before.
            packets: So many of one session without end.
            duration: So long of it: `90s`, `30m`, `24h`, `7d`, or a `timedelta`.
            windows: So many windows, as in the paper (section 4.2).
            events: What is to happen, such as `on@18:30`, `on@2026-01-01T18:30:05Z`, or pairs of a
                time (`datetime`, or nanoseconds since the epoch) and a name.
            schedule: Events by the hour and the day, drawn by the seed: a file (`events.Schedule`).
            zone: Time zone of events that name none, such as `Europe/Berlin`; by default UTC.
            seed: The same seed, the same honeydata.
            start: When the first packet is sent, ISO 8601, in UTC unless it says another zone; by
                default now, so name it where the same file is wanted again.

        Warns:
            EventWarning: Clocks change, and show a time of an event twice or never.

        Raises:
            ArgumentError: An amount is no whole number or not more than nothing, several are given,
                the model draws windows only and is asked for something else, the seed is
                negative, or an event cannot be: it is unknown, or of another time.
        """
        start_ns, numbers = nanoseconds_of(start), seed_numbers(seed)
        amounts: dict[str, float | None] = {
            "windows": windows,
            "sessions": sessions,
            "packets": packets,
            "duration": None if duration is None else seconds_of(duration),
        }
        happens: tuple[Event, ...] = ()
        if events is not None or schedule is not None:
            happens, amounts["duration"] = wanted_events(
                events, schedule, [*self.events], amounts, zone, start_ns, numbers
            )
        unit, amount = _amount(**amounts)
        end_ns = start_ns + int(amount * 10**9) * (unit == "duration")
        name = self.generator.name
        if unit == "windows":
            windows_of = partial(_windows, self.generator, int(amount), numbers)
            return OfWindows(windows_of, self.recording, seed=numbers, name=name, start_ns=start_ns)
        self._of_sessions(unit)
        sessions_of = partial(self._sessions, unit, amount, numbers, start_ns, end_ns, happens)
        return OfSessions(
            sessions_of, self.recording, seed=numbers, name=name, end_ns=end_ns, events=happens
        )

    def stream(
        self,
        *,
        seed: Seed = 0,
        start: str | datetime | None = None,
        at_once: int | None = None,
    ) -> Iterator[Session]:
        """One session without end, piece by piece; memory does not grow.

        Pieces share their name, and a connection has the same number in all of them. The first are
        what `generate` draws of the same seed.

        Args:
            seed: The same seed, the same session.
            start: As for `generate`.
            at_once: About so many packets are drawn together, a piece: many, by default. Where many
                sessions go on beside each other, fewer take less memory.

        Raises:
            ArgumentError: The model draws windows only, or the seed is negative.
            OutputError: Time has gone on beyond 2262, which 64 bits do not hold.
        """
        return self.streams(at_once=at_once)(seed, start)

    def streams(
        self, *, at_once: int | None = None
    ) -> Callable[[Seed, str | datetime | None], Iterator[Session]]:
        """What `stream` yields of seeds and starts, for many that go on beside each other.

        They take less time, and each is what it is by itself.

        Args:
            at_once: As for `stream`.

        Raises:
            ArgumentError: As `stream`.
        """
        drawn = self._endless("stream", at_once)

        def stream(seed: Seed, start: str | datetime | None) -> Iterator[Session]:
            rng, start_ns = np.random.default_rng(seed_numbers(seed)), nanoseconds_of(start)
            return shifted_to(drawn(rng, start_ns, ()), start_ns)

        return stream

    def summary(self) -> dict[str, Any]:
        """What it was made from, in types that JSON has."""
        found: dict[str, Any] = {
            "generator": self.generator.name,
            "captures": len(self.captures),
            "packets": sum(self.captures),
        }
        if self.recording is not None and not self.recording.identities.drawn:
            known = self.recording.identities
            found |= {"ip": known.device_ip, "mac": known.device_mac}
        if self.events:
            found["events"] = self.events
        if self.aligned is not None:
            found["times"] = {how.log: str(how) for how in self.aligned.logs}
        return found

    def _of_sessions(self, asked: str) -> SessionGenerator:
        if not isinstance(self.generator, SessionGenerator):
            reason = f"a model of {self.generator.name} draws windows only; say --windows"
            raise ArgumentError(reason, asked)
        return self.generator

    def _sessions(
        self,
        unit: str,
        amount: float,
        seed: Sequence[int],
        start_ns: int,
        end_ns: int,
        events: Sequence[Event],
        progress: Progress,
    ) -> Iterator[Session]:
        check_representable(end_ns)
        rng = np.random.default_rng(seed)
        if unit == "sessions":
            drawn = spaced(self._of_sessions(unit), int(amount), rng, progress=progress)
            return shifted_to(drawn, start_ns)
        endless = self._endless(unit)(rng, start_ns, events)
        if unit == "packets":
            drawn = first_packets(endless, int(amount), progress=progress)
        else:
            drawn = first_seconds(endless, amount, progress=progress)
        return shifted_to(drawn, start_ns)

    def _endless(
        self, asked: str, at_once: int | None = None
    ) -> Callable[[np.random.Generator, int, Sequence[Event]], Iterator[Session]]:
        """Streams, with the renewals of their leases where captured packets tell of any."""
        generator = self._of_sessions(asked)
        drawn = (
            generator.side_by_side(at_once=at_once)
            if isinstance(generator, SideBySideGenerator)
            else partial(generator.stream, at_once=at_once)
        )
        leases = None if self.recording is None else Leases(self.recording)

        def stream(
            rng: np.random.Generator, start_ns: int, events: Sequence[Event]
        ) -> Iterator[Session]:
            leases_rng = rng.spawn(1)[0]
            if isinstance(generator, EventGenerator):
                since = [Event(time_ns - start_ns, name) for time_ns, name in events]
                own = generator.stream(rng, at_once=at_once, events=since, start_ns=start_ns)
            else:
                own = drawn(rng)
            return own if leases is None else leases.renewed(own, leases_rng)

        return stream


def _amount(**asked: float | None) -> tuple[str, float]:
    """How much is asked for, of what."""
    given = {unit: amount for unit, amount in asked.items() if amount is not None}
    if len(given) > 1:
        raise ArgumentError("how much? Say one of these", *given)
    ((unit, amount),) = given.items() or {"sessions": 1}.items()
    whole = unit == "duration" or isinstance(amount, Integral)
    if not whole or not 0 < amount <= _MOST.get(unit, amount):
        raise ArgumentError(f"{amount!r} is no possible number of {unit}", unit)
    return unit, amount


def _windows(generator: Generator, n: int, seed: Sequence[int], progress: Progress) -> Any:  # noqa: ANN401
    return generator.sample(n, np.random.default_rng(seed), progress=progress)
