"""Signals to decoys that run: SIGHUP asks for a reload, others for an end."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, Self

__all__ = ["Signals"]

_ENDS: Final = (signal.SIGINT, signal.SIGTERM)


class Signals:
    """Listens for as long as this lasts, to those that are not ignored.

    An exception that a handler raises can get lost, where Python finalises something. So while
    others wait for what happens, they hear of signals as of everything else.
    """

    def __init__(self) -> None:
        self._heard = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._before: dict[int, Any] = {}
        self._has_terminal = _has_terminal()
        self._waits = self._is_over = False

    def __enter__(self) -> Self:
        # a library may run in another thread than the main one, which alone hears signals
        with contextlib.suppress(ValueError):
            for number in (signal.SIGHUP, *_ENDS):
                before = signal.getsignal(number)
                if callable(before) or (number == signal.SIGHUP and before is signal.SIG_DFL):
                    signal.signal(number, self._hear)
                    self._before[number] = before
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        os.close(self._heard)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """For as long as this lasts, `check` and `answer` tell of an end."""
        self._waits = True
        try:
            yield
        finally:
            self._waits = False

    def _hear(self, number: int, frame: FrameType | None) -> None:
        # a terminal that closes asks for an end
        if number != signal.SIGHUP or (self._has_terminal and not _has_terminal()):
            self._is_over = True
            try:
                if callable(self._before[number]):
                    self._before[number](number, frame)
            except KeyboardInterrupt:
                if not self._waits:
                    raise
        os.eventfd_write(self._heard, 1)

    def fileno(self) -> int:
        """They can be heard from here."""
        return self._heard

    def check(self) -> None:
        """Look whether somebody asks for an end.

        Raises:
            KeyboardInterrupt: Somebody does.
        """
        if self._is_over:
            raise KeyboardInterrupt

    def answer(self, reply: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
        """Ask for a reload, which is told of in the log.

        Raises:
            KeyboardInterrupt: Somebody has asked for an end.
        """
        os.eventfd_read(self._heard)
        self.check()
        reply({"ask": "reload"})


def _has_terminal() -> bool:
    """Whether there is a terminal that controls this process."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
