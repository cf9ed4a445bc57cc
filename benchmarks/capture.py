"""Read captures beside tshark, compare with it, check directions, time the search for signatures.

python benchmarks/capture.py CAPTURES --also MORE_CAPTURES...
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iotflowgen.capture import describe, find_captures, read_captures
from iotflowgen.capture.dissection import Dissection
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
COLUMNS = ("in_file", "time_ns", "length", "protocols", "src_port", "dst_port", "tcp_payload")
ADDRESSES = ("src_ip", "dst_ip", "src_mac", "dst_mac")


def bare_seconds(folder: Path) -> float:
    """Run tshark alone on the files, in `PROCESSES` processes, its output thrown away."""
    program, arguments = find_tshark(), tshark_arguments(FIELDS)

    def run(capture: Path) -> None:
        command = [str(program), *arguments, "-r", str(capture)]
        quiet = subprocess.DEVNULL
        subprocess.run(command, stdout=quiet, stderr=quiet, check=True)

    start = time.monotonic()
    with ThreadPoolExecutor(PROCESSES) as pool:
        list(pool.map(run, find_captures([folder])))
    return time.monotonic() - start


def builtin_seconds(folder: Path) -> float:
    """Read the same files to traces, in one process."""
    start = time.monotonic()
    read_captures([folder])
    return time.monotonic() - start


def extract_seconds(folder: Path, scratch: Path, dissector: str) -> float:
    """The whole command, from its start to the table on disk, with an empty cache."""
    cache = scratch / f"cache-{time.monotonic_ns()}"
    start = time.monotonic()
    command = [str(COMMAND), "extract", str(folder), "--dissector", dissector]
    subprocess.run(
        [*command, "--out", str(scratch / "packets.parquet")],
        env={**os.environ, "IOTFLOWGEN_CACHE": str(cache)},
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return time.monotonic() - start


def reading(folder: Path, scratch: Path) -> dict[str, Any]:
    """Medians of a few rounds, all taking turns so that they meet the same machine."""
    builtin_seconds(folder)
    rounds = [
        (
            bare_seconds(folder),
            builtin_seconds(folder),
            extract_seconds(folder, scratch, "builtin"),
            extract_seconds(folder, scratch, "tshark"),
        )
        for _ in range(ROUNDS)
    ]
    bare, builtin, extract, by_tshark = map(statistics.median, zip(*rounds, strict=True))
    return {
        "device": folder.name,
        "packets": sum(map(len, read_captures([folder]))),
        "bare": bare,
        "builtin": builtin,
        "times": bare / builtin,
        "extract": extract,
        "extract_tshark": by_tshark,
    }


def agreement(folder: Path) -> dict[str, Any]:
    """Packets of which the built-in dissector and tshark tell otherwise, and of what."""
    both = (dissect_captures([folder], dissector=name) for name in ("builtin", "tshark"))
    packets, different, columns = 0, 0, Counter[str]()
    for ours, theirs in zip(*both, strict=True):
        pairs = {
            name: _column(ours.dissection, name) != _column(theirs.dissection, name)
            for name in (*COLUMNS, *ADDRESSES)
        }
        packets += len(ours.dissection)
        different += int(np.any([*pairs.values()], axis=0).sum())
        columns.update({name: int(wrong.sum()) for name, wrong in pairs.items() if wrong.any()})
    of = {"of": folder.name, "packets": packets, "different": different}
    return {**of, "columns": dict(columns)}


def _column(dissection: Dissection, name: str) -> NDArray[Any]:
    column: NDArray[Any] = getattr(dissection, name)
    return np.array(dissection.addresses)[column] if name in ADDRESSES else column


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
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="folders to compare, too")
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
        "agreement": [agreement(folder) for folder in (*folders, *chosen.also)],
        "direction": [direction(folder) for folder in folders],
        "signatures": [signatures(largest, packets) for packets in ("payload", "all")],
    }
    with whole_file(chosen.out) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
