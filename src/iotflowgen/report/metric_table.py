"""The table of copying, variety and fields, and a line on each figure saying what good is."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from iotflowgen.evaluation import Sample
from iotflowgen.report.findings import Findings, mean_of
from iotflowgen.report.table import Column, Row, Table, Value, number, share

__all__ = ["metric_table"]


class _Line(NamedTuple):
    """A figure of a metric, in words."""

    name: str
    figure: tuple[str, str]
    """Of which metric, and which of its figures."""
    real: tuple[str, str] | float
    """The same figure for real traffic, or what it is there by how it is made."""
    good: str
    show: Callable[[float | None], Value] = number


def _field(name: str, figure: str) -> _Line:
    metric = "field_distance"
    return _Line(
        name, (metric, figure), (metric, f"{figure}_control"), "low, as for real traffic; 0 to 1"
    )


_PARTS = {
    "Copying": (
        _Line(
            "copied windows",
            ("copied_share", "synthetic"),
            ("copied_share", "real"),
            "as few as of unseen real windows: devices repeat themselves",
            share,
        ),
        _Line(
            "longest copied run, packets",
            ("copied_run", "synthetic"),
            ("copied_run", "real"),
            "as short as in unseen real windows",
        ),
        _Line(
            "distance to the nearest window learnt from",
            ("nearest_distance", "ratio"),
            1.0,
            "1, as far as unseen real windows; 0 is a copy",
        ),
        _Line(
            "membership inference, ROC AUC",
            ("membership_inference", "auc"),
            0.5,
            "0.5, nothing tells which windows were learnt from; 1 gives them away",
        ),
        _Line(
            "the same, true positives at 1 % false ones",
            ("membership_inference", "tpr"),
            0.01,
            "1 %, as guessing finds",
            share,
        ),
    ),
    "Variety": (
        _Line(
            "distinct windows",
            ("unique_share", "synthetic"),
            ("unique_share", "real"),
            "as many as of real windows; fewer is repetition",
            share,
        ),
        _Line(
            "precision",
            ("precision_recall", "precision"),
            ("precision_recall", "precision_control"),
            "as for real traffic; less does what the device does not",
        ),
        _Line(
            "recall",
            ("precision_recall", "recall"),
            ("precision_recall", "recall_control"),
            "as for real traffic; less leaves out what the device does",
        ),
        _Line(
            "density",
            ("density_coverage", "density"),
            ("density_coverage", "density_control"),
            "as for real traffic; like precision, outliers sway it less",
        ),
        _Line(
            "coverage",
            ("density_coverage", "coverage"),
            ("density_coverage", "coverage_control"),
            "as for real traffic; like recall, outliers sway it less",
        ),
    ),
    "Fields, distance from real traffic": (
        _field("frame lengths", "length"),
        _field("source ports", "src_port"),
        _field("destination ports", "dst_port"),
        _field("protocols", "protocols"),
        _field("direction", "outgoing"),
        _Line(
            "durations, decades",
            ("duration_distance", "decades"),
            ("duration_distance", "decades_control"),
            "low, as for real traffic; 1 is off by a factor of ten",
        ),
        _Line(
            "rhythm, autocorrelation of durations",
            ("duration_autocorrelation", "mean"),
            ("duration_autocorrelation", "mean_control"),
            "low, as for real traffic",
        ),
        _Line(
            "rate of packet-level signatures",
            ("signature_rates", "difference"),
            ("signature_rates", "difference_control"),
            "low, as for real traffic",
        ),
    ),
}


def _lines(samples: Sequence[Sample]) -> Iterator[tuple[str, _Line]]:
    """What is shown, part by part; of metrics that are not described here, every figure."""
    for part, lines in _PARTS.items():
        yield from ((part, line) for line in lines)
    described = {line.figure[0] for lines in _PARTS.values() for line in lines}
    figures = {(metric, name) for s in samples for metric, of in s.metrics.items() for name in of}
    for metric, name in sorted(figures):
        if metric not in described and not name.endswith("_control"):
            real = metric, f"{name}_control"
            yield "Others", _Line(f"{metric}, {name}", (metric, name), real, "as for real traffic")


def metric_table(findings: Findings) -> Table | None:
    """Means over devices and splits, real traffic beside each generator; none without figures."""
    samples = {name: findings.samples(generator=name) for name in findings.generators}
    everyone = [sample for of in samples.values() for sample in of]
    rows = []
    for part, line in _lines(everyone):
        figures = [_mean(of, line.figure) for of in samples.values()]
        if all(figure is None for figure in figures):
            continue
        real = line.real if isinstance(line.real, float) else _mean(everyone, line.real)
        values = [*map(line.show, [real, *figures]), Value(line.good)]
        rows.append(Row(line.name, values, part))
    if not rows:
        return None
    columns = [Column("real traffic")]
    columns += [Column(name, is_generator=True) for name in samples]
    columns += [Column("good is", in_words=True)]
    return Table("Means over devices and splits", "figure", columns, rows)


def _mean(samples: Sequence[Sample], figure: tuple[str, str]) -> float | None:
    metric, name = figure
    return mean_of(sample.metrics.get(metric, {}).get(name) for sample in samples)
