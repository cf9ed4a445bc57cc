"""What whoever watches for days finds: devices captured for a week, and generated weeks.

A generator learns from the first days of a capture (G), as `fit` does by default, and a week of it
is written to a pcap as `generate` does. That is read again, and told from the last days (H) by
hours and by five minutes. Its periods are looked for, what repeats in it, and what users did: a
generator that learns events is asked for those of the last days. Beside each figure stands the same
of real traffic: of G where H is asked for.

A generator on a device that is done leaves a file, and is not done again.

python benchmarks/weeks.py WEEKS --generators replay,sessions
"""

import argparse
import hashlib
import json
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

import iotflowgen as iot
from iotflowgen.adversaries import Rhythm, RhythmOfMinutes
from iotflowgen.evaluation import Trial, long_trials
from iotflowgen.evaluation.long_run import (
    EventClassifier,
    EventSignature,
    beacons,
    event_signatures,
    found_again,
    idle_moments,
    matched,
    repeats,
)
from iotflowgen.events import align, read_log
from iotflowgen.files import whole_file
from iotflowgen.generators import GENERATORS, EventGenerator, versions
from iotflowgen.library import Captures
from iotflowgen.traffic import Event, Period, Stretches, Trace, cut_stretches

SEED = 0
DECOYS = 10
HOUR_NS = 3600 * 10**9
DAY_NS = 24 * HOUR_NS
REPLAY = "replay"
ZONE = ZoneInfo("America/New_York")  # of the times in events.csv
OTHER_NAMES = {"ultraloq-hub-01": "ultraloq-lock-01"}  # the lock talks by its hub
IDLE = 60  # moments at which nothing happens
ADVERSARIES = (Rhythm, RhythmOfMinutes)


class Week:
    """A capture of a week, of whose days the first half are learnt from."""

    def __init__(self, path: Path) -> None:
        """Read a capture, without packets that stand twice, and what users did meanwhile."""
        self.name = path.stem
        captures = iot.read_captures(path, deduplicate=True)
        self.whole: Trace = captures[0]
        trial = self.trial(Rhythm)
        (self.g,), (self.h,) = trial.train, trial.unseen
        first = int(np.searchsorted(self.whole.time_ns, self.g.time_ns[0]))
        frames = captures.frames[0].take(slice(first, first + len(self.g)))
        self.learnt_from = Captures(captures.paths, [self.g], [frames])

        logs = read_log(path.parent / "events.csv", ZONE, OTHER_NAMES.get(self.name, self.name))
        events = align(logs, [self.whole]).events
        self.events_of_g, self.events_of_h = (
            [e for e in events if part.time_ns[0] - HOUR_NS < e.time_ns <= part.time_ns[-1]]
            for part in (self.g, self.h)
        )
        self.signatures = event_signatures(self.g, self.events_of_g)

    def trial(self, adversary: type[Rhythm]) -> Trial[Stretches]:
        """The last days, and the first in place of generated ones."""
        rng = np.random.default_rng(SEED)
        return long_trials("held-out", [self.whole], adversary.stretch_ns, rng, splits=1)[0]

    @property
    def end(self) -> datetime:
        """When the last days begin."""
        return datetime.fromtimestamp(int(self.h.time_ns[0]) // 10**9, UTC)

    def events_of_a_week(self) -> list[Event]:
        """Those of the last days, again and again, for seven days from when these begin."""
        first_ns = int(self.h.time_ns[0])
        days = int(np.ptp(self.h.time_ns)) // DAY_NS + 1
        wanted = [
            Event(event.time_ns + again * days * DAY_NS, event.name)
            for again in range(-(-7 // days))
            for event in self.events_of_h
        ]
        return [e for e in wanted if first_ns + 10**9 < e.time_ns < first_ns + 7 * DAY_NS]

    def told_events(self, trace: Trace, events: Sequence[Event]) -> dict[str, Any]:
        """What signatures and a classifier, both of the first days, say of events."""
        found = matched(self.signatures, trace, events)
        rng, score = np.random.default_rng(SEED), None
        if self.events_of_g:
            learnt = [*self.events_of_g, *idle_moments(self.g, self.events_of_g, IDLE, rng)]
            asked = [*events, *idle_moments(trace, events, IDLE, rng)]
            score = EventClassifier(seed=SEED).fit(self.g, learnt).score(trace, asked)
        return {
            "events": dict(Counter(event.name for event in events)),
            "signatures": {name: each._asdict() for name, each in found.items()},
            "classifier": score,
        }


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
        "events": {
            "G": week.told_events(week.g, week.events_of_g),
            "H": week.told_events(week.h, week.events_of_h),
            "signatures": [shown(each) for each in week.signatures],
        },
    }


def shown(signature: EventSignature) -> dict[str, Any]:
    """A signature in types that JSON has."""
    return {"event": signature.event, "pairs": [pair._asdict() for pair in signature.pairs]}


def generated_week(week: Week, name: str, scratch: Path) -> tuple[Trace, list[Event] | None]:
    """A week of a generator that has learnt from the first days, written and read again.

    With events, as far as it has learnt them; None of a generator that learns none.
    """
    learns = issubclass(GENERATORS[name], EventGenerator)
    known: dict[str, Any] = {"events": week.events_of_g} if learns and week.events_of_g else {}
    model = iot.fit(week.learnt_from, generator=name, seed=SEED, **known)
    model.save(model_of(week.name, name, scratch))
    path = scratch / f"{week.name}.{name}.pcap"
    events = [event for event in week.events_of_a_week() if event.name in model.events]
    wanted: dict[str, Any] = {"events": events} if events else {}
    model.generate(duration="7d", start=week.end, seed=SEED, **wanted).to_pcap(path)
    (generated,) = iot.read_captures(path)
    path.unlink()
    until_ns = int(week.end.timestamp() * 10**9) + 7 * DAY_NS
    whole = replace(generated, silence_ns=max(0, until_ns - int(generated.time_ns[-1])))
    return whole, events if known else None


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
    generated, events = (
        (replayed_week(week), None) if name == REPLAY else generated_week(week, name, scratch)
    )
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
        "events": None if events is None else week.told_events(generated, events),
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


def of_device(
    path: Path, work: Callable[..., dict[str, Any]], *arguments: object
) -> dict[str, Any]:
    """Something about a device, whose capture is read once, and only if it has to be."""
    return work(week_of(path), *arguments)


@cache
def week_of(path: Path) -> Week:
    """A week."""
    return Week(path)


def model_of(device: str, generator: str, scratch: Path) -> Path:
    """Where a model is kept."""
    return scratch / f"{device}.{generator}.model"


def step(path: Path, key: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
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
        name, found = path.stem, dict[str, Any]()
        real = step(
            chosen.scratch / f"{name}.json", key_of(sha256), partial(of_device, path, of_week)
        )
        for generator in generators:
            found[generator] = step(
                chosen.scratch / f"{name}.{generator}.json",
                key_of(sha256, generator),
                partial(of_device, path, of_generator, generator, chosen.scratch),
            )
        devices.append({"device": name, "sha256": sha256, "real": real, "generated": found})
    shas, names = [each["sha256"] for each in devices], [path.stem for path in paths]
    costs = {
        generator: step(
            chosen.scratch / f"cost.{generator}.json",
            key_of(shas, generator),
            partial(cost, names, generator, chosen.scratch),
        )
        for generator in generators
        if generator != REPLAY
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
