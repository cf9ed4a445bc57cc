"""Which header fields of generated packets stand out, device by device.

`headers.py` says how well an adversary tells generated sessions from captures, this says by what.
Of each device sessions learnt from half G of the captures are written to a pcap, as there, and each
field that the adversary `headers` reads is compared with that of the other half, H; G beside H is
the control. Two figures a field, each with its excess over the control:

- *packets*: how far the field is distributed otherwise, from 0 to 1. It is the total variation over
  bins that quantiles of the values bound, where values that are frequent have bins of their own and
  packets without the field have one: flags are told apart one by one, sequence numbers roughly.
  Packets are compared with those of the same kind (protocol configuration and direction), and kinds
  count by their share of H. So it does not matter how many packets there are of which kind.
- *windows*: the accuracy of a small decision tree that reads of windows what `headers` does, but of
  this field alone, with the same folds. Here the mix of packets counts, as for the adversary. An
  accuracy below 0.5 counts as 0.5: the tree was misled by the accidents of captures.

What is learnt from G strays from H further than G does, by chance alone: a little excess of many
fields is the price of few captures, and those that stand out from the others are worth a look.

Devices that are done are not measured again.

    python benchmarks/fields.py CAPTURES --devices WeMoLink,HueBridge --top 20
    python benchmarks/fields.py CAPTURES --devices WeMoLink --capture made.pcap

The second compares a capture, or a folder of them, whatever wrote it, and keeps nothing. Write it
with `generate --keep-identifiers`, by a model of G alone; the names of G are printed. A single file
is cut into as many pieces as G has captures, however many sessions it holds.

Shapes: P packets, F header fields, S samples, B bins.
"""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from by_device import arguments, taken
from decoys import SEED, SIZE, drawn, field_names, grounds, read_device, recorded, written
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from iotflowgen.adversaries import HeaderBoosting
from iotflowgen.evaluation import Trial
from iotflowgen.traffic import (
    PROTOCOLS,
    Trace,
    Windows,
    cut_windows,
    draw_window_starts,
    unpack_protocols,
)

__all__ = ["Packets", "accuracies", "by_kind", "shares"]

QUANTILES = 16
LEAST = 20
"""Packets of a kind, of all three, for it to be compared."""
KINDS = 3
"""Of packets, that are named of a field at most."""
DEPTH, LEAF = 3, 10
"""Of the tree: questions it asks, and windows that the answers leave at least."""


class Packets(NamedTuple):
    """What packets are, and what their headers hold."""

    kind: NDArray[np.int64]
    """Protocol configuration and direction (P), as `2 * protocols + outgoing`."""
    fields: NDArray[np.float32]
    """Values (P, F), NaN where a packet lacks a field."""

    @classmethod
    def of(cls, traces: Sequence[Trace]) -> "Packets":
        """All packets of traces that have headers."""
        kinds = [2 * trace.protocols.astype(np.int64) + trace.outgoing for trace in traces]
        fields = [trace.headers for trace in traces if trace.headers is not None]
        return cls(np.concatenate(kinds), np.concatenate(fields))


class Comparison(NamedTuple):
    """Of one split: generated sessions and G, both beside H."""

    packets: Sequence[Mapping[int, NDArray[np.float64]]]
    """As `by_kind` has it, of parts of the sessions; at least one."""
    compared: float
    """The share of H's packets that are of kinds which can be compared."""
    windows: NDArray[np.float64]
    """As `accuracies` has it."""


class FieldTree(HeaderBoosting):
    """A small decision tree over what `HeaderBoosting` reads: fast, and enough for one field."""

    name = "tree"

    def fit(self, windows: Windows, synthetic: NDArray[np.bool_]) -> Self:
        """Learn from windows (N) and which of them are synthetic (N)."""
        self._tree = DecisionTreeClassifier(
            max_depth=DEPTH, min_samples_leaf=LEAF, random_state=self.seed
        ).fit(self.rows(windows), synthetic)
        return self

    def score(self, windows: Windows) -> NDArray[np.float64]:
        """The probability (N) that each window is synthetic."""
        scores: NDArray[np.float64] = self._tree.predict_proba(self.rows(windows))[:, 1]
        return scores


def shares(samples: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
    """The share of each sample (S) in each of their common bins: (S, B).

    A value that is a quantile of some sample has a bin, and so has what lies between two of them:
    each value that makes up more than one in `QUANTILES` is by itself. NaN is a value of its own.
    """
    steps = np.linspace(0, 1, QUANTILES + 1)
    there = [sample[~np.isnan(sample)] for sample in samples]
    # quantiles that are values, not between values
    bounds = [np.sort(each)[(steps * (len(each) - 1)).astype(int)] for each in there if len(each)]
    edges = np.unique(np.concatenate([[0.0], *bounds]))
    found = []
    for sample, each in zip(samples, there, strict=True):
        bins = np.searchsorted(edges, each, "left") + np.searchsorted(edges, each, "right")
        counts = np.bincount(bins, minlength=2 * len(edges) + 1)
        found.append(np.append(counts, len(sample) - len(each)) / len(sample))
    return np.array(found)


def by_kind(generated: Packets, unseen: Packets, train: Packets) -> dict[int, NDArray[np.float64]]:
    """How far fields are from those of H, times the share of H that packets of the kind are.

    Args:
        generated: Learnt from G.
        unseen: Those of H.
        train: Those of G.

    Returns:
        Of each kind that all three have the distances (2, F) of generated packets and of G from H.
        Their sum over kinds is a distance from 0 to the share of H that was compared.
    """
    found = {}
    samples = (generated, train, unseen)
    for kind in np.unique(unseen.kind).tolist():
        of = [each.fields[each.kind == kind] for each in samples]
        if min(map(len, of)) < LEAST:
            continue
        binned = [shares(columns) for columns in zip(*(each.T for each in of), strict=True)]
        far = [np.abs(each[:2] - each[2]).sum(axis=1) / 2 for each in binned]
        found[kind] = np.mean(unseen.kind == kind) * np.transpose(far)
    return found


def accuracies(ground: Trial[Windows], windows: Windows) -> NDArray[np.float64]:
    """How well a small tree tells windows from those of H by each field alone.

    Args:
        ground: G and H.
        windows: Generated ones (N), with headers.

    Returns:
        The accuracies (2, F) of generated windows and of G, from 0.5 to 1 but for chance.
    """
    found = []
    for field in range(_headers(windows).shape[-1]):
        of_field = partial(_one_field, field=field)
        told = replace(ground, real=of_field(ground.real), control=of_field(ground.control))
        attacks = told.attack(FieldTree, of_field(windows)), told.attack_control(FieldTree)
        found.append([attack.mean for attack in attacks])
    return np.transpose(found)


def _one_field(windows: Windows, field: int) -> Windows:
    return replace(windows, headers=_headers(windows)[..., field : field + 1])


def _headers(windows: Windows) -> NDArray[np.float32]:
    if windows.headers is None:
        raise ValueError("windows without headers")
    return windows.headers


def beside(ground: Trial[Windows], traces: Sequence[Trace], rng: np.random.Generator) -> Comparison:
    """Compare generated traces with G and H.

    Packets are compared of as many traces at a time as G has. More of them would be closer to H
    than G can be, in all that is drawn anew for a session.
    """
    unseen, train = Packets.of(ground.unseen), Packets.of(ground.train)
    parts = max(1, len(traces) // len(ground.train))
    packets = [by_kind(Packets.of(traces[i::parts]), unseen, train) for i in range(parts)]
    compared = np.mean([np.isin(unseen.kind, [*each]).mean() for each in packets])
    long = [trace for trace in traces if len(trace) >= SIZE]
    places = draw_window_starts(long, len(ground.real), SIZE, rng)
    told = replace(ground, dealt=places.trace)
    return Comparison(packets, float(compared), accuracies(told, cut_windows(long, places)))


def rows(names: Sequence[str], found: Sequence[Comparison]) -> list[dict[str, Any]]:
    """What is said of each field, the one that stands out most first; means over splits."""
    kinds, far_K2F = _means([each.packets for each in found], len(names))
    generated_F, control_F = far_K2F.sum(axis=0)
    told_F, told_control_F = np.mean([each.windows for each in found], axis=0)
    # to be misled by the accidents of captures is no better than to guess
    windows_excess_F = np.maximum(told_F, 0.5) - np.maximum(told_control_F, 0.5)
    said = [
        {
            "field": name,
            "packets": _figures(generated, control, generated - control),
            "windows": _figures(told, told_control, excess),
            "kinds": _most(kinds, far_K),
        }
        for name, generated, control, told, told_control, excess, far_K in zip(
            names,
            generated_F,
            control_F,
            told_F,
            told_control_F,
            windows_excess_F,
            (far_K2F[:, 0] - far_K2F[:, 1]).T,
            strict=True,
        )
    ]
    return sorted(said, key=lambda row: -row["packets"]["excess"])


def _means(
    found: Sequence[Sequence[Mapping[int, NDArray[np.float64]]]], width: int
) -> tuple[list[int], NDArray[np.float64]]:
    """The kinds (K), and the means (K, 2, F) over parts and splits; no distance where one lacks."""
    kinds = sorted({kind for split in found for part in split for kind in part})
    total = np.zeros((len(kinds), 2, width))
    for split in found:
        for part in split:
            for place, kind in enumerate(kinds):
                total[place] += part.get(kind, 0) / len(split) / len(found)
    return kinds, total


def _figures(generated: float, control: float, excess: float) -> dict[str, float]:
    found = {"generated": generated, "control": control, "excess": excess}
    return {name: round(float(value), 4) for name, value in found.items()}


def _most(kinds: Sequence[int], excess_K: NDArray[np.float64]) -> dict[str, float]:
    """The kinds of packets in which a field stands out most, and how much each adds."""
    first = np.argsort(-excess_K)[:KINDS]
    return {
        _kind_name(kinds[place]): round(float(excess_K[place]), 4)
        for place in first
        if excess_K[place] > 0
    }


def _kind_name(kind: int) -> str:
    present = unpack_protocols(np.array(kind // 2, dtype=np.uint16))
    carried = [name for name, is_there in zip(PROTOCOLS, present, strict=True) if is_there]
    return f"{' '.join(carried) or 'none'}, {'sent' if kind % 2 else 'received'}"


def measure(folder: Path) -> dict[str, Any]:
    """What is found of sessions that are learnt from the captures in a folder, split by split."""
    traces, frames = read_device([folder])
    found = []
    for split, ground in enumerate(grounds(folder.name, traces)):
        rng = np.random.default_rng([SEED, split])
        with tempfile.TemporaryDirectory() as scratch:
            sessions, path = drawn(ground.train, rng), Path(scratch) / "made.pcap"
            made, _, _ = written(sessions, path, recorded(ground.train, frames), [SEED, split])
        found.append(beside(ground, made, rng))
    return _said(folder, field_names(traces[0], frames), found)


def measure_capture(folder: Path, path: Path, device: str | None) -> dict[str, Any]:
    """What is found of captures that were written before, beside the first split.

    Args:
        folder: The device's captures.
        path: A capture that is compared with them, or a folder of such.
        device: Its MAC or IP address there; by default the most common one.
    """
    traces, frames = read_device([folder])
    ground = grounds(folder.name, traces)[0]
    print("G:", *(trace.name for trace in ground.train), file=sys.stderr)
    made, _ = read_device([path], device, cached=False)
    if len(made) == 1:
        made = pieces(made[0], len(ground.train))
    found = beside(ground, made, np.random.default_rng([SEED, 0]))
    return _said(folder, field_names(traces[0], frames), [found])


def pieces(trace: Trace, n: int) -> list[Trace]:
    """A trace in so many parts of about one length, since folds need more than one."""
    ends = np.linspace(0, len(trace), n + 1).astype(int).tolist()
    return [trace[start:end] for start, end in pairwise(ends)]


def _said(folder: Path, names: Sequence[str], found: Sequence[Comparison]) -> dict[str, Any]:
    compared = round(float(np.mean([each.compared for each in found])), 4)
    return {"device": folder.name, "compared": compared, "fields": rows(names, found)}


def show(devices: Sequence[Mapping[str, Any]], top: int, by: str) -> None:
    """Print the fields that stand out most of each device."""
    head = f"{'':26}{'packets':>22}{'windows':>26}"
    columns = f"{'gen-H':>8}{'G-H':>7}{'excess':>8}"
    for device in devices:
        print(f"\n{device['device']}, {device['compared']:.0%} of H's packets compared\n{head}")
        print(f"{'field':26}{columns} {columns}  mostly in")
        for row in sorted(device["fields"], key=lambda row: -row[by]["excess"])[:top]:
            figures = (_columns(row[each]) for each in ("packets", "windows"))
            print(f"{row['field']:26}{' '.join(figures)}  {next(iter(row['kinds']), '')}")


def _columns(figures: Mapping[str, float]) -> str:
    return "{generated:8.3f}{control:7.3f}{excess:+8.3f}".format(**figures)


def main() -> None:
    """Measure the devices that are missing, write the JSON and print what stands out."""
    parser = arguments(Path("benchmarks/results/fields"), __doc__)
    parser.add_argument("--top", type=int, default=20, help="fields to print of each device")
    parser.add_argument("--by", choices=("packets", "windows"), default="packets")
    parser.add_argument("--capture", type=Path, help="compare this instead of generating")
    parser.add_argument("--mac", help="of the device in it, unless it is the most common address")
    chosen = parser.parse_args()
    if chosen.capture is None:
        devices = taken(measure, chosen, seed=SEED, quantiles=QUANTILES)
    elif "," in chosen.devices:
        parser.error("--capture is of one device")
    else:
        folder = chosen.root / chosen.devices
        devices = [measure_capture(folder, chosen.capture, chosen.mac)]
    show(devices, chosen.top, chosen.by)


if __name__ == "__main__":
    main()
