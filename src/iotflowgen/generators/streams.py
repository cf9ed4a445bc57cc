"""Sessions in sequence: a number of them, of packets, or of seconds.

Each function maps an iterator to an iterator, so memory does not grow with the amount.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from iotflowgen.errors import OutputError
from iotflowgen.generators.generator import SessionGenerator
from iotflowgen.progress import Progress, silent
from iotflowgen.traffic import Session

__all__ = ["check_representable", "first_packets", "first_seconds", "shifted_to", "spaced"]

_AT_ONCE = 64  # sessions drawn together
_APART_NS = 60 * 10**9


def spaced(
    generator: SessionGenerator, n: int, rng: np.random.Generator, *, progress: Progress = silent
) -> Iterator[Session]:
    """Draw `n` sessions, each a minute after the one before has ended; the first at time 0."""
    now_ns = 0
    for done in range(0, n, _AT_ONCE):
        drawn = generator.sessions(min(_AT_ONCE, n - done), rng)
        for number, session in enumerate(drawn, start=done):
            yield replace(session, name=str(number), time_ns=session.time_ns + now_ns)
            now_ns += int(session.time_ns[-1]) + _APART_NS
            progress("generate", number + 1, n)


def first_packets(
    sessions: Iterable[Session], n: int, *, progress: Progress = silent
) -> Iterator[Session]:
    """Sessions up to the packet `n`."""
    left = n
    for session in sessions:
        yield session[:left]
        left -= min(left, len(session))
        progress("generate", n - left, n)
        if not left:
            return


def first_seconds(
    sessions: Iterable[Session], seconds: float, *, progress: Progress = silent
) -> Iterator[Session]:
    """Sessions of packets up to so many seconds after time 0."""
    for session in sessions:
        inside = int(np.searchsorted(session.time_ns, seconds * 1e9, side="right"))
        yield session[:inside]
        over = inside < len(session)
        reached = seconds if over else int(session.time_ns[-1]) / 1e9
        progress("generate", round(reached), round(seconds), "seconds")
        if over:
            return


def check_representable(time_ns: int) -> None:
    """Check that a time, in nanoseconds since the epoch, fits into 64 bits.

    Raises:
        OutputError: They do not.
    """
    if not -(2**63) <= time_ns < 2**63:
        raise OutputError(
            "no time before 1677-09-22 or after 2262-04-11 is possible; choose another --start, or "
            "write less"
        )


def shifted_to(sessions: Iterable[Session], start_ns: int) -> Iterator[Session]:
    """Sessions as much later.

    Raises:
        OutputError: They go on beyond what 64 bits of nanoseconds can tell.
    """
    for session in sessions:
        if len(session):
            check_representable(start_ns)
            check_representable(start_ns + int(session.time_ns[-1]))
        yield replace(session, time_ns=session.time_ns + start_ns)
