"""Damaged captures and hostile models: does every command end well, in time, and in memory?

Captures of the samples are written in several formats and changed at random: bits, lengths and
times of records, fields of headers, records put elsewhere, files cut and joined. Models are changed
in their columns, in what they say of themselves, and as bytes. Each is given to the commands that
read it, in this process, as a user would. A command may work, or end with status 1 or 2 and one
error of one line. Everything else is a defect: a traceback, a warning of a library, more than
`SECONDS`.

Mutations are numbered, and a number makes the same one everywhere:

    python benchmarks/fuzzing.py
    python benchmarks/fuzzing.py --only captures:1234
"""

import argparse
import gzip
import json
import lzma
import multiprocessing
import os
import resource
import signal
import struct
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load, save
from typer.testing import CliRunner

import iotflowgen as iot
from iotflowgen.cli.app import app
from iotflowgen.files import whole_file
from iotflowgen.generators.model_file import digest, versions
from iotflowgen.wire import Frames
from iotflowgen.wire.pcap import FORMATS, read_index, read_records, records_bytes

SEED = 0
CAPTURES, MODELS = 2000, 400
"""Mutations."""
SECONDS: Final = 20
"""Of a command; those that work take a tenth of one."""
MEMORY: Final = 4 * 2**30
"""Bytes of addresses that a process may have."""
PACKETS: Final = 60
"""Of a capture."""
SAMPLES: Final = Path(__file__).parents[1] / "samples"
_GENERATORS: Final = ("sessions", "sessions", "markov", "replay")
"""Those that take no PyTorch."""
_EXTREME: Final = (0, 1, 13, 255, 2**15, 2**16 - 1, 2**18 + 1, 2**31 - 1, 2**31, 2**32 - 1)


Places = NDArray[np.int64]
"""Where frames begin in a file."""


class Hang(BaseException):
    """A command takes too long; nothing catches this but what waits for it."""


@dataclass(frozen=True)
class Run:
    """How commands on one mutation ended."""

    of: str
    """`captures` or `models`."""
    number: int
    statuses: tuple[int, ...]
    """Of the commands."""
    defect: str = ""
    """What is wrong; empty if nothing is."""
    seconds: float = 0
    """Of the slowest command."""
    peak: int = 0
    """Bytes of memory that the process has had at most."""


# captures


@cache
def captures() -> tuple[bytes, ...]:
    """What is changed: captures in several formats."""
    found = []
    for path in (*sorted(SAMPLES.glob("plug/*"))[:2], *sorted(SAMPLES.glob("camera/*"))[:1]):
        records = read_records(path)
        frames, time_ns = records.frames.take(slice(PACKETS)), records.time_ns[:PACKETS]
        tagged = [frame[:12] + b"\x81\0\0\x07" + frame[12:] for frame in frames.tolist()]
        found += [form.header + records_bytes(form, time_ns, frames) for form in FORMATS.values()]
        found += [_pcap(frames.tolist(), time_ns, order) for order in "<>"]
        found += [
            _pcap(tagged, time_ns),
            _pcap([frame[14:] for frame in frames.tolist()], time_ns, link=101),
            _pcap([bytes(4) + b"\0\6" + frame[6:] for frame in frames.tolist()], time_ns, link=113),
            _pcap([frame[:80] for frame in frames.tolist()], time_ns),
        ]
    return tuple(found)


def _pcap(
    frames: Sequence[bytes], time_ns: NDArray[np.int64], order: str = "<", link: int = 1
) -> bytes:
    """With microseconds."""
    content = struct.pack(f"{order}IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    for frame, time_of in zip(frames, (time_ns // 1000).tolist(), strict=True):
        sizes = len(frame), len(frame)
        content += struct.pack(f"{order}IIII", *divmod(time_of, 10**6), *sizes) + frame
    return content


def _bits(content: bytearray, _: Places, rng: np.random.Generator) -> None:
    for place in rng.integers(4, len(content), rng.integers(1, 20)):
        content[place] ^= 1 << int(rng.integers(8))


def _field_of_record(content: bytearray, places: Places, rng: np.random.Generator) -> None:
    """One of the four numbers before a frame, or the block around it."""
    at = int(rng.choice(places)) - 4 * int(rng.integers(1, 8))
    order = "<>"[int(rng.integers(2))]
    if at >= 0:
        content[at : at + 4] = struct.pack(f"{order}I", int(rng.choice(_EXTREME)))


def _field_of_header(content: bytearray, places: Places, rng: np.random.Generator) -> None:
    """A byte or two of a few frames' headers."""
    for place in rng.choice(places, 3):
        at, width = int(place + rng.integers(90)), int(rng.integers(1, 3))
        value = int(rng.choice([*_EXTREME, int(rng.integers(256))])) % 256**width
        content[at : at + width] = value.to_bytes(width, "big")


def _cut(content: bytearray, _: Places, rng: np.random.Generator) -> None:
    del content[int(rng.integers(len(content))) :]


def _without(content: bytearray, _: Places, rng: np.random.Generator) -> None:
    at = int(rng.integers(4, len(content)))
    del content[at : at + int(rng.integers(1, 200))]


def _elsewhere(content: bytearray, _: Places, rng: np.random.Generator) -> None:
    """Bytes of one place, at another."""
    source, target = (int(each) for each in rng.integers(4, len(content), 2))
    content[target:target] = content[source : source + int(rng.integers(1, 400))]


def _joined(content: bytearray, places: Places, rng: np.random.Generator) -> None:
    other = captures()[int(rng.integers(len(captures())))]
    at = int(rng.choice(places))
    content[at:] = other[int(rng.integers(len(other))) :]


def _noise(content: bytearray, _: Places, rng: np.random.Generator) -> None:
    at = int(rng.integers(4, len(content)))
    noise = rng.bytes(int(rng.integers(1, 100)))
    content[at : at + len(noise)] = noise


def _link(content: bytearray, _: Places, rng: np.random.Generator) -> None:
    """Another link type, in pcap."""
    content[20] = int(rng.choice([0, 1, 12, 101, 105, 108, 113, 127, 228, 229]))


def _times(content: bytearray, places: Places, rng: np.random.Generator) -> None:
    """Seconds of some records, in pcap."""
    for place in rng.choice(places, rng.integers(1, 40)):
        at = int(place) - 16
        content[at : at + 4] = rng.bytes(4) if rng.random() < 0.5 else bytes(4)


_CHANGES: Final = (
    *(_bits, _field_of_record, _field_of_record, _field_of_header, _field_of_header),
    *(_cut, _without, _elsewhere, _joined, _noise, _link, _times),
)


@cache
def _places(number: int) -> Places:
    """Where frames begin in one of `captures`."""
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(captures()[number])
        return read_index(Path(file.name)).start


def mutated_capture(number: int) -> bytes:
    """A damaged capture."""
    rng = np.random.default_rng([SEED, 0, number])
    which = int(rng.integers(len(captures())))
    content = bytearray(captures()[which])
    for _ in range(int(rng.geometric(0.5))):
        if len(content) > 100:
            _CHANGES[int(rng.integers(len(_CHANGES)))](content, _places(which), rng)
    packing = int(rng.choice(3, p=[0.9, 0.05, 0.05]))
    if not packing:
        return bytes(content)
    pack: Callable[[bytes], bytes] = gzip.compress if packing == 1 else lzma.compress
    packed = bytearray(pack(bytes(content)))
    if rng.random() < 0.7:
        _bits(packed, _places(which), rng)
    return bytes(packed)


def run_capture(number: int, folder: Path) -> Run:
    """Give a damaged capture to the commands that read captures."""
    capture, model = folder / "a.pcap", folder / "a.model"
    capture.write_bytes(mutated_capture(number))
    model.unlink(missing_ok=True)
    start = ["--start", "2026-01-01"]
    commands = [
        ["info", capture],
        ["fit", capture, "--window", 3, "--out", model],
        ["generate", model, "--sessions", 2, *start, "--out", folder / "a.pcapng"],
        ["generate", model, "--packets", 50, *start, "--out", folder / "b.pcapng"],
    ]
    return _run("captures", number, commands, needs=model)


# models


@cache
def models() -> tuple[bytes, ...]:
    """What is changed: a model of each of `_GENERATORS`."""
    found = []
    paths = sorted(SAMPLES.glob("plug/*"))[:2]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "a.pcap"
        records = [read_records(each) for each in paths]
        frames = Frames.concatenate([each.frames.take(slice(PACKETS)) for each in records])
        time_ns = np.concatenate([each.time_ns[:PACKETS] for each in records])
        form = FORMATS[".pcap"]
        path.write_bytes(form.header + records_bytes(form, time_ns, frames))
        for generator in _GENERATORS:
            model = Path(folder) / f"{generator}.model"
            iot.fit(path, generator=generator, window=5).save(model)
            found.append(model.read_bytes())
    return tuple(found)


def _column(tensors: dict[str, NDArray[Any]], rng: np.random.Generator) -> None:
    """Some numbers of a column, or all."""
    column = tensors[name := str(rng.choice(sorted(tensors)))].copy()
    if not column.size:
        return
    some = rng.integers(0, column.size, int(rng.integers(1, 5)))
    some = np.arange(column.size) if rng.random() < 0.2 else some
    if column.dtype == bool:
        column.flat[some] = ~column.flat[some]
    elif column.dtype.kind in "iu":
        limits = np.iinfo(column.dtype)
        extremes = [limits.min, limits.max, -1, 0, 1, limits.max // 2, 2**18, 10**6]
        value = extremes[int(rng.integers(len(extremes)))]
        column.flat[some] = np.clip(value, limits.min, limits.max)
    else:
        column.flat[some] = rng.choice([np.nan, np.inf, -1e30, 0])
    tensors[name] = column


def _mixed(tensors: dict[str, NDArray[Any]], rng: np.random.Generator) -> None:
    """Numbers of a column that stand elsewhere in it: each can be."""
    column = tensors[name := str(rng.choice(sorted(tensors)))].copy()
    if column.size > 1:
        some = rng.integers(0, column.size, int(rng.choice([1, 3, column.size])))
        column.flat[some] = rng.choice(column.ravel(), len(some))
    tensors[name] = column


def _kind(tensors: dict[str, NDArray[Any]], rng: np.random.Generator) -> None:
    name = str(rng.choice(sorted(tensors)))
    kinds = ("int8", "uint8", "int32", "int64", "uint64", "float32", "bool")
    tensors[name] = tensors[name].astype(str(rng.choice(kinds)))


def _shape(tensors: dict[str, NDArray[Any]], rng: np.random.Generator) -> None:
    name = str(rng.choice(sorted(tensors)))
    column = tensors[name]
    shapes = (
        *(column[:-1], column[:0], column.reshape(-1, 1), np.concatenate([column, column])),
        np.array(7, column.dtype),
    )
    tensors[name] = np.ascontiguousarray(shapes[int(rng.integers(len(shapes)))])


def _missing(tensors: dict[str, NDArray[Any]], rng: np.random.Generator) -> None:
    del tensors[str(rng.choice(sorted(tensors)))]


def _leaves(value: Any, *path: Any) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - JSON
    yield path
    parts = dict(enumerate(value)) if isinstance(value, list) else value
    for key, part in parts.items() if isinstance(parts, dict) else ():
        yield from _leaves(part, *path, key)


def _said(said: dict[str, Any], rng: np.random.Generator) -> None:
    """One entry of what the model says of itself becomes something else."""
    paths = [*_leaves(said)][1:]
    *path, last = paths[int(rng.integers(len(paths)))]
    inside: Any = said
    for key in path:
        inside = inside[key]
    others: tuple[Any, ...] = (
        *(-1, 0, 1, 2**31, 2**63, 2**63 - 1, -(2**63), 10**30, 0.5, 1e308, None, True),
        *("", "x", "\0", "10.0.0.300", "::", "00:00:00:00:00:00", "x" * 10**6, [], {}, [[]] * 9),
    )
    inside[last] = others[int(rng.integers(len(others)))]


def mutated_model(number: int) -> bytes:
    """A hostile model: its checksum is right, unless it is damaged as a file."""
    rng = np.random.default_rng([SEED, 1, number])
    content = models()[number % len(_GENERATORS)]
    if rng.random() < 0.2:
        damaged = bytearray(content)
        change = (_bits, _cut, _without, _noise)[int(rng.integers(4))]
        change(damaged, np.zeros(1, np.int64), rng)
        return bytes(damaged)
    tensors = load(content)
    said: dict[str, Any] = json.loads(_metadata(content))
    for _ in range(int(rng.geometric(0.6))):
        change_of = (*[_mixed] * 5, *[_column] * 3, _kind, _shape, _missing)
        if rng.random() < 0.3:
            _said(said, rng)
        else:
            change_of[int(rng.integers(len(change_of)))](tensors, rng)
    if said.get("sha256"):
        said["sha256"] = digest(tensors)
    return bytes(save(tensors, metadata={"iotflowgen": json.dumps(said)}))


def _metadata(content: bytes) -> str:
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(content)
        with safe_open(file.name, framework="np") as opened:
            return str(opened.metadata()["iotflowgen"])


def run_model(number: int, folder: Path) -> Run:
    """Give a hostile model to the commands that read models."""
    model, start = folder / "a.model", ["--start", "2026-01-01"]
    model.write_bytes(mutated_model(number))
    commands: list[list[object]] = [["info", model]]
    if _GENERATORS[number % len(_GENERATORS)] == "sessions":
        commands += [["generate", model, "--sessions", 2, *start, "--out", folder / "a.pcapng"]]
    commands += [
        ["generate", model, "--windows", 8, *start, "--out", folder / "b.pcapng"],
        ["generate", model, "--windows", 8, "--out", folder / "c.csv"],
    ]
    return _run("models", number, commands, needs=model)


# commands


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Stop what takes longer."""

    def stop(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _run(of: str, number: int, commands: Sequence[Sequence[object]], needs: Path) -> Run:
    statuses: list[int] = []
    defect, slowest = "", 0.0
    for command in commands:
        if str(needs) == str(command[1]) and not needs.exists():
            break
        words, start = [str(word) for word in command], time.perf_counter()
        try:
            with _at_most(SECONDS):
                done = CliRunner().invoke(app, words, env={"COLUMNS": "1000"})
        except Hang:
            defect = f"{words[0]}: more than {SECONDS} s"
            break
        slowest = max(slowest, time.perf_counter() - start)
        statuses.append(done.exit_code)
        if defect := _defect(words[0], done):
            break
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Run(of, number, tuple(statuses), defect, round(slowest, 2), peak)


def _defect(command: str, done: Any) -> str:  # noqa: ANN401 - of Typer's own Click
    """What is wrong with how a command ended."""
    error = done.exception
    if error is not None and not isinstance(error, SystemExit):
        frame = traceback.extract_tb(error.__traceback__)[-1]
        own = [f for f in traceback.extract_tb(error.__traceback__) if "/iotflowgen/" in f.filename]
        at = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in [frame, *own[:-4:-1]])
        return f"{command}: {type(error).__name__}: {str(error)[:120]} ({at})"
    lines = done.stderr.splitlines()
    if strange := [line for line in lines if "encountered in" in line or "RuntimeWarning" in line]:
        return f"{command}: {strange[0][:200]}"
    errors = [line for line in lines if line.startswith("error:")]
    if done.exit_code == 1 and len(errors) != 1:
        return f"{command}: exit status 1 with {len(errors)} errors: {lines[-3:]}"
    return "" if done.exit_code in (0, 1, 2) else f"{command}: exit status {done.exit_code}"


_RUNS: Final = {"captures": run_capture, "models": run_model}


def runs(of: str, numbers: Sequence[int]) -> list[Run]:
    """Run mutations in this process."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        return [_RUNS[of](number, Path(folder)) for number in numbers]


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def summary(found: Sequence[Run]) -> dict[str, Any]:
    """Figures of runs of one kind."""
    ends = Counter("refused" if any(run.statuses) else "worked" for run in found if not run.defect)
    hangs = [run.number for run in found if f"more than {SECONDS} s" in run.defect]
    return {
        "mutations": len(found),
        "worked": ends["worked"],
        "refused": ends["refused"],
        "hangs": len(hangs),
        "defects": {str(run.number): run.defect for run in found if run.defect},
        "slowest_seconds": max(run.seconds for run in found),
        "peak_memory_mb": round(max(run.peak for run in found) / 1e6),
    }


def main() -> None:
    """Run all mutations and write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar="KIND:NUMBER", help="one mutation; it is kept in out/")
    parser.add_argument("--captures", type=int, default=CAPTURES)
    parser.add_argument("--models", type=int, default=MODELS)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/fuzzing.json"))
    chosen = parser.parse_args()
    if chosen.only:
        of, number = chosen.only.split(":")
        folder = Path("out/fuzzing")
        folder.mkdir(parents=True, exist_ok=True)
        print(_RUNS[of](int(number), folder))
        return
    result: dict[str, Any] = {"seed": SEED, "versions": versions()}
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(chosen.processes, spawned, initializer=_bounded) as pool:
        for of, count in (("captures", chosen.captures), ("models", chosen.models)):
            parts = [range(first, min(first + 20, count)) for first in range(0, count, 20)]
            found = [run for part in pool.map(partial(runs, of), parts) for run in part]
            result[of] = summary(found)
            print(of, json.dumps(result[of], indent=1), flush=True)
    with whole_file(chosen.out) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
