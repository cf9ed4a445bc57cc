"""What whoever watches for days finds: devices captured for a week, and generated weeks.

A generator learns from the first days of a capture (G), as `fit` does by default, and a week of it
is written to a pcap as `generate` does. That is read again, and told from the last days (H) by
hours and by five minutes. Its periods are looked for, what repeats in it, and what users did.
Beside each figure stands the same of real traffic: of G where H is asked for.

A generator on a device that is done leaves a file, and is not done again.

python benchmarks/weeks.py WEEKS --generators replay,sessions
"""

import argparse
import hashlib
import json
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

import iotflowgen as iot
from iotflowgen.adversaries import Rhythm, RhythmOfMinutes
from iotflowgen.evaluation import Trial, long_trials
from iotflowgen.evaluation.long_run import beacons, found_again, repeats
from iotflowgen.files import whole_file
from iotflowgen.generators import versions
from iotflowgen.library import Captures
from iotflowgen.traffic import Period, Stretches, Trace, cut_stretches

SEED = 0
DECOYS = 10
HOUR_NS = 3600 * 10**9
REPLAY = "replay"
ADVERSARIES = (Rhythm, RhythmOfMinutes)


class Week:
    """A capture of a week, of whose days the first half are learnt from."""

    def __init__(self, path: Path) -> None:
        """Read a capture, without packets that stand twice."""
        self.name = path.stem
        captures = iot.read_captures(path, deduplicate=True)
        self.whole: Trace = captures[0]
        trial = self.trial(Rhythm)
        (self.g,), (self.h,) = trial.train, trial.unseen
        first = int(np.searchsorted(self.whole.time_ns, self.g.time_ns[0]))
        frames = captures.frames[0].take(slice(first, first + len(self.g)))
        self.learnt_from = Captures(captures.paths, [self.g], [frames])

    def trial(self, adversary: type[Rhythm]) -> Trial[Stretches]:
        """The last days, and the first in place of generated ones."""
        rng = np.random.default_rng(SEED)
        return long_trials("held-out", [self.whole], adversary.stretch_ns, rng, splits=1)[0]

    @property
    def end(self) -> datetime:
        """When the last of what is learnt from was captured."""
        return datetime.fromtimestamp(int(self.g.time_ns[-1]) / 1e9, UTC)


def of_week(week: Week) -> dict[str, Any]:
    """What real traffic says of itself, that a generated week is held against."""
    return {
        "packets": {"G": len(week.g), "H": len(week.h)},
        "control": {
            each.name: asdict(week.trial(each).attack_control(partial(each, seed=SEED)))
            for each in ADVERSARIES
        },
        "periods": compared(beacons(week.h), beacons(week.g)),
        "repeats": repeats(week.whole)._asdict(),
    }


def generated_week(week: Week, name: str, scratch: Path) -> Trace:
    """A week of a generator that has learnt from the first days, written and read again."""
    model = iot.fit(week.learnt_from, generator=name, seed=SEED)
    model.save(model_of(week.name, name, scratch))
    path = scratch / f"{week.name}.{name}.pcap"
    model.generate(duration="7d", start=week.end, seed=SEED).to_pcap(path)
    (generated,) = iot.read_captures(path)
    path.unlink()
    return generated


def replayed_week(week: Week) -> Trace:
    """The first days again and again, as they are: what tcpreplay does."""
    days, learnt = timedelta(days=7), timedelta(seconds=float(np.ptp(week.g.time_ns)) / 1e9)
    hours_ns = -(-int(np.ptp(week.g.time_ns)) // HOUR_NS) * HOUR_NS
    rounds = -(-days // learnt)
    columns = {
        name: np.concatenate([getattr(week.g, name)] * rounds)
        for name in ("length", "outgoing", "src_port", "dst_port", "protocols", "tcp_payload")
    }
    time_ns = np.concatenate([week.g.time_ns + n * hours_ns for n in range(1, rounds + 1)])
    whole = Trace(name=week.name, time_ns=time_ns, **columns)
    return whole[time_ns < time_ns[0] + days // timedelta(microseconds=1) * 1000]


def of_generator(week: Week, name: str, scratch: Path) -> dict[str, Any]:
    """A generated week, told from the last days of the capture."""
    generated = replayed_week(week) if name == REPLAY else generated_week(week, name, scratch)
    attacks = {}
    for each in ADVERSARIES:
        trial = week.trial(each)
        found, _ = cut_stretches([generated], each.stretch_ns)
        chosen = np.random.default_rng(SEED).permutation(len(found))[: len(trial.real)]
        attacks[each.name] = asdict(trial.attack(partial(each, seed=SEED), found[np.sort(chosen)]))
    return {
        "packets": len(generated),
        "attacks": attacks,
        "periods": compared(beacons(week.h), beacons(generated)),
        "repeats": repeats(generated)._asdict(),
    }


def compared(
    real: Mapping[str, list[Period]], other: Mapping[str, list[Period]]
) -> list[dict[str, Any]]:
    """Each real period beside the other that is the same, or none."""
    return [
        {
            "service": each.service,
            "real": each.real._asdict(),
            "other": each.generated and each.generated._asdict(),
        }
        for each in found_again(real, other)
    ]


def cost(names: Sequence[str], generator: str, scratch: Path) -> dict[str, Any]:
    """A week of ten devices, drawn and written: seconds of one core."""
    models = [iot.load(model_of(name, generator, scratch)) for name in names]
    start, packets = time.process_time(), 0
    for number in range(DECOYS):
        path = scratch / f"{generator}.{number}.pcap"
        of = models[number % len(models)]
        packets += of.generate(duration="7d", seed=1 + number).to_pcap(path).packets
        path.unlink()
    return {"packets": packets, "seconds": time.process_time() - start}


def model_of(device: str, generator: str, scratch: Path) -> Path:
    """Where a model is kept."""
    return scratch / f"{device}.{generator}.model"


def step(path: Path, key: str, work: Any) -> dict[str, Any]:  # noqa: ANN401 - a call without arguments
    """What was found, now or before."""
    if path.exists() and (said := json.loads(path.read_text()))["key"] == key:
        found: dict[str, Any] = said["found"]
        return found
    # trees grown by as many threads as there are cores wait for each other where others run
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of captures of a week: cut, and few
        try:
            found = work()
        except iot.IoTFlowGenError as error:
            found = {"error": f"{type(error).__name__}: {error}"}
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps({"key": "" if "error" in found else key, "found": found}))
    print(path.stem, str(found)[:200], flush=True)
    return found


def key_of(*parts: object) -> str:
    """Differs where what was made from them does, but for code."""
    text = json.dumps([*parts, versions(), SEED], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def main() -> None:
    """Measure what is missing, and write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weeks", type=Path, help="a folder: a capture a device, events.csv")
    parser.add_argument("--generators", default="replay,sessions", help="names, with commas")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/weeks.json"))
    parser.add_argument("--scratch", type=Path, default=Path("out/benchmark/weeks"))
    chosen = parser.parse_args()
    chosen.scratch.mkdir(parents=True, exist_ok=True)
    generators, paths = chosen.generators.split(","), sorted(chosen.weeks.glob("*.pcap"))
    devices = []
    for path in paths:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        week: list[Week] = []

        def read(path: Path = path, week: list[Week] = week) -> Week:
            if not week:
                week.append(Week(path))
            return week[0]

        real = step(
            chosen.scratch / f"{path.stem}.json", key_of(sha256), lambda read=read: of_week(read())
        )
        found = {
            name: step(
                chosen.scratch / f"{path.stem}.{name}.json",
                key_of(sha256, name),
                lambda read=read, name=name: of_generator(read(), name, chosen.scratch),
            )
            for name in generators
        }
        devices.append({"device": path.stem, "sha256": sha256, "real": real, "generated": found})
    shas = [device["sha256"] for device in devices]
    costs = {
        name: step(
            chosen.scratch / f"cost.{name}.json",
            key_of(shas, name),
            lambda name=name: cost([path.stem for path in paths], name, chosen.scratch),
        )
        for name in generators
        if name != REPLAY
    }
    result = {
        "versions": versions(),
        "generators": generators,
        "devices": devices,
        "costs": costs,
    }
    with whole_file(chosen.out) as temporary:
        temporary.write_text(json.dumps(rounded(result)) + "\n")


def rounded(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Six digits behind the point."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [rounded(part) for part in value]
    return value


if __name__ == "__main__":
    main()
