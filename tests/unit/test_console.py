"""What commands share with the person at the terminal."""

import signal
from contextlib import suppress

import pytest
import typer

from iotflowgen.cli.console import progress_display, reports_errors
from iotflowgen.files import INTERRUPTS


@pytest.fixture(autouse=True)
def not_ignored():
    """Whoever runs the tests may ignore interrupts, as nohup does; then commands do so, too."""
    before = {interrupt: signal.signal(interrupt, signal.SIG_DFL) for interrupt in INTERRUPTS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for interrupt, handler in before.items():
        signal.signal(interrupt, handler)


@pytest.mark.parametrize("interrupt", INTERRUPTS)
def test_an_interrupt_stops_a_command_even_where_a_library_swallows_it(capfd, interrupt):
    done = []

    @reports_errors
    def command():
        with progress_display() as progress:
            with suppress(BaseException):
                signal.raise_signal(interrupt)
            progress("stage", 1, 2)
            done.append("stage")

    with pytest.raises(typer.Exit) as stopped:
        command()
    assert stopped.value.exit_code == 128 + interrupt
    assert not done
    assert "interrupted" in capfd.readouterr().err


def test_a_terminal_that_closes_and_says_so_twice_does_not_interrupt_the_ending():
    ended = []

    @reports_errors
    def command():
        try:
            signal.raise_signal(signal.SIGHUP)
        except KeyboardInterrupt:
            signal.raise_signal(signal.SIGHUP)
            ended.append("well")
            raise

    with pytest.raises(typer.Exit) as stopped:
        command()
    assert ended == ["well"]
    assert stopped.value.exit_code == 128 + signal.SIGHUP


def test_an_earlier_ctrl_c_does_not_stop_the_next_command():
    @reports_errors
    def pressed():
        with suppress(BaseException):
            signal.raise_signal(signal.SIGINT)

    @reports_errors
    def command():
        with progress_display() as progress:
            progress("stage", 1, 1)
        return "done"

    pressed()
    assert command() == "done"
