"""The tables of what was done: captures, costs, failures, settings."""

from collections.abc import Iterator
from statistics import median

from iotflowgen.report.findings import Findings
from iotflowgen.report.table import NONE, Column, Row, Table, Value, number

__all__ = ["capture_table", "cost_table", "failure_table", "setting_table"]


def capture_table(findings: Findings) -> Table | None:
    """The devices, their captures, and how many windows were told apart."""
    windows = {
        protocol: {sample.device: sample.windows for sample in findings.samples(protocol=protocol)}
        for protocol in findings.protocols
    }
    rows = [
        Row(
            device.name,
            [
                number(len(device.captures), 0),
                number(device.packets, 0),
                *(number(of.get(device.name), 0) for of in windows.values()),
            ],
        )
        for device in findings.results.devices
    ]
    columns = [Column("captures"), Column("packets")]
    columns += [Column(f"under {protocol}", "windows of each kind") for protocol in windows]
    return Table("Captures", "device", columns, rows) if rows else None


def cost_table(findings: Findings) -> Table | None:
    """Seconds that fitting and drawing took."""
    rows = []
    for generator in findings.generators:
        samples = findings.samples(generator=generator)
        fits = [s.fit_seconds for s in samples if s.fit_seconds is not None]
        draws = [s.sample_seconds for s in samples if s.sample_seconds is not None]
        if fits or draws:
            values = [
                Value(str(len(samples))),
                *(number(f(fits), 1) if fits else NONE for f in (median, max, sum)),
                *(number(f(draws), 1) if draws else NONE for f in (median, max)),
            ]
            rows.append(Row(generator, values, is_generator=True))
    columns = [Column("samples")]
    columns += [Column(name, "seconds to fit") for name in ("median", "longest", "in all")]
    columns += [Column(name, "seconds to draw") for name in ("median", "longest")]
    return Table("Costs", "generator", columns, rows) if rows else None


def failure_table(findings: Findings) -> Table | None:
    """What went wrong, once, and all that has no figures for it."""
    lost: dict[tuple[str, str, str], dict[str, None]] = {}
    for device, generator, error, what in _failures(findings):
        lost.setdefault((device, generator, error), {})[what] = None
    rows = [
        Row(device, [Value(generator), Value(error), Value("; ".join(what))])
        for (device, generator, error), what in lost.items()
    ]
    columns = [Column(name, in_words=True) for name in ("generator", "error", "without figures")]
    return (
        Table("What went wrong, and what has no figures for it", "device", columns, rows)
        if rows
        else None
    )


def _failures(findings: Findings) -> Iterator[tuple[str, str, str, str]]:
    """Device, generator, error, and what it was of."""
    results = findings.results
    for sample in results.samples:
        if sample.error is not None:
            what = f"{sample.protocol}, trial {sample.trial + 1}"
            yield sample.device, sample.generator, sample.error, what
    for cell in results.cells:
        if cell.error is not None:
            yield cell.device, cell.generator, cell.error, f"{cell.protocol}, {cell.adversary}"
    for found in results.identification:
        if found.error is not None:
            what = f"identification, split {found.trial + 1}"
            yield "all devices", found.generator, found.error, what


def setting_table(findings: Findings) -> Table | None:
    """Configuration and versions, as the file has them."""
    rows = [
        Row(name, [Value(value)]) for name, value in _flat(findings.results.made_with, "").items()
    ]
    return Table("Settings", "setting", [Column("value", in_words=True)], rows) if rows else None


def _flat(nested: object, name: str) -> dict[str, str]:
    """Nested settings by dotted names, as TOML has them."""
    if isinstance(nested, dict):
        rows: dict[str, str] = {}
        for key, value in nested.items():
            rows |= _flat(value, f"{name}.{key}" if name else str(key))
        return rows
    if isinstance(nested, (list, tuple)):
        return {name: ", ".join(map(str, nested))}
    return {name: str(nested)}
