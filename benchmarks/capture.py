"""Read captures next to bare tshark, check directions, and time the search for signatures.

python benchmarks/capture.py CAPTURES
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from iotflowgen.capture import describe, find_captures, read_captures
from iotflowgen.capture.read import dissect_captures
from iotflowgen.capture.tshark import FIELDS, find_tshark, tshark_arguments
from iotflowgen.encoding import SignatureConfig, extract_signatures
from iotflowgen.files import whole_file
from iotflowgen.generators.model_file import versions
from iotflowgen.traffic import Trace

PROCESSES = 2
ROUNDS = 3
COMMAND = Path(sys.executable).parent / "iotflowgen"
TIMED = ("HueSwitch", "D-LinkCam", "Aria")
"""The device with most packets, one in the middle, one with few."""


def bare_seconds(folder: Path) -> float:
    """Run tshark alone on the same files, in as many processes, its output thrown away."""
    program, arguments = find_tshark(), tshark_arguments(FIELDS)

    def run(capture: Path) -> None:
        command = [str(program), *arguments, "-r", str(capture)]
        quiet = subprocess.DEVNULL
        subprocess.run(command, stdout=quiet, stderr=quiet, check=True)

    start = time.monotonic()
    with ThreadPoolExecutor(PROCESSES) as pool:
        list(pool.map(run, find_captures([folder])))
    return time.monotonic() - start


def extract_seconds(folder: Path, scratch: Path) -> float:
    """The whole command, from its start to the table on disk, with an empty cache."""
    cache = scratch / f"cache-{time.monotonic_ns()}"
    start = time.monotonic()
    subprocess.run(
        [str(COMMAND), "extract", str(folder), "--out", str(scratch / "packets.parquet")],
        env={**os.environ, "IOTFLOWGEN_CACHE": str(cache)},
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return time.monotonic() - start


def reading(folder: Path, scratch: Path) -> dict[str, Any]:
    """Medians of a few rounds, the two taking turns so that both meet the same machine."""
    rounds = [(bare_seconds(folder), extract_seconds(folder, scratch)) for _ in range(ROUNDS)]
    bare, whole = (statistics.median(column) for column in zip(*rounds, strict=True))
    return {"device": folder.name, "bare": bare, "extract": whole, "ratio": whole / bare}


def direction(folder: Path) -> dict[str, Any]:
    """Packets turned the wrong way, by the most common address alone and by our rule.

    The truth is the device's known MAC address.
    """
    mac = (folder / "_iotdevice-mac.txt").read_text().strip()
    known = np.concatenate([trace.outgoing for trace in read_captures([folder], mac)])
    ours = np.concatenate([trace.outgoing for trace in read_captures([folder])])
    ip = describe([folder]).device
    dissections = [capture.dissection for capture in dissect_captures([folder])]
    bare = np.concatenate(
        [np.array(d.addresses)[d.src_ip] == (ip.ip if ip else None) for d in dissections]
    )
    return {
        "device": folder.name,
        "packets": len(known),
        "bare": int((bare != known).sum()),
        "wrong": int((ours != known).sum()),
    }


def signatures(traces: list[Trace], packets: str) -> dict[str, Any]:
    """Signatures of one device and what they took."""
    start = time.monotonic()
    config = SignatureConfig.model_validate({"packets": packets})
    found = extract_signatures(traces, config)
    return {
        "packets": packets,
        "of": int(np.sum([len(trace) for trace in traces])),
        "found": len(found),
        "seconds": time.monotonic() - start,
    }


def main() -> None:
    """Measure and write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="one folder a device")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/capture.json"))
    parser.add_argument("--scratch", type=Path, default=Path("out/benchmark"))
    chosen = parser.parse_args()
    chosen.scratch.mkdir(parents=True, exist_ok=True)
    folders = sorted(path.parent for path in chosen.root.glob("*/_iotdevice-mac.txt"))
    largest = read_captures([chosen.root / TIMED[0]])
    # the first call imports what it needs; that is not what is measured
    extract_signatures(largest[:1], SignatureConfig())
    result = {
        "processes": PROCESSES,
        "rounds": ROUNDS,
        "versions": versions(),
        "reading": [reading(chosen.root / name, chosen.scratch) for name in TIMED],
        "direction": [direction(folder) for folder in folders],
        "signatures": [signatures(largest, packets) for packets in ("payload", "all")],
    }
    with whole_file(chosen.out) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
