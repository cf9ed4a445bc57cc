"""MkDocs hook: the references of the command line and of the library, from the code itself."""

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

import iotflowgen
from iotflowgen.cli.app import app

COMMANDS, NAMES = "<!-- commands -->", "<!-- library -->"


def on_page_markdown(markdown: str, **_: object) -> str:
    """Fill in the help of every command, and the public names, where a page has their marker."""
    if COMMANDS in markdown:
        group: Any = get_command(app)
        sections = [command_section(name, each) for name, each in group.commands.items()]
        return markdown.replace(COMMANDS, "\n\n".join(sections))
    if NAMES in markdown:
        return markdown.replace(NAMES, "\n\n".join(library_sections()))
    return markdown


def command_section(name: str, command: Any) -> str:  # noqa: ANN401 - of Typer's own Click
    """A command: how it is called, what it does, and its parameters by panel."""
    context = command.make_context(name, [], resilient_parsing=True)
    usage = " ".join(["iotflowgen", name, *command.collect_usage_pieces(context)])
    help_text = (command.help or "").replace("\b\n", "").strip()
    panels: dict[str, list[str]] = {}
    for parameter in command.params:
        if record := parameter.get_help_record(context):
            kind = "Arguments" if parameter.param_type_name == "argument" else "Options"
            panel = getattr(parameter, "rich_help_panel", None) or kind
            names, text = (each.replace("\n", " ") for each in record)
            # a pipe ends a cell, but within code it does not
            panels.setdefault(panel, []).append(f"| `{names}` | {text.replace('|', '&#124;')} |")
    tables = [f"| {title} | |\n|---|---|\n" + "\n".join(rows) for title, rows in panels.items()]
    return "\n\n".join([f"## {name}", f"```\n{usage}\n```", help_text, *tables])


def library_sections() -> Iterator[str]:
    """Public names by what they are: functions, classes, then warnings and errors."""
    kinds: dict[str, list[str]] = {"Functions": [], "Classes": [], "Warnings and errors": []}
    for name in iotflowgen.__all__:
        found = getattr(iotflowgen, name)
        if not callable(found):
            continue
        kind = "Functions"
        if isinstance(found, type):
            kind = "Warnings and errors" if issubclass(found, Exception) else "Classes"
        kinds[kind].append(name)
    for title, names in kinds.items():
        yield f"## {title}"
        yield from (f"::: iotflowgen.{name}" for name in names)
