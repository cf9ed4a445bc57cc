"""What the adversary `headers` finds in packets of generated sessions, under `held-out`.

Of each device and split the generator `sessions` learns from G, whose packets are kept. Sessions
are written to a pcap as `generate` writes them, and windows of that file are told from those of H:
with `--payload recorded`, with `--payload fuzz`, and, to see what packets alone give away, with the
captures of G themselves in the place of sessions, their packets written anew. Whole sessions are
kept together, as whole captures are. Identifiers are kept (`--keep-identifiers`): that a decoy is
another unit than the captured one is not what is asked.

How much is the price of few captures cannot be told from captures, for nobody knows the source of
these. So sessions learnt from all captures of a device are taken for it: G and H are dealt from as
many of them, and sessions learnt from that G are told from that H ("known source").

A device that is done leaves a file, and is not done again.

python benchmarks/headers.py CAPTURES --devices A,B
"""

import argparse
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from decoys import (
    SEED,
    SIZE,
    FramesOf,
    captured_sessions,
    drawn,
    grounds,
    read_device,
    recorded,
    written,
)
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from iotflowgen.adversaries import HeaderBoosting
from iotflowgen.evaluation import (
    Attack,
    Cell,
    Detection,
    Device,
    Results,
    Trial,
    read_results,
)
from iotflowgen.generators import Sessions, shifted_to, spaced, versions
from iotflowgen.packets import DEFAULT_START_NS
from iotflowgen.traffic import Session, Trace, Windows, cut_windows, draw_window_starts

KNOWN = "known source"
KINDS = ("recorded", "fuzz", "captures", KNOWN)


def of_known_source(
    traces: Sequence[Trace], frames: FramesOf, path: Path
) -> tuple[list[Trace], FramesOf]:
    """Sessions of what is learnt from all captures, as many as these, as if they were captured."""
    rng = np.random.default_rng(SEED)
    sessions = shifted_to(spaced(Sessions().fit(traces), len(traces), rng), DEFAULT_START_NS)
    made, read, _ = written(sessions, path, recorded(traces, frames), [SEED])
    return made, read


def one_after_another(sessions: Iterable[Session]) -> Iterator[Session]:
    """Captures as sessions, an hour from the beginning of one to that of the next at least."""
    now_ns = DEFAULT_START_NS
    for session in sessions:
        yield replace(session, time_ns=session.time_ns - session.time_ns[0] + now_ns)
        now_ns += int(session.time_ns[-1] - session.time_ns[0]) + 3600 * 10**9


def attack(
    ground: Trial[Windows], frames: FramesOf, kind: str, split: int, path: Path
) -> Detection:
    """Write one kind of packets in one trial, and have them told from H."""
    train, rng = ground.train, np.random.default_rng([SEED, split])
    recording = recorded(train, frames)
    captured = kind == "captures"
    sessions = (
        one_after_another(captured_sessions(recording, train)) if captured else drawn(train, rng)
    )
    known = None if kind == "fuzz" else recording
    found, _, compromises = written(sessions, path, known, [SEED, split])
    long = [trace for trace in found if len(trace) >= SIZE]
    places = draw_window_starts(long, len(ground.real), SIZE, rng)
    told = replace(ground, dealt=places.trace)
    detection = told.attack(HeaderBoosting, cut_windows(long, places))
    print(f"  {path.stem} {kind} {split}: {detection.mean:.3f}", compromises, flush=True)
    return detection


def device(folder: Path, scratch: Path, kinds: Sequence[str]) -> Results:
    """All about one device."""
    traces, frames = read_device([folder])
    path = scratch / f"{folder.name}.pcap"

    def cells_of(traces: Sequence[Trace], frames: FramesOf, kinds: Sequence[str]) -> Iterator[Cell]:
        dealt = grounds(folder.name, traces)
        controls = [ground.attack_control(HeaderBoosting) for ground in dealt]
        for kind in kinds:
            attacks = tuple(
                Attack(detection=attack(ground, frames, kind, split, path), control=control)
                for split, (ground, control) in enumerate(zip(dealt, controls, strict=True))
            )
            yield Cell(
                device=folder.name,
                protocol="held-out",
                generator=kind,
                adversary=HeaderBoosting.name,
                attacks=attacks,
            )

    cells = [*cells_of(traces, frames, [kind for kind in kinds if kind != KNOWN])]
    if KNOWN in kinds:
        cells += cells_of(*of_known_source(traces, frames, path), [KNOWN])
    return Results(
        made_with={"generators": kinds, "adversaries": ["headers"], "versions": versions()},
        devices=(
            Device(
                name=folder.name,
                captures={trace.name: trace.sha256 for trace in traces},
                packets=sum(map(len, traces)),
            ),
        ),
        cells=tuple(cells),
    )


def step(folder: Path, scratch: Path, kinds: Sequence[str]) -> Results:
    """What was found of a device, now or before."""
    path = scratch / f"{folder.name}.json"
    if not path.exists():
        start = time.process_time()
        # trees grown by as many threads as there are cores wait for each other where others run
        with threadpool_limits(1):
            device(folder, scratch, kinds).write(path)
        print(f"{folder.name}: {time.process_time() - start:.0f} s", flush=True)
    return read_results(path)


def main() -> None:
    """Measure the devices that are missing, and write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="one folder a device")
    parser.add_argument("--devices", required=True, help="names, with commas")
    parser.add_argument("--kinds", default=",".join(KINDS), help="of packets, with commas")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/headers.json"))
    parser.add_argument("--scratch", type=Path, default=Path("out/benchmark/headers"))
    chosen = parser.parse_args()
    chosen.scratch.mkdir(parents=True, exist_ok=True)
    kinds, folders = chosen.kinds.split(","), [chosen.root / n for n in chosen.devices.split(",")]
    found = Parallel(chosen.processes)(
        delayed(step)(folder, chosen.scratch, kinds) for folder in folders
    )
    Results(
        made_with=found[0].made_with,
        devices=tuple(each for results in found for each in results.devices),
        cells=tuple(cell for results in found for cell in results.cells),
    ).write(chosen.out)


if __name__ == "__main__":
    main()
