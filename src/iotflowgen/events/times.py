"""Times as people and programs write them, in zones or without, as nanoseconds since the epoch."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from iotflowgen.errors import ArgumentError

__all__ = ["Moment", "iso", "local", "nanoseconds", "read_moment", "zone_of"]

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_FRACTION: Final = re.compile(r"(?<=:\d\d)[.,](\d+)")
_SECONDS: Final = re.compile(r"\d\d:\d\d:\d\d|T\d{6}")
_SPELT_OUT: Final = ("%B %d, %Y at %I:%M:%S%p", "%B %d, %Y at %I:%M%p")
"""As IFTTT writes times into a sheet."""


class Moment(NamedTuple):
    """A time that was read."""

    time_ns: int
    """Nanoseconds since the epoch."""
    to_minutes: bool
    """It says no seconds."""
    shown: int = 1
    """How often clocks have shown it: never, where they went forward and it is what those show that
    did not; or twice, where they went back, and it is the first one."""


def zone_of(name: str, argument: str = "zone") -> tzinfo:
    """A time zone, by a name as in the IANA database or by an offset such as `+01:00`.

    Raises:
        ArgumentError: There is none, or the database is not installed.
    """
    if re.fullmatch(r"[+-]\d\d:\d\d", name):
        sign = -1 if name[0] == "-" else 1
        hours, minutes = int(name[1:3]), int(name[4:])
        if hours < 24 and minutes < 60:
            return timezone(sign * timedelta(hours=hours, minutes=minutes))
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ArgumentError(
            f"{name!r} is no time zone such as Europe/Berlin, UTC or +01:00 (pip install tzdata "
            "brings their names where the system has none)",
            argument,
        ) from error


def nanoseconds(moment: datetime) -> int:
    """Nanoseconds since the epoch of a time that has a zone."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000


def read_moment(text: str, zone: tzinfo | None) -> Moment:
    """Read a time: of ISO 8601, as seconds since the epoch, or as IFTTT writes it.

    Args:
        text: Such as `2026-01-01T18:30:05.25+01:00`, `1767288605.25`, or
            `January 01, 2026 at 06:30PM`.
        zone: That of times which name none; None where there is none.

    Raises:
        ValueError: It is no time, or names no zone and none is given.
    """
    if found := re.fullmatch(r"(\d{8,10})(?:\.(\d{1,9}))?", text):
        fraction = (found[2] or "").ljust(9, "0")
        return Moment(int(found[1]) * 10**9 + int(fraction), to_minutes=False)
    parsed, fraction_ns, to_minutes = _parsed(text)
    if parsed.tzinfo is not None:
        return Moment(nanoseconds(parsed) + fraction_ns, to_minutes)
    if zone is None:
        raise ValueError(f"{text} names no time zone")
    there = parsed.replace(tzinfo=zone)
    return Moment(nanoseconds(there) + fraction_ns, to_minutes, _shown(there, zone))


def _parsed(text: str) -> tuple[datetime, int, bool]:
    """A time without a fraction of a second, that fraction, and whether it is of minutes only."""
    for form in _SPELT_OUT:
        try:
            return datetime.strptime(text, form), 0, "%S" not in form
        except ValueError:
            pass
    fraction = _FRACTION.search(text)
    digits = fraction[1][:9].ljust(9, "0") if fraction else "0"
    whole = _FRACTION.sub("", text)
    try:
        if not re.search(r"[T ]\d\d", whole):
            raise ValueError("a day alone")
        parsed = datetime.fromisoformat(whole)
    except ValueError as error:
        raise ValueError(f"{text} is no time such as 2026-01-01T18:30:05+01:00") from error
    if not 1970 < parsed.year < 2116:
        raise ValueError(f"{text} is not of a year from 1971 to 2115")
    return parsed, int(digits), not _SECONDS.search(whole)


def iso(time_ns: int) -> str:
    """In UTC, to the nanosecond, as ISO 8601 writes it."""
    seconds, rest = divmod(time_ns, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"


def local(day: date, clock: time, zone: tzinfo) -> tuple[int, str]:
    """When a clock in a zone shows a time on a day, and what is special about that, in words."""
    there = datetime.combine(day, clock, zone)
    said = {
        0: f"there is no {clock} on {day}, when clocks go forward: it is as much later",
        2: f"{clock} comes twice on {day}, when clocks go back: the first one is taken",
    }
    return nanoseconds(there), said.get(_shown(there, zone), "")


def _shown(there: datetime, zone: tzinfo) -> int:
    """How often clocks in a zone show a time of theirs."""
    back = there.astimezone(UTC).astimezone(zone)
    if back.replace(tzinfo=None, fold=0) != there.replace(tzinfo=None):
        return 0
    return 1 + (there.utcoffset() != there.replace(fold=1).utcoffset())
