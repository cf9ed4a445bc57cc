"""What the adversary `headers` finds in packets of generated sessions, under `held-out`.

Of each device and split the generator `sessions` and the templates are learnt from G, sessions are
written to a pcap as `generate` writes them, and windows of that file are told from windows of H:
with `--payload template`, with `--payload fuzz`, and, to see what packets alone give away, with the
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
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from iotflowgen.adversaries import HeaderBoosting
from iotflowgen.capture import header_fields, read_captures, read_frames
from iotflowgen.evaluation import (
    Attack,
    Cell,
    Detection,
    Device,
    Results,
    Trial,
    read_results,
    trials,
)
from iotflowgen.generators import Sessions, apart, first_packets, starting_at, versions
from iotflowgen.packets import (
    DEFAULT_START_NS,
    FuzzBuilder,
    Headers,
    PacketBuilder,
    Persona,
    TemplateBuilder,
    learn_headers,
    write_sessions,
)
from iotflowgen.traffic import Session, Trace, cut_windows, draw_places

SIZE, SPLITS, SEED = 20, 2, 0
SESSIONS = 64
PACKETS = 40_000
"""Of all sessions at most; the last ones are left out where sessions are long."""
KNOWN = "known source"
KINDS = ("template", "fuzz", "captures", KNOWN)

Frames = Mapping[str, Sequence[bytes]]
"""By the name of their capture."""


def builder_of(kind: str, headers: Headers, rng: np.random.Generator) -> PacketBuilder:
    """As `generate --keep-identifiers` makes it."""
    if kind == "fuzz":
        return FuzzBuilder(rng)
    return TemplateBuilder(headers, Persona(headers, rng, keep=True), rng)


def written(
    sessions: Iterable[Session | Trace], path: Path, builder: PacketBuilder
) -> tuple[list[Trace], Frames, dict[str, int]]:
    """Sessions as they are read back from their file, and what was compromised."""
    ends = [0]

    def counted() -> Iterator[Session | Trace]:
        for session in sessions:
            ends.append(ends[-1] + len(session))
            yield session

    report = write_sessions(counted(), path, builder)
    (back,) = read_captures([path], report.device_mac, cache=None)
    ((_, frames),) = read_frames([path], [back])
    path.unlink()
    traces: list[Trace] = []
    read: dict[str, Sequence[bytes]] = {}
    for start, end in pairwise(ends):
        trace = replace(back[start:end], name=str(len(traces)))
        read[trace.name] = frames[start:end]
        traces.append(replace(trace, headers=header_fields(read[trace.name], trace)[1]))
    return traces, read, report.compromises


def learnt(traces: Sequence[Trace], frames: Frames) -> Headers:
    """What the headers of captures hold."""
    headers = learn_headers([(trace, frames[trace.name]) for trace in traces])
    if headers is None:
        raise SystemExit("nothing that the device sent")
    return headers


def of_known_source(
    traces: Sequence[Trace], frames: Frames, path: Path
) -> tuple[list[Trace], Frames]:
    """Sessions of what is learnt from all captures, as many as these, as if they were captured."""
    rng = np.random.default_rng(SEED)
    drawn = starting_at(apart(Sessions().fit(traces), len(traces), rng), DEFAULT_START_NS)
    made, read, _ = written(drawn, path, builder_of(KNOWN, learnt(traces, frames), rng))
    return made, read


def one_after_another(traces: Sequence[Trace]) -> Iterator[Trace]:
    """Captures as sessions, an hour from the beginning of one to that of the next at least."""
    now_ns = DEFAULT_START_NS
    for trace in traces:
        yield replace(trace, headers=None, time_ns=trace.time_ns - trace.time_ns[0] + now_ns)
        now_ns += int(trace.time_ns[-1] - trace.time_ns[0]) + 3600 * 10**9


def attack(ground: Trial, frames: Frames, kind: str, split: int, path: Path) -> Detection:
    """Write one kind of packets in one trial, and have them told from H."""
    headers = learnt(ground.train, frames)
    sessions: Iterator[Session | Trace]
    rng = np.random.default_rng([SEED, split])
    if kind == "captures":
        sessions = one_after_another(ground.train)
    else:
        drawn = apart(Sessions().fit(ground.train), SESSIONS, rng)
        sessions = starting_at(first_packets(drawn, PACKETS), DEFAULT_START_NS)
    builder = builder_of(kind, headers, np.random.default_rng([SEED, split, 1]))
    found, _, compromises = written(sessions, path, builder)
    long = [trace for trace in found if len(trace) >= SIZE]
    places = draw_places(long, len(ground.real), SIZE, rng)
    told = replace(ground, dealt=places.trace)
    detection = told.attack(HeaderBoosting, cut_windows(long, places))
    print(f"  {path.stem} {kind} {split}: {detection.mean:.3f}", compromises, flush=True)
    return detection


def device(folder: Path, scratch: Path, kinds: Sequence[str]) -> Results:
    """All about one device."""
    plain = read_captures([folder])
    frames: Frames = {trace.name: found for trace, found in read_frames([folder], plain)}
    traces = [replace(t, headers=header_fields(frames[t.name], t)[1]) for t in plain]
    seed, path = [SEED, zlib.crc32(folder.name.encode())], scratch / f"{folder.name}.pcap"

    def cells_of(traces: Sequence[Trace], frames: Frames, kinds: Sequence[str]) -> Iterator[Cell]:
        # the benchmark's seed, so the splits of captures are the benchmark's
        rng = np.random.default_rng(seed)
        grounds = trials("held-out", traces, rng, window=SIZE, splits=SPLITS)
        controls = [ground.attack_control(HeaderBoosting) for ground in grounds]
        for kind in kinds:
            attacks = tuple(
                Attack(detection=attack(ground, frames, kind, split, path), control=control)
                for split, (ground, control) in enumerate(zip(grounds, controls, strict=True))
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
