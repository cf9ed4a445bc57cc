"""How long, and when: texts and Python's own types, as numbers."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from iotflowgen.errors import ArgumentError

__all__ = ["nanoseconds_of", "seconds_of"]

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds_of(duration: str | timedelta) -> float:
    """Seconds of a duration.

    >>> seconds_of("24h")
    86400.0

    Raises:
        ArgumentError: It is none, or not more than nothing.
    """
    if isinstance(duration, timedelta):
        seconds = duration.total_seconds()
    else:
        # more digits than these are more seconds than there are
        found = re.fullmatch(r"(\d{1,18}(?:\.\d{1,9})?)([smhd])", str(duration))
        seconds = float(found[1]) * _UNITS[found[2]] if found else 0
    if seconds <= 0:
        raise ArgumentError(f"{duration} is no time such as 90s, 30m, 24h or 7d", "duration")
    return seconds


def nanoseconds_of(start: str | datetime | None) -> int:
    """Nanoseconds since the epoch of a time; now, to the second, without one.

    What names no time zone is UTC.

    >>> nanoseconds_of("2026-01-01T08:00+01:00")
    1767250800000000000

    Raises:
        ArgumentError: It is none.
    """
    if start is None or start == "now":
        return int(datetime.now(UTC).timestamp()) * 10**9
    try:
        time = start if isinstance(start, datetime) else datetime.fromisoformat(start)
    except (TypeError, ValueError) as error:
        reason = f"{start} is no time such as 2026-01-01T08:00 or now"
        raise ArgumentError(reason, "start") from error
    since = (time if time.tzinfo else time.replace(tzinfo=UTC)) - datetime.fromtimestamp(0, UTC)
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000
