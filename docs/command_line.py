"""MkDocs hook: writes the reference of the command line from the commands themselves."""

from typing import Any

from typer.main import get_command

from iotflowgen.cli.app import app

MARKER = "<!-- commands -->"


def on_page_markdown(markdown: str, **_: object) -> str:
    """Put the help of every command where a page has the marker."""
    if MARKER not in markdown:
        return markdown
    group: Any = get_command(app)
    sections = [section(name, command) for name, command in group.commands.items()]
    return markdown.replace(MARKER, "\n\n".join(sections))


def section(name: str, command: Any) -> str:  # noqa: ANN401 - a command of Typer's own Click
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
            panels.setdefault(panel, []).append(
                f"| `{names}` | {text.replace('|', chr(92) + '|')} |"
            )
    tables = [f"| {title} | |\n|---|---|\n" + "\n".join(rows) for title, rows in panels.items()]
    return "\n\n".join([f"## {name}", f"```\n{usage}\n```", help_text, *tables])
