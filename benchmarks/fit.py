r"""Fit the paper's method to every device and say what it learnt, at what cost.

Each device runs in a process of its own, on one thread, and leaves one JSON; devices that have
theirs are skipped, so that a run can be stopped and taken up again. At the end all are joined.

    python benchmarks/fit.py CAPTURES
    python benchmarks/fit.py CAPTURES --settings authors --bfloat16 \
        --devices Withings,WeMoLink,HueBridge --out benchmarks/results/authors
"""

import argparse
import json
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed

from iotflowgen.adversaries import PacketMetadata
from iotflowgen.capture import read_captures
from iotflowgen.errors import IoTFlowGenError
from iotflowgen.evaluation import cross_validate
from iotflowgen.files import whole_file
from iotflowgen.generators import IoTFlow, IoTFlowConfig
from iotflowgen.generators.model_file import versions
from iotflowgen.packets import write_capture
from iotflowgen.traffic import Windows, cut_windows, draw_places

# Table 1 of the paper
DEVICES = (
    "D-LinkCam",
    "D-LinkDoorSensor",
    "D-LinkHomeHub",
    "D-LinkSensor",
    "D-LinkSiren",
    "D-LinkSwitch",
    "D-LinkWaterSensor",
    "EdimaxPlug1101W",
    "EdnetGateway",
    "HomeMaticPlug",
    "HueBridge",
    "HueSwitch",
    "MAXGateway",
    "WeMoInsightSwitch",
    "WeMoInsightSwitch2",
    "WeMoLink",
    "WeMoSwitch",
    "Withings",
)
"""The paper's 18 devices."""
WINDOWS = 500
"""n of the paper."""
MANY = 10_000
"""Windows of the generation budget."""


def measure(folder: Path, settings: IoTFlowConfig, seed: int) -> dict[str, Any]:
    """Fit one device, generate, attack with the paper's adversary, and describe it all."""
    torch.set_num_threads(1)
    start = time.monotonic()
    traces = read_captures([folder], device=_mac(folder), processes=1)
    read_seconds = time.monotonic() - start

    start = time.monotonic()
    generator = IoTFlow(settings, seed=seed).fit(traces)
    fit_seconds = time.monotonic() - start

    rng = np.random.default_rng(seed)
    honeydata = generator.sample(WINDOWS, rng)
    start = time.monotonic()
    generator.sample(MANY, rng)
    generate_seconds = time.monotonic() - start
    real = cut_windows(traces, draw_places(traces, WINDOWS, honeydata.size, rng))
    with tempfile.TemporaryDirectory() as scratch:
        pcap = Path(scratch) / "honeydata.pcap"
        start = time.monotonic()
        written = write_capture(honeydata, pcap, rng)
        write_seconds = time.monotonic() - start
        malformed = _malformed(pcap)
    detection = cross_validate(lambda: PacketMetadata(seed=seed), real, honeydata, rng)
    return {
        "device": folder.name,
        "captures": len(traces),
        "packets": sum(map(len, traces)),
        **asdict(generator.report),
        "reconstruction_mean": generator.report.reconstruction_mean,
        "detection": detection.mean,
        "unique_share": {"real": unique_share(real), "generated": unique_share(honeydata)},
        "packets_written": written.packets,
        "packets_compromised": sum(written.compromises.values()),
        "malformed": malformed,
        "seconds": {
            "read": read_seconds,
            "fit": fit_seconds,
            f"generate_{MANY}_windows": generate_seconds,
            f"write_{WINDOWS}_windows": write_seconds,
        },
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def unique_share(windows: Windows) -> float:
    """Share of windows whose lengths and directions stand in no other window."""
    shapes = np.where(windows.outgoing, windows.length, -windows.length)
    _, counts = np.unique(shapes, axis=0, return_counts=True)
    return float((counts == 1).sum() / len(shapes))


def _mac(folder: Path) -> str | None:
    known = folder / "_iotdevice-mac.txt"
    return known.read_text().strip() if known.is_file() else None


def _malformed(pcap: Path) -> int:
    command = ["tshark", "-n", "-r", str(pcap), "-Y", "_ws.malformed", "-T", "fields"]
    command += ["-e", "frame.number"]
    found = subprocess.run(command, capture_output=True, check=True, text=True)
    return len(found.stdout.split())


def run(folder: Path, cell: Path, settings: IoTFlowConfig, seed: int) -> None:
    """Measure one device in a fresh process, and record what came of it, a failure too."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        try:
            result = pool.apply(measure, (folder, settings, seed))
        except IoTFlowGenError as error:
            result = {"device": folder.name, "error": str(error)}
    _write_json(cell, result)
    seconds = result.get("seconds", {}).get("fit", float("nan"))
    print(f"{folder.name:20} {result.get('error') or f'{seconds:.0f} s'}", file=sys.stderr)


def _write_json(path: Path, content: object) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


def main() -> None:
    """Run what is missing, then join all results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="one folder a device")
    parser.add_argument("--devices", default=",".join(DEVICES), help="default: the paper's 18")
    parser.add_argument("--settings", choices=sorted(IoTFlow.SETTINGS), default="laptop")
    parser.add_argument(
        "--bfloat16", action="store_true", help="let the discriminator convolve in bfloat16"
    )
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/fit"))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    settings = IoTFlow.SETTINGS[chosen.settings]
    if chosen.bfloat16:
        seqgan = settings.seqgan.model_copy(update={"discriminator_bfloat16": True})
        settings = settings.model_copy(update={"seqgan": seqgan})
    cells = {name: chosen.out / f"{name}.json" for name in chosen.devices.split(",")}
    Parallel(n_jobs=chosen.processes, backend="threading")(
        delayed(run)(chosen.root / name, cell, settings, chosen.seed)
        for name, cell in cells.items()
        if not cell.exists()
    )
    results = [json.loads(cell.read_text()) for cell in cells.values()]
    joined = {
        "settings": settings.model_dump(mode="json"),
        "seed": chosen.seed,
        "versions": versions(),
        "devices": results,
    }
    _write_json(chosen.out.with_suffix(".json"), joined)


if __name__ == "__main__":
    main()
