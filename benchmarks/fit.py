r"""Fit the paper's method to every device and say what it learnt, at what cost.

A share of the captures is kept from the fit, and reconstruction is measured on them. The adversary
attacks under the paper's protocol: real windows are drawn from the captures of the fit.

Each device runs in a process of its own, on one thread, and leaves one JSON; devices that have
theirs, made with the same settings, are skipped, so that a run can be stopped and taken up again.
At the end all are joined; the joined file is the one that is committed.

    python benchmarks/fit.py CAPTURES
    python benchmarks/fit.py CAPTURES --settings authors --bfloat16 \
        --devices Withings,WeMoLink,HomeMaticPlug --out benchmarks/results/authors
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed

import iotflowgen as iot
from iotflowgen.adversaries import PacketMetadata
from iotflowgen.capture.tshark import find_tshark
from iotflowgen.errors import IoTFlowGenError
from iotflowgen.evaluation import cross_validate
from iotflowgen.evaluation.metrics import METRICS
from iotflowgen.files import whole_file
from iotflowgen.generators import IoTFlow, IoTFlowConfig
from iotflowgen.generators.model_file import versions
from iotflowgen.library.honeydata import OfWindows
from iotflowgen.traffic import cut_windows, draw_window_starts

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
KEPT = 0.2
"""Share of the captures that the fit does not see."""
MANY = 10_000
"""Windows of the generation budget."""
unique_share = METRICS["unique_share"]


def measure(folder: Path, settings: IoTFlowConfig, seed: int) -> dict[str, Any]:
    """Fit one device, generate, attack with the paper's adversary, and describe it all."""
    torch.set_num_threads(1)
    start = time.monotonic()
    captures = iot.read_captures(folder)
    read_seconds = time.monotonic() - start
    rng = np.random.default_rng(seed)
    order = [captures[i] for i in rng.permutation(len(captures))]
    kept = max(1, round(KEPT * len(captures)))
    unseen, traces = order[:kept], order[kept:]

    start, cpu = time.monotonic(), time.process_time()
    generator = IoTFlow(settings, seed=seed).fit(traces)
    fit_seconds, fit_cpu_seconds = time.monotonic() - start, time.process_time() - cpu

    honeydata = generator.sample(WINDOWS, rng)
    start = time.monotonic()
    generator.sample(MANY, rng)
    generate_seconds = time.monotonic() - start
    real = cut_windows(traces, draw_window_starts(traces, WINDOWS, honeydata.size, rng))
    with tempfile.TemporaryDirectory() as scratch:
        pcap = Path(scratch) / "honeydata.pcap"
        start = time.monotonic()
        written = OfWindows(lambda _: honeydata, seed=(seed,)).to_pcap(pcap, payload="fuzz")
        write_seconds = time.monotonic() - start
        malformed = _malformed(pcap)
    reconstruction = generator.reconstruction(unseen, rng)
    detection = cross_validate(lambda: PacketMetadata(seed=seed), real, honeydata, rng)
    return {
        "device": folder.name,
        "captures": {"fit": len(traces), "unseen": len(unseen)},
        "packets": sum(map(len, captures)),
        "report": asdict(generator.report),
        "reconstruction": reconstruction,
        "reconstruction_mean": statistics.mean(reconstruction.values()),
        "detection": detection.mean,
        "unique_share": unique_share(real, honeydata, real),
        "packets_written": written.packets,
        "compromises": dict(written.compromises),
        "malformed": malformed,
        "seconds": {
            "read": read_seconds,
            "fit": fit_seconds,
            "fit_cpu": fit_cpu_seconds,
            f"generate_{MANY}_windows": generate_seconds,
            f"write_{WINDOWS}_windows": write_seconds,
        },
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _tshark_version() -> str:
    command = [str(find_tshark()), "--version"]
    said = subprocess.run(command, capture_output=True, check=True, text=True)
    return said.stdout.split()[2]


def _malformed(pcap: Path) -> int:
    command = [str(find_tshark()), "-n", "-r", str(pcap), "-Y", "_ws.malformed", "-T", "fields"]
    command += ["-e", "frame.number"]
    found = subprocess.run(command, capture_output=True, check=True, text=True)
    return len(found.stdout.split())


def run(folder: Path, cell: Path, made_with: dict[str, Any]) -> None:
    """Measure one device in a fresh process, and record what came of it, a failure too."""
    settings = IoTFlowConfig.model_validate(made_with["settings"])
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            result = pool.submit(measure, folder, settings, made_with["seed"]).result()
        except (IoTFlowGenError, BrokenProcessPool) as error:
            result = {"device": folder.name, "error": str(error)}
    _write_json(cell, {**result, "made_with": made_with})
    seconds = result.get("seconds", {}).get("fit", float("nan"))
    print(f"{folder.name:20} {result.get('error') or f'{seconds:.0f} s'}", file=sys.stderr)


def is_done(cell: Path, made_with: dict[str, Any]) -> bool:
    """Whether a result is there that was made with the same settings, seed and versions."""
    if not cell.exists():
        return False
    result = json.loads(cell.read_text())
    return "error" not in result and result["made_with"] == made_with


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
    made_with = {
        "settings": settings.model_dump(mode="json"),
        "seed": chosen.seed,
        "versions": {**versions(), "tshark": _tshark_version()},
    }
    Parallel(n_jobs=chosen.processes, backend="threading")(
        delayed(run)(chosen.root / name, cell, made_with)
        for name, cell in cells.items()
        if not is_done(cell, made_with)
    )
    results = [json.loads(cell.read_text()) for cell in cells.values()]
    for result in results:
        del result["made_with"]
    _write_json(chosen.out.with_suffix(".json"), {**made_with, "devices": results})


if __name__ == "__main__":
    main()
