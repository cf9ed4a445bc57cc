"""Generate ever more packets with the command line: time, and memory that should stay flat.

A device is learnt as `fit` does by default. Each run is a process of its own; what it wrote is
counted and deleted. The longest needs about 3 GB of room and an hour; `--most 1000000` leaves it
out.

python benchmarks/streaming.py CAPTURES/WeMoLink
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from iotflowgen.files import whole_file
from iotflowgen.generators.model_file import versions

PACKETS = (1_000, 100_000, 1_000_000, 10_000_000)
SUFFIXES = ("pcap", "parquet")
COMMAND = Path(sys.executable).parent / "iotflowgen"


def generated(model: Path, packets: int, suffix: str) -> dict[str, Any]:
    """What it takes to generate so many packets."""
    out = model.with_name(f"honeydata.{suffix}")
    start = time.monotonic()
    process = subprocess.Popen(
        [COMMAND, "generate", model, "--packets", str(packets), "--out", out]
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{packets} packets to {suffix} failed")
    size = out.stat().st_size
    out.unlink()
    found = {
        "suffix": suffix,
        "packets": packets,
        "megabytes": round(size / 1e6, 1),
        "peak_memory_mb": round(used.ru_maxrss / 1024),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "seconds": round(time.monotonic() - start, 1),
    }
    print(json.dumps(found), flush=True)
    return found


def main() -> None:
    """Measure and write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("captures", type=Path, help="of one device")
    parser.add_argument("--most", type=int, default=max(PACKETS), help="packets of the longest run")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/streaming.json"))
    parser.add_argument("--scratch", type=Path, default=Path("out/benchmark/streaming"))
    chosen = parser.parse_args()
    chosen.scratch.mkdir(parents=True, exist_ok=True)
    model = chosen.scratch / f"{chosen.captures.name}.model"
    subprocess.run([COMMAND, "fit", chosen.captures, "--out", model], check=True)
    sizes = [n for n in PACKETS if n <= chosen.most]
    result = {
        "device": chosen.captures.name,
        "versions": versions(),
        "runs": [generated(model, n, suffix) for n in sizes for suffix in SUFFIXES],
    }
    with whole_file(chosen.out) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
