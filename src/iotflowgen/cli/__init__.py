"""The command line: one file a command, no logic of its own."""

import signal

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    # while commands are imported, Ctrl-C ends the program without a traceback; then they listen
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from iotflowgen.cli.app import app

    app()
