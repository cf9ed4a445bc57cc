"""Tables of accuracy: Table 1, by adversary, and identification."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from iotflowgen.evaluation import Cell, Protocol
from iotflowgen.report.findings import (
    PAPERS_ADVERSARY,
    Findings,
    Quantity,
    Recognised,
    accuracy,
    by_split,
    control,
    excess,
    mean_by,
    mean_of,
    recognised,
    worst,
)
from iotflowgen.report.paper_table1 import PAPER_TABLE_1
from iotflowgen.report.table import NONE, Column, Row, Table, Value, number, points, share, told

__all__ = ["adversary_table", "identification_by_device", "identification_table", "table_1"]


class _Measured(NamedTuple):
    """A column, its figures by device, and how they are shown."""

    column: Column
    figures: Mapping[str, float]
    show: Callable[[float | None], Value]


def table_1(findings: Findings) -> Table:
    """The paper's Table 1, its figures beside those of the file: one adversary, a row a device."""
    adversary = next(iter(findings.adversaries), "")
    columns = list(_table_1_columns(findings, adversary))
    return _by_device(f"Adversary {adversary}", findings.devices, columns)


def _table_1_columns(findings: Findings, adversary: str) -> Iterator[_Measured]:
    def ours(quantity: Quantity, protocol: Protocol, **wanted: str) -> dict[str, float]:
        cells = findings.cells(adversary=adversary, protocol=protocol, **wanted)
        return mean_by((cell.device, quantity(cell)) for cell in cells)

    if "paper" in findings.protocols:
        reported = {d: PAPER_TABLE_1[d] for d in findings.devices if d in PAPER_TABLE_1}
        if reported and adversary == PAPERS_ADVERSARY:
            group = "in the paper"
            yield _Measured(Column("IoTG", group), {d: r.iotg for d, r in reported.items()}, told)
            yield _Measured(Column("DG", group), {d: r.dg for d, r in reported.items()}, told)
        group = "accuracy under paper"
        for generator in findings.generators:
            figures = ours(accuracy, "paper", generator=generator)
            yield _Measured(Column(generator, group, is_generator=True), figures, told)
        yield _Measured(Column("control", group), ours(control, "paper"), told)
    if "held-out" in findings.protocols:
        for generator in findings.generators:
            column = Column(generator, "excess under held-out, points", is_generator=True)
            yield _Measured(column, ours(excess, "held-out", generator=generator), points)


def _by_device(caption: str, devices: Sequence[str], measured: Sequence[_Measured]) -> Table:
    """A row a device, and the means of those that a column knows."""
    rows = [
        Row(device, [one.show(one.figures.get(device)) for one in measured]) for device in devices
    ]
    means = [
        replace(
            one.show(mean_of(one.figures.values())),
            note=f"of {len(one.figures)}" if 0 < len(one.figures) < len(devices) else "",
        )
        for one in measured
    ]
    foot = [Row("mean", means)] if len(devices) > 1 else []
    return Table(caption, "device", [one.column for one in measured], rows, foot)


def adversary_table(findings: Findings, adversary: str) -> Table:
    """How well one adversary tells each generator, over all devices."""
    shown = [
        (protocol, name, show)
        for protocol in findings.protocols
        for name, show in _columns(protocol, len(findings.devices)).items()
    ]
    rows = []
    for generator in findings.generators:
        cells = {
            protocol: findings.cells(adversary=adversary, generator=generator, protocol=protocol)
            for protocol in findings.protocols
        }
        values = [show(cells[protocol]) if cells[protocol] else NONE for protocol, _, show in shown]
        rows.append(Row(generator, values, is_generator=True))
    heads = [Column(name, f"under {protocol}") for protocol, name, _ in shown]
    return Table(adversary, "generator", heads, rows)


_Summary = Callable[[Sequence[Cell]], Value]


def _mean(quantity: Quantity, show: Callable[[float | None], Value]) -> _Summary:
    return lambda cells: show(mean_of(map(quantity, cells)))


def _worst(quantity: Quantity, show: Callable[[float | None], Value]) -> _Summary:
    def summary(cells: Sequence[Cell]) -> Value:
        cell = worst(cells, quantity)
        return replace(show(quantity(cell)), note=cell.device)

    return summary


def _interval(cells: Sequence[Cell]) -> Value:
    intervals = [attack.detection.interval for cell in cells for attack in cell.attacks]
    low, high = min(low for low, _ in intervals), max(high for _, high in intervals)
    return Value(f"{100 * low:.1f} to {high:.1%}")


def _splits(cells: Sequence[Cell]) -> Value:
    return Value(", ".join(points(value).text for value in by_split(cells)))


def _roc_auc(cell: Cell) -> float | None:
    return mean_of(attack.detection.roc_auc for attack in cell.attacks)


def _columns(protocol: Protocol, devices: int) -> dict[str, _Summary]:
    """Names of columns, and what stands in them for the cells of a generator."""
    columns = {"accuracy": _mean(accuracy, told)}
    if devices == 1:
        columns["95% interval"] = _interval
    columns |= {"ROC AUC": _mean(_roc_auc, number), "control": _mean(control, share)}
    if protocol == "held-out":
        columns |= {"excess": _mean(excess, points), "by split": _splits}
    if devices > 1:
        paper = protocol == "paper"
        columns["worst"] = _worst(accuracy, told) if paper else _worst(excess, points)
    return columns


def identification_table(findings: Findings) -> Table:
    """How many windows pass for those of the device that they imitate, over devices and splits."""
    columns = [
        Column("real windows"),
        Column("synthetic windows"),
        Column("ratio"),
        Column("real windows, trained on synthetic"),
    ]
    rows = []
    for generator in findings.generators:
        found = findings.identified(generator)
        real, accepted, trained = (
            share(mean_of(recognised(found, kind).values()))
            for kind in ("accuracy", "acceptance", "train_on_synthetic")
        )
        ratio = number(mean_of(one.ratio for one in found))
        rows.append(Row(generator, [real, accepted, ratio, trained], is_generator=True))
    return Table("Windows taken for the right device, means", "generator", columns, rows)


def identification_by_device(findings: Findings) -> Table:
    """The same, a row a device."""
    found = {name: findings.identified(name) for name in findings.generators}
    real = recognised([one for of in found.values() for one in of], "accuracy")
    measured = [_Measured(Column("real windows"), real, share)]
    groups: dict[Recognised, str] = {
        "acceptance": "synthetic windows",
        "train_on_synthetic": "trained on synthetic",
    }
    for kind, group in groups.items():
        for generator, of in found.items():
            column = Column(generator, group, is_generator=True)
            measured.append(_Measured(column, recognised(of, kind), share))
    return _by_device("Windows taken for the right device", findings.devices, measured)
