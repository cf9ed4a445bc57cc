"""Devices x generators x adversaries x protocols, step by step.

Every step leaves a file in the benchmark's folder, and a step whose file is there, made of the same
captures with the same settings, seed and versions, is not taken again: a run can be stopped and
taken up, and one more generator or adversary costs only its own steps. Code is told apart by its
version only: whoever changes it measures into another folder, or deletes what it made.

    windows/DEVICE/PROTOCOL/GENERATOR/TRIAL.parquet     what was drawn, and .json: at what cost
    attacks/DEVICE/PROTOCOL/GENERATOR/ADVERSARY.json    a detection a trial
    figures/DEVICE/PROTOCOL/GENERATOR/TRIAL.json        metrics and profiles
    identification/TRIAL.json                           over all devices
    results.json                                        all of it, as `Results`

A step that fails is recorded with its error, and the rest goes on; the next run tries it again.
"""

import hashlib
import json
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from iotflowgen.adversaries import ADVERSARIES, of_windows
from iotflowgen.capture import read_captures, read_frames
from iotflowgen.errors import CaptureError, EvaluationError, IoTFlowGenError
from iotflowgen.evaluation.description import describe, measure
from iotflowgen.evaluation.identification import identify
from iotflowgen.evaluation.long_trials import long_trials, streamed_stretches
from iotflowgen.evaluation.results import Attack, Cell, Device, Identification, Results, Sample
from iotflowgen.evaluation.steps import Step, said, take
from iotflowgen.evaluation.trials import PROTOCOLS, Protocol, Trial, trials
from iotflowgen.generators import GENERATORS, SessionGenerator, versions
from iotflowgen.packets import with_states
from iotflowgen.progress import Progress, silent
from iotflowgen.settings import Settings
from iotflowgen.tables import read_windows, write_windows
from iotflowgen.traffic import Stretches, Trace, Windows, in_pieces

__all__ = ["Benchmark", "BenchmarkConfig"]

_CONTROL = "control"  # in the place of a generator's name: genuine windows
_FRESH = {"ports": {"ephemeral": "fresh"}}
_BRIEF = {"epochs": 2, "learning_rate": 3e-3}
_QUICK: Mapping[str, Mapping[str, Any]] = {
    "doppelganger": {"windows": 100, "networks": {"steps": 20}},
    "iotflow": {
        "windows": 100,
        "vq_stae": {"training": _BRIEF},
        "seqgan": {"pretraining": _BRIEF, "discriminator_pretraining": 1, "rounds": 1},
        "frame_length": {"training": _BRIEF},
    },
}


class BenchmarkConfig(Settings):
    """What is measured."""

    devices: tuple[str, ...]
    """Folders of captures, one a device."""
    generators: tuple[str, ...] = Field(default_factory=lambda: tuple(GENERATORS))
    adversaries: tuple[str, ...] = Field(default_factory=of_windows)
    protocols: tuple[Protocol, ...] = PROTOCOLS
    window: int = Field(default=20, ge=2)
    """L, packets a window."""
    windows: int = Field(default=500, ge=5)
    """n, windows of each kind; fewer where the captures hold fewer."""
    splits: int = Field(default=2, ge=2)
    """How often `held-out` splits the captures."""
    seed: int = Field(default=0, ge=0)
    settings: Mapping[Protocol, Mapping[str, Mapping[str, Any]]] = {
        "paper": {
            "sessions": {
                "order": 12,
                "ports": {"recurrence": 0.3, "ephemeral": "recur"},
                "redraw": (),
            }
        },
        "held-out": {"iotflow": {"codec": _FRESH}, "doppelganger": _FRESH, "markov": _FRESH},
    }
    """Of generators, where not their defaults. Under `paper` what belongs to one capture may recur,
    as in the paper; under `held-out` every window opens ports of its own."""

    def quick(self) -> "BenchmarkConfig":
        """The first device only, few windows, hardly any training: to see that all of it runs."""
        settings = {
            protocol: {
                name: {**_QUICK.get(name, {}), **self.settings.get(protocol, {}).get(name, {})}
                for name in self.generators
            }
            for protocol in self.protocols
        }
        few = {"devices": self.devices[:1], "windows": 60, "settings": settings}
        return self.model_copy(update=few)

    def trials(self, protocol: Protocol) -> range:
        """The numbers of a protocol's trials."""
        return range(1 if protocol == "paper" else self.splits)

    def method(self, protocol: Protocol, generator: str) -> Any:  # noqa: ANN401 - each has its own
        """The settings of a generator under a protocol."""
        chosen = self.settings.get(protocol, {}).get(generator, {})
        return GENERATORS[generator].Config.model_validate({"window": self.window, **chosen})


@dataclass(frozen=True)
class Benchmark:
    """What is measured, on whose captures, and where its steps are kept."""

    config: BenchmarkConfig
    root: Path
    """One folder of captures a device."""
    folder: Path
    """Of the files that steps leave."""

    def run(self, *, processes: int = 2, progress: Progress = silent) -> Results:
        """Take the steps that are missing, then join all that was found in `results.json`.

        Raises:
            EvaluationError: A process was killed.
            OutputError: The folder cannot be written to.
        """
        traces: dict[str, list[Trace]] = {}
        for name in self.config.devices:
            # a device whose captures cannot be read fails in its steps, which say why
            with suppress(CaptureError):
                traces[name] = self._captures(name, progress)
        steps = list(self._steps(traces))
        for stage in dict.fromkeys(step.stage for step in steps):
            missing = [step for step in steps if step.stage == stage and not step.is_done()]
            take(missing, processes, partial(progress, stage))
        return self._joined(traces).write(self.folder / "results.json")

    def _steps(self, traces: Mapping[str, Sequence[Trace]]) -> Iterator[Step]:
        """All steps, in an order in which each finds what it needs."""
        config = self.config
        drawn = [
            (device, protocol, generator, trial)
            for generator in config.generators
            for protocol in config.protocols
            for device in config.devices
            for trial in config.trials(protocol)
        ]
        attacked = [
            (device, protocol, generator, adversary)
            for adversary in config.adversaries
            for protocol in config.protocols
            for generator in (_CONTROL, *config.generators)
            for device in config.devices
        ]
        key = {
            (device, protocol, generator): self._key(traces.get(device, ()), protocol, generator)
            for device, protocol, generator, _ in attacked
        }
        for names in drawn:
            yield self._step("fit", _draw, "windows", names, key[names[:3]])
        for attack in attacked:
            yield self._step("attack", _attack, "attacks", attack, key[attack[:3]])
        for names in drawn:
            yield self._step("measure", _measure, "figures", names, key[names[:3]])
        if "held-out" in config.protocols:
            whole = _digest(sorted(key.values()))
            for trial in config.trials("held-out"):
                yield self._step("identify", _identify, "identification", (trial,), whole)

    def _step(self, stage: str, work: "_Work", kind: str, names: tuple[Any, ...], key: str) -> Step:
        return Step(stage, partial(work, self, *names), self.path(kind, *names), key)

    def path(self, kind: str, *names: object) -> Path:
        """The file of the step of that kind and those names."""
        return self.folder.joinpath(kind, *map(str, names[:-1]), f"{names[-1]}.json")

    def found(self, kind: str, *names: object) -> dict[str, Any]:
        """What a step found, or its `error`."""
        found: dict[str, Any] = said(self.path(kind, *names))["found"]
        return found

    def _captures(self, device: str, progress: Progress = silent) -> list[Trace]:
        """All captures of a device, with what generators may learn of them."""
        folder = self.root / device
        traces = read_captures([folder], progress=progress)
        return with_states(read_frames([folder], traces))

    def trials(self, device: str, protocol: Protocol) -> tuple[Trial[Windows], ...]:
        """The trials of a device, the same whoever asks."""
        config = self.config
        return trials(
            protocol,
            self._captures(device),
            np.random.default_rng([config.seed, zlib.crc32(device.encode())]),
            window=config.window,
            windows=config.windows,
            splits=config.splits,
        )

    def long_trials(
        self, device: str, protocol: Protocol, length_ns: int
    ) -> tuple[Trial[Stretches], ...]:
        """The same for adversaries that are shown stretches of so many nanoseconds."""
        rng = np.random.default_rng([self.config.seed, length_ns])
        captures = self._captures(device)
        return long_trials(protocol, captures, length_ns, rng, splits=self.config.splits)

    def stretches(
        self, ground: Trial[Stretches], protocol: Protocol, generator: str, trial: int
    ) -> Stretches:
        """What a generator draws for a long trial, fitted anew.

        Raises:
            EvaluationError: It draws windows only.
        """
        method = GENERATORS[generator](
            self.config.method(protocol, generator), seed=self.config.seed
        )
        if not isinstance(method, SessionGenerator):
            raise EvaluationError(f"{generator} draws windows of packets only, and no hours")
        method.fit([piece for trace in ground.train for piece in in_pieces(trace)])
        rng = np.random.default_rng([self.config.seed, trial])
        return streamed_stretches(ground, method, rng)

    def synthetic(self, device: str, protocol: Protocol, generator: str, trial: int) -> Windows:
        """What a generator drew.

        Raises:
            EvaluationError: It drew nothing; why.
        """
        names = device, protocol, generator, trial
        if error := self.found("windows", *names).get("error"):
            raise EvaluationError(error)
        return read_windows(self.path("windows", *names).with_suffix(".parquet"))

    def _key(self, traces: Sequence[Trace], protocol: Protocol, generator: str) -> str:
        """Differs where anything does that the windows of a generator depend on, but its code."""
        made_of = self.config.model_dump(include={"window", "windows", "splits", "seed"})
        made_of |= {"captures": [trace.sha256 for trace in traces], "versions": versions()}
        if generator in GENERATORS:
            made_of["settings"] = self.config.method(protocol, generator).model_dump(mode="json")
        return _digest(made_of)

    def _joined(self, traces: Mapping[str, Sequence[Trace]]) -> Results:
        config = self.config
        each = [
            (device, protocol, generator)
            for device in config.devices
            for protocol in config.protocols
            for generator in config.generators
        ]
        identified: list[Identification] = []
        if "held-out" in config.protocols:
            for trial in config.trials("held-out"):
                entries = self.found("identification", trial).get("entries", [])
                identified += [Identification.model_validate(entry) for entry in entries]
        return Results(
            made_with={
                **config.model_dump(mode="json"),
                "versions": {**versions(), "aeon": version("aeon")},
            },
            devices=tuple(
                Device(
                    name=name,
                    captures={trace.name: trace.sha256 for trace in captures},
                    packets=sum(map(len, captures)),
                )
                for name, captures in traces.items()
            ),
            cells=tuple(
                self._cell(*names, adversary) for names in each for adversary in config.adversaries
            ),
            samples=tuple(
                self._sample(*names, trial) for names in each for trial in config.trials(names[1])
            ),
            identification=tuple(identified),
        )

    def _cell(self, device: str, protocol: Protocol, generator: str, adversary: str) -> Cell:
        found = [
            self.found("attacks", device, protocol, name, adversary)
            for name in (generator, _CONTROL)
        ]
        names = {
            "device": device,
            "protocol": protocol,
            "generator": generator,
            "adversary": adversary,
        }
        if errors := [one["error"] for one in found if "error" in one]:
            return Cell(**names, error=errors[0])
        pairs = zip(*(one["detections"] for one in found), strict=True)
        attacks = (Attack(detection=detection, control=control) for detection, control in pairs)
        return Cell(**names, attacks=tuple(attacks))

    def _sample(self, device: str, protocol: Protocol, generator: str, trial: int) -> Sample:
        names = device, protocol, generator, trial
        found = self.found("windows", *names) | self.found("figures", *names)
        return Sample(device=device, protocol=protocol, generator=generator, trial=trial, **found)


_Work = Callable[..., dict[str, Any]]


def _draw(
    benchmark: Benchmark, device: str, protocol: Protocol, generator: str, trial: int
) -> dict[str, Any]:
    """Fit a generator to the captures of a trial and draw its windows."""
    config, ground = benchmark.config, benchmark.trials(device, protocol)[trial]
    method = GENERATORS[generator](config.method(protocol, generator), seed=config.seed)
    start = time.process_time()
    method.fit(ground.train)
    fitted = time.process_time()
    rng = np.random.default_rng([config.seed, trial])
    synthetic = method.sample(len(ground.real), rng)
    sampled = time.process_time()
    path = benchmark.path("windows", device, protocol, generator, trial)
    write_windows(synthetic, path.with_suffix(".parquet"))
    return {
        "windows": len(synthetic),
        "train": [trace.name for trace in ground.train],
        "unseen": [trace.name for trace in ground.unseen],
        "fit_seconds": fitted - start,
        "sample_seconds": sampled - fitted,
    }


def _attack(
    benchmark: Benchmark, device: str, protocol: Protocol, generator: str, adversary: str
) -> dict[str, Any]:
    """Tell the windows of a generator, or a control's, from the real ones of each trial."""
    make = partial(ADVERSARIES[adversary], seed=benchmark.config.seed)
    length_ns = ADVERSARIES[adversary].stretch_ns
    grounds: Sequence[Trial[Any]] = (
        benchmark.long_trials(device, protocol, length_ns)
        if length_ns
        else benchmark.trials(device, protocol)
    )
    detections = []
    for trial, ground in enumerate(grounds):
        if generator == _CONTROL:
            found = ground.attack_control(make)
        elif length_ns:
            found = ground.attack(make, benchmark.stretches(ground, protocol, generator, trial))
        else:
            found = ground.attack(make, benchmark.synthetic(device, protocol, generator, trial))
        detections.append(asdict(found))
    return {"detections": detections}


def _measure(
    benchmark: Benchmark, device: str, protocol: Protocol, generator: str, trial: int
) -> dict[str, Any]:
    """Metrics of a generator's windows, and what pictures of them need."""
    ground = benchmark.trials(device, protocol)[trial]
    synthetic = benchmark.synthetic(device, protocol, generator, trial)
    # pictures of one trial are enough
    profiles = describe(ground, synthetic) if protocol == "held-out" and trial == 0 else {}
    return {
        "metrics": measure(ground, synthetic),
        "profiles": {name: found.model_dump() for name, found in profiles.items()},
    }


def _identify(benchmark: Benchmark, trial: int) -> dict[str, Any]:
    """Which device's windows are taken for which."""
    config = benchmark.config
    grounds: dict[str, Trial[Windows]] = {}
    for device in config.devices:
        # a device that cannot be split or has no windows stands among the failures already
        with suppress(IoTFlowGenError):
            grounds[device] = benchmark.trials(device, "held-out")[trial]
    synthetic: dict[str, dict[str, Windows]] = {name: {} for name in config.generators}
    for generator, of_device in synthetic.items():
        for device in grounds:
            with suppress(EvaluationError):
                of_device[device] = benchmark.synthetic(device, "held-out", generator, trial)
    found = identify(grounds, synthetic, trial=trial, seed=config.seed)
    return {"entries": [entry.model_dump() for entry in found]}


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
