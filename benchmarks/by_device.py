"""Measurements that are taken device by device, side by side, and can be taken up again."""

import argparse
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from iotflowgen.errors import IoTFlowGenError
from iotflowgen.files import whole_file
from iotflowgen.generators import versions

__all__ = ["arguments", "measured", "taken"]

Measure = Callable[[Path], dict[str, Any]]


def measured(measure: Measure, out: Path, description: str | None, **made_with: object) -> None:
    """Measure the devices that the command line names, and join what was found.

    Args:
        measure: Finds out all about the captures in a folder.
        out: Of a file a device, unless the command line says otherwise; the joined one is beside.
        description: Of the script, for its help.
        made_with: What else the joined file says.
    """
    taken(measure, arguments(out, description).parse_args(), **made_with)


def arguments(out: Path, description: str | None) -> argparse.ArgumentParser:
    """What the command line of `measured` takes, for scripts that take more."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="one folder a device")
    parser.add_argument("--devices", required=True, help="names of folders, with commas between")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=out)
    return parser


def taken(
    measure: Measure, chosen: argparse.Namespace, **made_with: object
) -> list[dict[str, Any]]:
    """`measured` of a command line that is parsed already; what was found of each device."""
    folders = [chosen.root / name for name in chosen.devices.split(",")]
    steps = (delayed(_take)(measure, folder, chosen.out) for folder in folders)
    for said in Parallel(chosen.processes, return_as="generator_unordered")(steps):
        print(said, file=sys.stderr)
    found = [path for f in folders if (path := chosen.out / f"{f.name}.json").exists()]
    devices = [json.loads(path.read_text()) for path in found]
    joined = {**made_with, "versions": versions(), "devices": devices}
    with whole_file(chosen.out.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(joined, indent=1) + "\n")
    return devices


def _take(measure: Measure, folder: Path, out: Path) -> str:
    """Measure a device, unless that was done; what to say of it."""
    path = out / f"{folder.name}.json"
    if not path.exists():
        # threads as many as there are cores wait for each other where other processes run
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            try:
                found = measure(folder)
            except IoTFlowGenError as error:
                return f"{folder.name}: {error}"
        with whole_file(path) as temporary:
            temporary.write_text(json.dumps(found) + "\n")
    return folder.name
