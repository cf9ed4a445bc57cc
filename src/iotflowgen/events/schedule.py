"""Schedules: which events happen to a device at which hours of which days, as a TOML file says.

::

    zone = "Europe/Berlin"

    [[events]]
    event = "on"
    at = ["07:00", "18:30:05"]
    jitter = "10m"

    [[events]]
    event = "toggle"
    days = ["sat", "sun"]
    hours = ["09:00-12:00", "18:00-23:00"]
    per_hour = 1.5

Each day is drawn by itself, so that the same seed gives the same day, whenever drawing begins.
"""

import tomllib
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, get_args

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from iotflowgen.errors import ArgumentError
from iotflowgen.events.log import EventWarning
from iotflowgen.events.times import local, zone_of
from iotflowgen.files import parsed_text
from iotflowgen.traffic import Event

__all__ = ["Day", "Habit", "Schedule", "read_schedule"]

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS: Final[tuple[Day, ...]] = get_args(Day)
_CLOCK: Final = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?"
_HOURS: Final = rf"^{_CLOCK}-({_CLOCK}|24:00)$"
_JITTER: Final = r"^(\d{1,4}s|\d{1,3}m|(\d|1[0-2])h)$"
_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
_MOST_PER_HOUR: Final = 3600.0


def _checked_zone(name: str) -> str:
    zone_of(name)
    return name


class Habit(BaseModel):
    """One kind of event, and when it happens: at times of the day, or at a rate in some hours."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: Annotated[str, Field(min_length=1, max_length=100)]
    """What happens."""
    decoy: str | None = None
    """To whom, where there are several; by default to all who know the event."""
    days: tuple[Day, ...] = _DAYS
    """Days of the week."""
    at: tuple[Annotated[str, Field(pattern=rf"^{_CLOCK}$")], ...] = ()
    """Times of the day, once each."""
    jitter: Annotated[str, Field(pattern=_JITTER)] = "0s"
    """By so much sooner or later it happens than `at` says, evenly."""
    hours: tuple[Annotated[str, Field(pattern=_HOURS)], ...] = ("00:00-24:00",)
    """Hours of the day in which it happens at a rate; they may go on after midnight."""
    per_hour: Annotated[float, Field(ge=0, le=_MOST_PER_HOUR)] | None = None
    """How often in each of these hours, on the mean (Poisson)."""

    @field_validator("at", "hours", "days", mode="before")
    @classmethod
    def _several(cls, said: object) -> object:
        """One needs no brackets."""
        return (said,) if isinstance(said, str) else said

    @model_validator(mode="after")
    def _either(self) -> Self:
        if bool(self.at) == (self.per_hour is not None):
            raise ValueError(f"{self.event}: say either `at`, or `per_hour` and perhaps `hours`")
        return self

    def draw(self, day: date, zone: str, rng: np.random.Generator) -> Iterator[int]:
        """When it happens on a day, nanoseconds since the epoch, in no order.

        Warns:
            EventWarning: The day has one of its times twice, or never.
        """
        if _DAYS[day.weekday()] not in self.days:
            return
        there, jitter_s = zone_of(zone), float(self.jitter[:-1]) * _UNITS[self.jitter[-1]]
        for clock in self.at:
            time_ns, strange = local(day, time.fromisoformat(clock), there)
            if strange:
                _warn(f"{self.event} in {zone}: {strange}")
            yield time_ns + int(rng.uniform(-jitter_s, jitter_s) * 1e9)
        if self.per_hour is None:
            return
        for hours in self.hours:
            on, off = hours.split("-")
            # clocks that change in between make them longer or shorter
            first, _ = local(day, time.fromisoformat(on), there)
            ends = "00:00" if off == "24:00" else off
            last, _ = local(day + timedelta(days=ends <= on), time.fromisoformat(ends), there)
            n = rng.poisson(self.per_hour * max(last - first, 0) / 3600e9)
            yield from rng.integers(first, max(last, first + 1), size=n).tolist()


class Schedule(BaseModel):
    """Habits of those who use a device."""

    model_config = ConfigDict(frozen=True)

    zone: Annotated[str, AfterValidator(_checked_zone)] = "UTC"
    """The time zone of all hours, such as `Europe/Berlin` or `+01:00`."""
    events: tuple[Habit, ...] = ()
    """What happens."""

    def of(self, names: Sequence[str], decoy: str | None = None) -> Self:
        """The habits of one device: those that name it, and of those for all, what it knows.

        Args:
            names: Of the events that it knows.
            decoy: What it is called; None where nobody is called anything, and all are meant.

        Raises:
            ArgumentError: It does not know an event that it is to have.
        """
        own = [each for each in self.events if decoy is None or each.decoy in (None, decoy)]
        for each in own:
            if each.event not in names and (decoy is None or each.decoy is not None):
                known = ", ".join(names) or "none"
                raise ArgumentError(f"{each.event!r} is no event that the model knows: {known}")
        known_ones = tuple(each for each in own if each.event in names)
        return self.model_copy(update={"events": known_ones})

    def draw(self, start_ns: int, seed: Sequence[int]) -> Iterator[Event]:
        """Events from a time on, in order, without end if there are any habits.

        Args:
            start_ns: Nanoseconds since the epoch.
            seed: The same seed, the same events of a day.
        """
        if not any(each.at or each.per_hour for each in self.events):
            return
        zone = zone_of(self.zone)
        today = datetime.fromtimestamp(start_ns // 10**9, UTC).astimezone(zone).date()
        # what jitter, or hours after midnight, bring forward or back
        day, waiting = today - timedelta(days=2), list[Event]()
        while True:
            waiting += self._of_day(day, seed)
            day += timedelta(days=1)
            until_ns, _ = local(day - timedelta(days=1), time(), zone)
            due = sorted(each for each in waiting if each.time_ns < until_ns)
            waiting = [each for each in waiting if each.time_ns >= until_ns]
            yield from (each for each in due if each.time_ns >= start_ns)

    def _of_day(self, day: date, seed: Sequence[int]) -> Iterator[Event]:
        for number, habit in enumerate(self.events):
            told = (day.toordinal(), number, zlib.crc32(habit.event.encode()))
            rng = np.random.default_rng([*seed, *told])
            for time_ns in habit.draw(day, self.zone, rng):
                yield Event(time_ns, habit.event)


def read_schedule(path: Path) -> Schedule:
    """Read the `zone` and the `[[events]]` of a TOML file, such as a home's.

    Raises:
        ArgumentError: It cannot be read, has no events, or says what cannot be.
    """
    try:
        said: Mapping[str, Any] = parsed_text(path, tomllib.loads)
        own = {name: said[name] for name in ("zone", "events") if name in said}
        schedule = Schedule.model_validate(own)
    except OSError as error:
        raise ArgumentError(f"cannot read {path}: {error.strerror}", "schedule") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        reason = first["msg"].removeprefix("Value error, ")
        raise ArgumentError(f"{path}: {where}: {reason}", "schedule") from error
    except ArgumentError:
        raise
    except ValueError as error:
        raise ArgumentError(f"{path} is no TOML: {error}", "schedule") from error
    if not schedule.events:
        raise ArgumentError(f"{path} has no [[events]]", "schedule")
    return schedule


def _warn(message: str) -> None:
    warnings.warn(message, EventWarning, stacklevel=4)
