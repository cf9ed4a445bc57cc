"""All commands under one name."""

from typing import Annotated

import typer

from iotflowgen.cli.benchmark import benchmark
from iotflowgen.cli.demo import demo
from iotflowgen.cli.evaluate import SeveralValues, evaluate
from iotflowgen.cli.extract import extract
from iotflowgen.cli.fit import fit
from iotflowgen.cli.generate import generate
from iotflowgen.cli.info import info
from iotflowgen.cli.ledger import ledger
from iotflowgen.cli.live import live
from iotflowgen.cli.report import report

__all__ = ["app"]

app = typer.Typer(
    name="iotflowgen",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# in the order in which they are used
app.command()(info)
app.command()(fit)
app.command()(generate)
app.command()(live)
app.command()(ledger)
app.command(cls=SeveralValues)(evaluate)
app.command()(report)
app.command()(extract)
app.command()(benchmark)
app.command()(demo)


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"iotflowgen {version('iotflowgen')}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", help="Say the version.", callback=_say_version, is_eager=True),
    ] = False,
) -> None:
    """Learn how an IoT device talks from its packet captures, and generate honeydata for decoys.

    Results go to the named file or standard output, everything else to standard error. Exit
    status: 0 done, 1 the data or the run failed, 2 wrong usage.
    """
