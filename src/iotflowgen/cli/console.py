"""What all commands share with the person at the terminal: progress, warnings and errors."""

import functools
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from iotflowgen.errors import ArgumentError, IoTFlowGenError
from iotflowgen.files import INTERRUPTS, printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = [
    "counted",
    "interrupted_status",
    "one_thread",
    "out",
    "progress_display",
    "reports_errors",
    "say",
    "show_table",
]

_P = ParamSpec("_P")
_R = TypeVar("_R")

_SILENCE = 60
"""Seconds after which a log hears that work goes on."""

_LONGEST_LINE = 4096
"""Characters of a line in a file, where nothing is folded."""

_WIDTH = None if sys.stdout.isatty() else _LONGEST_LINE
# a MAC address may hold `:ab:`, which would be an emoji
out = Console(highlight=False, emoji=False, width=_WIDTH)
_err = Console(stderr=True, highlight=False, emoji=False)


def reports_errors(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Turn what goes wrong into one line on standard error and an exit status."""

    @functools.wraps(command)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            try:
                with _interrupts.listening():
                    return command(*args, **kwargs)
            except ArgumentError as error:
                options = [f"--{argument.replace('_', '-')}" for argument in error.arguments]
                raise typer.BadParameter(
                    str(error), param_hint=", ".join(options) or None
                ) from error
            except IoTFlowGenError as error:
                say(str(error), "error", "red")
                raise typer.Exit(1) from error
            except (KeyboardInterrupt, Exception) as error:
                # libraries make errors of their own of an interrupt that comes up in a callback
                if _interrupts.heard is not None or isinstance(error, KeyboardInterrupt):
                    say("interrupted; no file was left half-written", "stopped", "yellow")
                    raise typer.Exit(interrupted_status()) from error
                if isinstance(error, MemoryError):
                    say("there is not enough memory; take fewer captures", "error", "red")
                    raise typer.Exit(1) from error
                raise

    return run


class _Interrupts:
    """Remembers Ctrl-C and its like, since the exception that it raises can get lost.

    Python drops an exception that comes up in a finaliser or in a callback from C, and libraries
    have handlers that catch all of them; `check` then raises it again.
    """

    def __init__(self) -> None:
        self.heard: int | None = None
        """The signal that came."""

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen for as long as this lasts to those that are not ignored, as in the background."""
        self.heard = None
        usual = (signal.default_int_handler, signal.SIG_DFL)
        before = {number: signal.getsignal(number) for number in INTERRUPTS}
        before = {number: handler for number, handler in before.items() if handler in usual}
        for number in before:
            signal.signal(number, self._hear)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def check(self) -> None:
        """Raise `KeyboardInterrupt` if one came and work goes on."""
        if self.heard is not None:
            raise KeyboardInterrupt

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        # a terminal that closes says so twice, and what has begun to end is to end well
        ends = self.heard is not None and number != signal.SIGINT
        self.heard = number
        if not ends:
            raise KeyboardInterrupt


_interrupts = _Interrupts()


def interrupted_status() -> int:
    """The exit status of a command that was interrupted: 130 after Ctrl-C."""
    return 128 + (_interrupts.heard or signal.SIGINT)


def counted(n: int, noun: str) -> str:
    """A number of things: `1 capture`, `2 captures`."""
    return f"{n} {noun}{'s' * (n != 1)}"


def say(text: str, kind: str = "", colour: str = "") -> None:
    """One line on standard error, whatever brackets and length the names in it have."""
    line = Text.assemble((f"{kind}: ", colour), text) if kind else Text(text)
    _err.print(line, soft_wrap=True)


def one_thread() -> None:
    """Keep PyTorch to one thread: in networks this small, more only wait for each other."""
    # what PyTorch reads when it is loaded, if it is
    os.environ["OMP_NUM_THREADS"] = "1"
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


def show_table(title: str, rows: Mapping[str, str]) -> None:
    """Names and values on standard output."""
    table = Table(title=printable(title), title_justify="left", show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(Text(printable(name)), Text(printable(value)))
    out.print(table)


@contextmanager
def progress_display() -> Iterator["_Display"]:
    """A bar a stage on standard error; a line a stage where that is no terminal."""
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    bars = Progress(
        TextColumn("{task.description:<22}"),
        BarColumn(bar_width=30),
        TextColumn("{task.completed:>4.0f}/{task.total:<4.0f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=_err,
        disable=not _err.is_terminal,
        # steps may take minutes: their pace is that of the last hour
        speed_estimate_period=3600,
    )
    with bars:
        yield _Display(bars)


class _Display:
    """A `Progress` that shows itself."""

    def __init__(self, bars: "Progress") -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._said = time.monotonic()

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Step `done` of `total` of `stage` is over."""
        _interrupts.check()
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total, note=note)
            if self._bars.disable:
                say(f"{stage} ...")
        elif self._bars.disable and time.monotonic() > self._said + _SILENCE:
            self._said = time.monotonic()
            say(f"{stage} {done}/{total} {note}")
        self._bars.update(self._tasks[stage], completed=done, total=total, note=note)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    say(str(message), "warning", "yellow")
