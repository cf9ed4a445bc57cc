"""A model of one device: learnt from captures, kept in a file, asked for honeydata."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
from pydantic import BaseModel, ValidationError

from iotflowgen.capture import CaptureWarning, Dissector
from iotflowgen.errors import ArgumentError, TooShort
from iotflowgen.events import Aligned
from iotflowgen.generators import (
    GENERATORS,
    EventGenerator,
    Generator,
    SessionGenerator,
    SideBySideGenerator,
    check_representable,
    first_packets,
    first_seconds,
    read_model,
    shifted_to,
    spaced,
)
from iotflowgen.library.arguments import check_choice, check_whole, seed_numbers
from iotflowgen.library.captures import Captures, read_captures
from iotflowgen.library.events import (
    EventSource,
    ScheduleSource,
    Wanted,
    aligned_events,
    captures_of_events,
    events_of_traces,
    wanted_events,
)
from iotflowgen.library.files import AnyPath, Paths
from iotflowgen.library.honeydata import Honeydata, OfSessions, OfWindows
from iotflowgen.library.times import nanoseconds_of, seconds_of
from iotflowgen.packets import Leases, learn
from iotflowgen.progress import Progress, silent
from iotflowgen.recording import Recording
from iotflowgen.settings import Accelerator
from iotflowgen.traffic import Event, Session

__all__ = ["Model", "Seed", "fit", "load"]

Seed = int | Sequence[int]
"""As `numpy.random.default_rng` takes it: the same seed, the same result."""

_FEW: Final = 5  # captures
_MOST_LEARNT: Final = 500_000
"""Packets: what is learnt of more of them takes memory and time, and is the same."""
_MOST: Final = {"windows": 10**6}
_DEFAULT, _OF_EVENTS = "sessions", "activities"
"""The method that learns, without events and with them."""


@dataclass(frozen=True, eq=False)
class Model:
    """How one device talks.

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


def fit(
    captures: Paths | Captures,
    *,
    generator: str | None = None,
    device: str | None = None,
    events: EventSource | None = None,
    events_zone: str | None = None,
    events_device: str | None = None,
    window: int | None = None,
    config: Mapping[str, Any] | BaseModel | None = None,
    deduplicate: bool = False,
    dissector: Dissector = "builtin",
    keep_identifiers: bool = False,
    seed: int = 0,
    accelerator: Accelerator = "auto",
    progress: Progress = silent,
) -> Model:
    """Learn how one device talks from its captures: 5 to 20 of them, or a long one.

    A long one, where there are fewer than five, is cut into pieces (`Captures.in_pieces`). Of more
    than 500,000 packets, or 64 MB, so much is learnt from (`Captures.at_most`).

    Args:
        captures: pcap or pcapng, plain or packed, or folders of them; or what `read_captures` read.
        generator: The method that learns: `sessions`, the default; `activities`, the default where
            there are events; `iotflow`, the paper's; `doppelganger`; `markov`; `replay`.
        device: MAC or IP address of the device; by default the most common IP address (section
            4.2). Captures that are read already have theirs.
        events: What was done to the device, and when: CSV files with the columns `time` and
            `event`; `comments`, those of packets in pcapng, such as `event: on`; `folders`, whose
            names are the events of the captures in them; or pairs of a time and a name.
        events_zone: Time zone of times that name none, such as `Europe/Berlin` or `+01:00`.
        events_device: Whose events are meant where the files have a column `device`.
        window: L, packets a window; by default 20.
        config: Settings of the method: those of its `Config` that are to be others than usual.
        deduplicate: Whether packets that stand twice, as of mirrored ports, are taken once.
        dissector: Who tells what packets are, as in `read_captures`.
        keep_identifiers: Whether the model keeps captured addresses, serial numbers and names, and
            what a single capture says. By default it knows others only, drawn in their place.
        seed: The same seed, the same model.
        accelerator: Where PyTorch runs; auto takes a GPU if there is one.
        progress: Told after each step.

    Warns:
        CaptureWarning: Captures are few, doubtful (`Captures.doubt`), cut into pieces, of another
            link type, or of cut frames; and as `read_captures`.
        EventWarning: Events do not go with the captures as they should (`events.align`).

    Raises:
        ArgumentError: There is no such method, dissector or accelerator, the method has no such
            setting or learns no events, the seed is negative, or events cannot be read or are of
            another time than the captures.
        CaptureError: The captures cannot be used (`read_captures`), or are too short (`TooShort`).
        TrainingError: There is too little to learn from, or training came to nothing.
    """
    check_choice(dissector, get_args(Dissector), "dissector")
    check_choice(accelerator, get_args(Accelerator), "accelerator")
    check_whole(seed, 0, "seed")
    method = _method(generator or (_DEFAULT if events is None else _OF_EVENTS))
    if events is not None and not issubclass(method, EventGenerator):
        raise ArgumentError(f"{method.name} learns no events; choose activities", "generator")
    fitted = method(_settings(method, config, window), seed=seed, accelerator=accelerator)
    if not isinstance(captures, Captures):
        captures = captures_of_events(captures) if events == "folders" else captures
        captures = read_captures(
            captures, device=device, dissector=dissector, most=_MOST_LEARNT, progress=progress
        )
    if not captures:
        raise TooShort("there are no captures to learn from")
    if deduplicate:
        captures = captures.deduplicated()
    captures.doubt()
    aligned = None
    if events is not None:
        aligned = aligned_events(events, captures, events_zone, events_device)
    whole = captures.packets
    captures = captures.at_most(_MOST_LEARNT)
    if len(captures) < _FEW:
        captures = captures.in_pieces()
    anonymous = None if keep_identifiers else np.random.default_rng([seed, 1])
    traces, recording = learn(captures.with_frames(), anonymous=anonymous)
    if aligned is not None and isinstance(fitted, EventGenerator):
        parts = captures.packets < whole
        own = events_of_traces(aligned.events, traces, are_parts=parts)
        fitted.fit(traces, events=own, progress=progress)
    else:
        fitted.fit(traces, progress=progress)
    if recording is None:
        _warn(
            "no packets kept, for only tshark reads these captures, so generated packets will be "
            "fuzzed; capture Ethernet or IP, not 802.11"
        )
    if len(captures) < _FEW:
        _warn("few captures to learn from; with 5 to 20 what it generates is much more varied")
    if len(captures) == 1 and recording is not None and not keep_identifiers:
        _warn("nothing recurs in one capture, so what only one connection says is drawn anew")
    return Model(fitted, recording, tuple(map(len, traces)), aligned)


def load(path: AnyPath, *, accelerator: Accelerator = "auto") -> Model:
    """Read a model file, whichever method wrote it.

    Args:
        path: What `Model.save` or `iotflowgen fit` wrote.
        accelerator: Where PyTorch runs; auto takes a GPU if there is one.

    Raises:
        ArgumentError: There is no such accelerator.
        ModelError: It is absent, damaged, of another version, or of a method unknown here.
    """
    check_choice(accelerator, get_args(Accelerator), "accelerator")
    stored = read_model(Path(path))
    said = stored.metadata
    fitted = GENERATORS[said.generator].restore(stored, accelerator=accelerator)
    return Model(fitted, stored.recording, said.captures)


def _method(name: str) -> type[Generator]:
    check_choice(name, GENERATORS, "generator")
    return GENERATORS[name]


def _settings(
    method: type[Generator], config: Mapping[str, Any] | BaseModel | None, window: int | None
) -> Any:  # noqa: ANN401 - each method has settings of its own
    if not isinstance(config, Mapping | BaseModel | None):
        raise ArgumentError(f"{config!r} is neither settings by their names nor a Config", "config")
    given = config.model_dump() if isinstance(config, BaseModel) else dict(config or {})
    if window is not None:
        given["window"] = window
    try:
        return method.Config.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "settings"
        reason = f"{where}: {first['msg'].removeprefix('Value error, ')}"
        if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
            reason = f"{where!r} is none of: {', '.join(method.Config.model_fields)}"
        by_itself = where == "window" and window is not None
        raise ArgumentError(reason, "window" if by_itself else "config") from error


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


def _warn(message: str) -> None:
    warnings.warn(message, CaptureWarning, stacklevel=3)
