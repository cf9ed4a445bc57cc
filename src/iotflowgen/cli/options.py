"""Arguments and options that several commands take."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["AcceleratorOption", "Captures", "DeviceOption", "Seed"]


class AcceleratorOption(StrEnum):
    """Where PyTorch runs."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


Captures = Annotated[
    list[Path],
    typer.Argument(
        metavar="CAPTURE...",
        help="pcap or pcapng, either gzipped, or a folder of them.",
        show_default=False,
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="MAC|IP",
        help="The IoT device; by default the most common IP address.",
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Same seed, same result.")]
