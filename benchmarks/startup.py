"""What the first command costs: time and memory of short commands, beside an empty Python.

Each runs some times over, as a process of its own, with all caches warm; the fastest run and the
largest memory count. The model is learnt from the sample plug.

python benchmarks/startup.py
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from iotflowgen.files import whole_file

# this process has to stay small: a process that it starts counts its memory until it runs another
# program as its own
COMMAND = Path(sys.executable).parent / "iotflowgen"
PLUG = Path("samples/plug")
PACKAGES = ("iotflowgen", "numpy", "pydantic", "typer")


def measured(name: str, command: Sequence[str | Path], runs: int) -> dict[str, Any]:
    """The least time and the most memory that a command takes."""
    seconds, cpu, memory = [], [], []
    for _ in range(runs + 1):
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        seconds.append(time.perf_counter() - start)
        cpu.append(used.ru_utime + used.ru_stime)
        memory.append(used.ru_maxrss)
        if status:
            raise SystemExit(f"{name} failed")
    found = {
        "command": name,
        # the first run warms the caches
        "seconds": round(min(seconds[1:]), 3),
        "cpu_seconds": round(min(cpu[1:]), 3),
        "peak_memory_mb": round(max(memory) / 1024),
    }
    print(json.dumps(found), flush=True)
    return found


def main() -> None:
    """Measure and write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=15, help="of each command")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/startup.json"))
    parser.add_argument("--scratch", type=Path, default=Path("out/benchmark/startup"))
    chosen = parser.parse_args()
    chosen.scratch.mkdir(parents=True, exist_ok=True)
    model, capture = chosen.scratch / "plug.model", chosen.scratch / "honeydata.pcap"
    # the model comes first: others need it
    commands: dict[str, Sequence[str | Path]] = {
        "fit samples/plug": [COMMAND, "fit", PLUG, "--out", model],
        "python -c pass": [sys.executable, "-c", "pass"],
        "--version": [COMMAND, "--version"],
        "generate --help": [COMMAND, "generate", "--help"],
        "info plug.model": [COMMAND, "info", model],
        "generate --sessions 10": [
            *(COMMAND, "generate", model, "--sessions", "10", "--out", capture)
        ],
    }
    result = {
        "versions": {name: version(name) for name in PACKAGES},
        "runs": [measured(name, command, chosen.runs) for name, command in commands.items()],
    }
    with whole_file(chosen.out) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
