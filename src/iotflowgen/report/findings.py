"""Queries on results: participants, and figures over several cells."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from statistics import mean
from typing import Literal

from iotflowgen.evaluation import Cell, Identification, Protocol, Results, Sample

__all__ = [
    "PAPERS_ADVERSARY",
    "Findings",
    "Quantity",
    "Recognised",
    "accuracy",
    "by_split",
    "control",
    "excess",
    "mean_by",
    "mean_of",
    "recognised",
    "worst",
]

Quantity = Callable[[Cell], float | None]
Recognised = Literal["accuracy", "acceptance", "train_on_synthetic"]
PAPERS_ADVERSARY = "packet-metadata"
"""The one of Table 1 (section 3.2)."""
_PROTOCOLS: tuple[Protocol, ...] = ("held-out", "paper")


class Findings:
    """A results file, and who took part in it, in its order."""

    def __init__(self, results: Results) -> None:
        self.results = results

    @cached_property
    def devices(self) -> tuple[str, ...]:
        """All devices, those that only failed too."""
        named = [device.name for device in self.results.devices]
        return tuple(dict.fromkeys([*named, *(cell.device for cell in self.results.cells)]))

    @cached_property
    def generators(self) -> tuple[str, ...]:
        """All generators, those that only failed too."""
        parts = (self.results.cells, self.results.samples, self.results.identification)
        return tuple(dict.fromkeys(entry.generator for part in parts for entry in part))

    @cached_property
    def adversaries(self) -> tuple[str, ...]:
        """All adversaries that found anything, the paper's first."""
        names = dict.fromkeys(cell.adversary for cell in self.cells())
        return tuple(sorted(names, key=lambda name: name != PAPERS_ADVERSARY))

    @cached_property
    def protocols(self) -> tuple[Protocol, ...]:
        """The protocols under which anything was found, the stricter first."""
        found = {cell.protocol for cell in self.cells()}
        return tuple(protocol for protocol in _PROTOCOLS if protocol in found)

    def cells(self, **wanted: str) -> list[Cell]:
        """Cells with figures, of the given device, protocol, generator and adversary."""
        return [cell for cell in self.results.select(**wanted) if cell.attacks]

    def samples(self, **wanted: str) -> list[Sample]:
        """Samples that were drawn, of the given device, protocol and generator."""
        return [
            sample
            for sample in self.results.samples
            if sample.error is None and all(getattr(sample, k) == v for k, v in wanted.items())
        ]

    def pictured(self, device: str) -> dict[str, Sample]:
        """The samples of one trial to show, by generator: of `held-out` rather than of `paper`."""
        trials: dict[tuple[bool, int], dict[str, Sample]] = {}
        for sample in self.samples(device=device):
            if sample.profiles.keys() >= {"real", "control", "synthetic"}:
                place = (sample.protocol == "held-out", -sample.trial)
                trials.setdefault(place, {})[sample.generator] = sample
        return trials[max(trials)] if trials else {}

    def identified(self, generator: str) -> list[Identification]:
        """What the classifier of device types found, an entry a split."""
        return [
            found
            for found in self.results.identification
            if found.generator == generator and found.error is None
        ]


def mean_of(values: Iterable[float | None]) -> float | None:
    """The mean of the values that are known; none where none is."""
    known = [value for value in values if value is not None]
    return mean(known) if known else None


def mean_by(pairs: Iterable[tuple[str, float | None]]) -> dict[str, float]:
    """The mean of the values that a name is paired with, where one is known."""
    values: dict[str, list[float]] = {}
    for name, value in pairs:
        if value is not None:
            values.setdefault(name, []).append(value)
    return {name: mean(each) for name, each in values.items()}


def recognised(found: Iterable[Identification], kind: Recognised) -> dict[str, float]:
    """Shares of windows taken for the right device, by device, means over the splits."""
    return mean_by(pair for one in found for pair in getattr(one, kind).items())


def accuracy(cell: Cell) -> float | None:
    """Mean accuracy over the trials."""
    return cell.accuracy


def excess(cell: Cell) -> float | None:
    """Mean excess over the trials."""
    return cell.excess


def control(cell: Cell) -> float | None:
    """Mean accuracy of the control over the trials."""
    return mean_of(attack.control.mean for attack in cell.attacks)


def worst(cells: Sequence[Cell], quantity: Quantity) -> Cell:
    """The cell, of at least one, in which most is told right."""
    return max(cells, key=lambda cell: quantity(cell) or 0.0)


def by_split(cells: Sequence[Cell]) -> list[float]:
    """The mean excess over the cells, an entry a split of the captures."""
    splits = max((len(cell.attacks) for cell in cells), default=0)
    return [
        mean(cell.attacks[i].excess for cell in cells if i < len(cell.attacks))
        for i in range(splits)
    ]
