"""The command line in this process, which has its libraries loaded."""

import subprocess

from typer.testing import CliRunner

from iotflowgen.cli.app import app

__all__ = ["invoke"]


def invoke(*arguments: object) -> subprocess.CompletedProcess[str]:
    """What a command says and exits with; one that raises anything else fails the test."""
    words = [str(argument) for argument in arguments]
    done = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)
