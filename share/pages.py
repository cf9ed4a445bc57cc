"""Makes the man page and the completions from the command line.

Beside this file they lie as the wheel installs them below `share`.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import typer
from typer.main import get_command

from iotflowgen.cli.app import app

__all__ = ["completion", "man_page", "pages"]

NAME = "iotflowgen"
_MAN = f"man/man1/{NAME}.1"
_COMPLETIONS = {
    f"bash-completion/completions/{NAME}": "bash",
    f"zsh/site-functions/_{NAME}": "zsh",
    f"fish/vendor_completions.d/{NAME}.fish": "fish",
}


def man_page() -> str:
    """The man page: the command line's own help, set as man pages are."""
    root: Any = get_command(app)
    about = metadata(NAME)
    context = typer.Context(root, info_name=NAME, **root.context_settings)
    lines = [
        f'.TH {NAME.upper()} 1 "" "{NAME} {about["Version"]}" "User Commands"',
        *(".SH NAME", f"{NAME} \\- {_plain(about['Summary'])}"),
        *(".SH SYNOPSIS", rf".B {NAME}", r"\fICOMMAND\fR [\fIOPTION\fR]... [\fIARGUMENT\fR]..."),
        *(".SH DESCRIPTION", *_paragraphs(root.help)),
        *(".SH OPTIONS", *_parameters(root, context)),
        ".SH COMMANDS",
    ]
    for name, command in root.commands.items():
        inside = typer.Context(command, info_name=name, parent=context)
        usage = " ".join(command.collect_usage_pieces(inside))
        lines += [f".SS {NAME} {name} {_plain(usage)}", *_paragraphs(command.help)]
        lines += _parameters(command, inside)
    return "\n".join(lines) + "\n"


def completion(shell: str) -> str:
    """The script that asks the command line what may come next."""
    asked = {f"_{NAME}_COMPLETE".upper(): f"source_{shell}"}
    code = f"from {NAME}.cli import main; import sys; sys.argv = ['{NAME}']; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip() + "\n"


def pages() -> dict[str, str]:
    """All of them, by where they belong below `share`."""
    return {_MAN: man_page()} | {name: completion(shell) for name, shell in _COMPLETIONS.items()}


def _parameters(command: Any, context: typer.Context) -> Iterator[str]:  # noqa: ANN401 - Typer's own Click
    for parameter in command.get_params(context):
        if record := parameter.get_help_record(context):
            yield from (".TP", rf"\fB{_plain(record[0])}\fR", _text(record[1]))


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs as they fit, and what is fenced line by line."""
    for place, part in enumerate(text.split("```")):
        if place % 2:
            lines = (_plain(line) for line in part.strip().split("\n"))
            yield from (".PP", ".RS 4", ".nf", *lines, ".fi", ".RE")
            continue
        for paragraph in part.strip().split("\n\n"):
            if paragraph:
                yield from (".PP", _text(paragraph))


def _text(words: str) -> str:
    return re.sub(r"`([^`]+)`", r"\\fB\1\\fR", _plain(words))


def _plain(text: str) -> str:
    """Text that troff takes for text."""
    escaped = " ".join(text.split()).replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq")
    return r"\&" + escaped if escaped.startswith(".") else escaped


if __name__ == "__main__":
    for name, text in pages().items():
        path = Path(__file__).parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
