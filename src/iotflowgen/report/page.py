"""Results to one self-contained HTML page: style and plots are inline, without scripts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from iotflowgen.errors import ResultsError
from iotflowgen.evaluation import Protocol, Results
from iotflowgen.files import whole_file
from iotflowgen.progress import Progress, silent
from iotflowgen.report.day_plot import day_plots
from iotflowgen.report.detection_plots import accuracy_plot, excess_plot
from iotflowgen.report.detection_tables import (
    adversary_table,
    identification_by_device,
    identification_table,
    table_1,
)
from iotflowgen.report.findings import Findings, mean_by
from iotflowgen.report.metric_table import metric_table
from iotflowgen.report.palette import INKS, marks
from iotflowgen.report.record_tables import (
    capture_table,
    cost_table,
    failure_table,
    setting_table,
)
from iotflowgen.report.summary import summarise
from iotflowgen.report.svg import plotting
from iotflowgen.report.table import Value, points
from iotflowgen.report.traffic_plots import field_plots, window_plots

__all__ = ["write_report"]


@dataclass(frozen=True)
class _Traffic:
    """The pictures of a device's traffic."""

    device: str
    protocol: Protocol
    excess: dict[str, Value]
    """By generator, the mean over adversaries."""
    fields: dict[str, Markup]
    """By heading."""
    windows: dict[str, Markup]
    """By whose they are."""
    days: dict[str, Markup]
    """By generator."""


def write_report(results: Results, path: Path, *, progress: Progress = silent) -> None:
    """Write the page, whole or not at all; the same results give the same bytes.

    Args:
        results: What `evaluate` or `benchmark` found; parts that it lacks the page lacks too.
        path: The HTML file.
        progress: Told after every set of plots.

    Raises:
        ResultsError: There is nothing to report.
        OutputError: The file cannot be written.
    """
    if not (results.cells or results.samples or results.identification):
        raise ResultsError(
            "the results hold no figures; run evaluate or benchmark, and report what it wrote"
        )
    page = _page(Findings(results), progress)
    with whole_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="replace")


def _page(findings: Findings, progress: Progress) -> str:
    pages = Environment(
        loader=PackageLoader("iotflowgen.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    identified = any(map(findings.identified, findings.generators))
    with plotting():
        draw = _Plots(findings, progress)
        return pages.get_template("page.html.j2").render(
            findings=findings,
            inks=INKS,
            marks=draw.marks,
            words=summarise(findings),
            excess_plots=draw.excess(),
            accuracy_plots=draw.accuracy(),
            traffic=list(draw.traffic()),
            table_1=table_1(findings) if findings.adversaries else None,
            adversaries=[adversary_table(findings, name) for name in findings.adversaries],
            identification=identification_table(findings) if identified else None,
            identification_by_device=identification_by_device(findings) if identified else None,
            metrics=metric_table(findings),
            failures=failure_table(findings),
            captures=capture_table(findings),
            costs=cost_table(findings),
            settings=setting_table(findings),
        )


class _Plots:
    """Draws the plots and tells how far it is."""

    def __init__(self, findings: Findings, progress: Progress) -> None:
        self.marks = marks(findings.generators)
        self._findings = findings
        self._progress = progress
        self._pictured = [name for name in findings.devices if findings.pictured(name)]
        self._total = len(findings.protocols) + len(self._pictured)
        self._done = 0

    def excess(self) -> dict[str, Markup]:
        """By adversary; of one device there is nothing to compare."""
        findings = self._findings
        if "held-out" not in findings.protocols or len(findings.devices) == 1:
            return {}
        return {name: excess_plot(findings, name, self.marks) for name in self._under("held-out")}

    def accuracy(self) -> dict[str, dict[str, Markup]]:
        """By protocol, then by adversary."""
        drawn: dict[str, dict[str, Markup]] = {}
        for protocol in self._findings.protocols:
            drawn[protocol] = {
                name: accuracy_plot(self._findings, protocol, name, self.marks)
                for name in self._under(protocol)
            }
            self._tell(protocol)
        return drawn

    def traffic(self) -> Iterator[_Traffic]:
        """By device."""
        findings = self._findings
        for device in self._pictured:
            samples = findings.pictured(device)
            cells = findings.cells(device=device, protocol="held-out")
            means = mean_by((cell.generator, cell.excess) for cell in cells)
            yield _Traffic(
                device=device,
                protocol=next(iter(samples.values())).protocol,
                excess={name: points(value) for name, value in means.items()},
                fields=dict(field_plots(device, samples, self.marks)),
                windows=dict(window_plots(device, samples, self.marks)),
                days=dict(day_plots(device, samples, self.marks)),
            )
            self._tell(device)

    def _under(self, protocol: Protocol) -> list[str]:
        """The adversaries that found anything under a protocol."""
        findings = self._findings
        return [
            name
            for name in findings.adversaries
            if findings.cells(protocol=protocol, adversary=name)
        ]

    def _tell(self, what: str) -> None:
        self._done += 1
        self._progress("draw", self._done, self._total, what)
