"""The meaning of the figures, in generated sentences."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import mean

from iotflowgen.evaluation import Cell
from iotflowgen.report.findings import (
    PAPERS_ADVERSARY,
    Findings,
    by_split,
    control,
    mean_by,
    mean_of,
    recognised,
)
from iotflowgen.report.paper_table1 import PAPER_TABLE_1
from iotflowgen.report.table import points

__all__ = ["summarise"]

_SMALL = 0.05  # an excess that is called small
_COPYING = 0.1  # so many more copied windows than among real ones are called copying
_NAMED = 3  # devices that are worst


def summarise(findings: Findings) -> list[str]:
    """A paragraph a question: who is hardest to tell, and is it for good reasons."""
    questions = (_held_out, _where, _paper, _copying, _identification, _failures)
    paragraphs = (" ".join(question(findings)) for question in questions)
    return [paragraph for paragraph in paragraphs if paragraph]


def _held_out(findings: Findings) -> Iterator[str]:
    cells = findings.cells(protocol="held-out")
    means = mean_by((cell.generator, cell.excess) for cell in cells)
    if not means:
        return
    best, *others = sorted(means, key=lambda name: means[name])
    over = _over(cells)
    if not others:
        splits = _listed([points(value).text for value in by_split(cells)])
        yield f"Under the held-out protocol the excess of {best} is {_points(means[best])}{over},"
        yield f"and {splits} by split. 0 would be as hard to tell as genuine traffic."
        return
    rest = _listed([f"{name} has {points(means[name]).text}" for name in others])
    yield (
        f"Under the held-out protocol {best} is the hardest to tell from real traffic: its excess "
        f"is {_points(means[best])}{over}; {rest}."
    )
    first, second = (findings.cells(protocol="held-out", generator=g) for g in (best, others[0]))
    if max(by_split(first)) >= min(by_split(second)):
        yield f"{best} and {others[0]} are too close to call: their figures by split overlap."
    if (honest := _hardest_to_tell(findings)) != best:
        copiers = [name for name in (best, *others) if means[name] < means[honest]]
        verb = "copies" if len(copiers) == 1 else "copy"
        yield f"But {_listed(copiers)} {verb}; {honest} is the hardest to tell that does not."


def _where(findings: Findings) -> Iterator[str]:
    """Against whom, and on which devices, the best that does not copy is bad."""
    generator = _hardest_to_tell(findings)
    cells = findings.cells(protocol="held-out", generator=generator)
    adversaries = _from_the_worst(mean_by((cell.adversary, cell.excess) for cell in cells))
    if len(adversaries) > 1:
        name, value = adversaries[0]
        yield f"The adversary that tells {generator} best is {name}, with {_points(value)}."
    devices = _from_the_worst(mean_by((cell.device, cell.excess) for cell in cells))
    if len(devices) > _NAMED:
        told = {cell.device for cell in cells if (cell.excess or 0.0) > _SMALL}
        yield (
            f"On {len(devices) - len(told)} of {len(devices)} devices no adversary has an excess "
            f"over {100 * _SMALL:.0f} points against it."
        )
        named = [f"{name} ({points(value).text})" for name, value in devices[:_NAMED]]
        yield f"It is worst on {_listed(named)}."


def _hardest_to_tell(findings: Findings) -> str:
    """By its mean excess, of those that do not copy if there are any; empty without figures."""
    cells = findings.cells(protocol="held-out")
    means = mean_by((cell.generator, cell.excess) for cell in cells)
    copies = _copies(findings)
    return min(means, key=lambda name: (name in copies, means[name]), default="")


def _paper(findings: Findings) -> Iterator[str]:
    if "paper" not in findings.protocols:
        return
    adversary = findings.adversaries[0]
    cells = findings.cells(protocol="paper", adversary=adversary)
    means = mean_by((cell.generator, cell.accuracy) for cell in cells)
    if not means:
        return
    said = _listed([f"{value:.1%} against {name}" for name, value in means.items()])
    if len(cells) == 1:
        low, high = cells[0].attacks[0].detection.interval
        said += f" (95% interval {low:.1%} to {high:.1%})"
    yield (
        f"Under the paper's protocol the accuracy of {adversary} is {said}{_over(cells)}; against "
        f"genuine windows it is {mean_of(map(control, cells)):.1%}."
    )
    reported = [PAPER_TABLE_1[name] for name in findings.devices if name in PAPER_TABLE_1]
    if reported and adversary == PAPERS_ADVERSARY:
        iotg, dg = map(mean, zip(*reported, strict=True))
        devices = "this device" if len(reported) == 1 else f"these {len(reported)} devices"
        yield (
            f"For {devices} the paper reports {iotg:.1%} against its own generator (IoTG) and "
            f"{dg:.1%} against DoppelGANger (DG)."
        )
    yield "This protocol rewards copying."


def _copying(findings: Findings) -> Iterator[str]:
    copies = _copies(findings)
    if copies:
        said = _listed([f"{drawn:.1%} of those of {name}" for name, (drawn, _) in copies.items()])
        real = mean(share for _, share in copies.values())
        yield (
            f"Of unseen real windows {real:.1%} stand in the captures learnt from, packet by "
            f"packet in length and direction; {said} do. A copy is found out by whoever watches "
            "long enough, however low its excess."
        )
    elif any(sample.metrics for sample in findings.samples()):
        yield "Nothing is copied beyond what unseen real traffic repeats of what was learnt from."


def _copies(findings: Findings) -> dict[str, tuple[float, float]]:
    """Who copies: the share of copied windows, and that of real ones that would pass for copies."""
    copies = {}
    for name in findings.generators:
        found = [s.metrics.get("copied_share", {}) for s in findings.samples(generator=name)]
        drawn = mean_of(shares.get("synthetic") for shares in found)
        real = mean_of(shares.get("real") for shares in found)
        if drawn is not None and real is not None and drawn > real + _COPYING:
            copies[name] = drawn, real
    return copies


def _identification(findings: Findings) -> Iterator[str]:
    accepted: dict[str, float] = {}
    real: list[float] = []
    for name in findings.generators:
        found = findings.identified(name)
        if shares := recognised(found, "acceptance"):
            accepted[name] = mean(shares.values())
            real += recognised(found, "accuracy").values()
    if accepted and real:
        said = _listed([f"{share:.1%} of those of {name}" for name, share in accepted.items()])
        yield (
            "A classifier of device types, trained on real traffic, knows the device of "
            f"{mean(real):.1%} of unseen real windows; it takes {said} for the device meant."
        )


def _failures(findings: Findings) -> Iterator[str]:
    cells = findings.results.cells
    failed = sum(cell.error is not None for cell in cells)
    if failed:
        yield (
            f"{failed} of {len(cells)} combinations of device, protocol, generator and adversary "
            "have no figures (see Failures); means leave them out."
        )


def _over(cells: Sequence[Cell]) -> str:
    """What a mean is over, if over anything."""
    devices, adversaries = (
        {getattr(cell, key) for cell in cells} for key in ("device", "adversary")
    )
    parts = [
        f"{len(names)} {kind}"
        for kind, names in (("devices", devices), ("adversaries", adversaries))
        if len(names) > 1
    ]
    return f" on average over {' and '.join(parts)}" if parts else ""


def _points(value: float) -> str:
    return f"{points(value).text} points"


def _from_the_worst(values: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(values.items(), key=lambda item: -item[1])


def _listed(items: Sequence[str]) -> str:
    *some, last = items
    return f"{', '.join(some)} and {last}" if some else last
