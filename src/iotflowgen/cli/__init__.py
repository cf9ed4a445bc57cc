"""The command line: one file a command, no logic of its own."""

from iotflowgen.cli.app import main

__all__ = ["main"]
