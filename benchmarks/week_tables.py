"""The tables that `weeks.json` fills: heads, and rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import mean
from typing import Any

__all__ = ["week_beacons", "week_devices", "week_events", "weeks"]

_Table = tuple[Sequence[str], Sequence[Sequence[str]]]
_NONE = "-"


def weeks(result: Mapping[str, Any]) -> _Table:
    """What was aimed at, and what each generator reaches, over all devices."""
    generators, devices = result["generators"], result["devices"]
    rows: list[Sequence[str]] = []
    for title, aim, key in (
        ("`rhythm`, hours: excess, mean (worst)", "+5", "rhythm"),
        ("`rhythm-minutes`, five minutes: the same", "", "rhythm-minutes"),
    ):
        rows.append((title, aim, "", *(_excess(devices, name, key) for name in generators)))
    rows.append(
        _row(
            "periods of H found again within 2 %",
            "0.95",
            _share(_found([device["real"] for device in devices])),
            generators,
            lambda name: _share(_found(_of(devices, name))),
        )
    )
    for title, figure, form in (
        ("longest run of packets that stands twice, mean", "longest", "{:,.0f}"),
        ("hours that stand elsewhere, packet by packet, mean", "hours", "{:.1%}"),
    ):
        real, *of = (
            [form.format(mean(each["repeats"][figure] for each in found))]
            for found in ([d["real"] for d in devices], *(_of(devices, g) for g in generators))
        )
        rows.append((title, "", *real, *(each for one in of for each in one)))
    rows += _of_events(devices, generators)
    costs = result["costs"]
    rows.append(
        _row(
            "a week of ten devices, drawn and written, s of one core",
            "60",
            "",
            generators,
            lambda name: f"{costs[name]['seconds']:.1f}" if name in costs else _NONE,
        )
    )
    return ("figure", "target", "real", *(f"`{name}`" for name in generators)), rows


def week_devices(result: Mapping[str, Any]) -> _Table:
    """Excess of `rhythm`, and what repeats, device by device."""
    generators = result["generators"]
    heads = ["device", "packets of G, of H", "control, hours"]
    heads += [f"excess `{name}`" for name in generators]
    heads += ["control, minutes", *(f"excess `{name}`, minutes" for name in generators)]
    rows = []
    for device in result["devices"]:
        real, row = device["real"], [device["device"]]
        row.append(f"{real['packets']['G']:,}, {real['packets']['H']:,}")
        for key in ("rhythm", "rhythm-minutes"):
            row.append(f"{real['control'][key]['mean']:.1%}")
            for name in generators:
                excess = _excess_of(device, name, key)
                row.append("failed" if excess is None else f"{100 * excess:+.1f}")
        rows.append(row)
    return heads, rows


def week_beacons(result: Mapping[str, Any]) -> _Table:
    """Each period of H: seconds, jitter, missed beats; of G and of each generator."""
    generators = result["generators"]
    heads = ["device", "service", "H", "G", *(f"`{name}`" for name in generators)]
    rows = []
    for device in result["devices"]:
        found = [device["real"], *(device["generated"][name] for name in generators)]
        for place, beacon in enumerate(device["real"]["periods"]):
            others = [
                _period(each["periods"][place]["other"]) if "error" not in each else "failed"
                for each in found
            ]
            rows.append((device["device"], beacon["service"], _period(beacon["real"]), *others))
    return heads, rows


def week_events(result: Mapping[str, Any]) -> _Table:
    """Signatures and the classifier, device by device: of G, of H and of each generator."""
    generators = result["generators"]
    heads = ["device", "event", "of", "events", "recall", "false matches an hour", "classifier"]
    rows = []
    for device in result["devices"]:
        said = {"G": device["real"]["events"]["G"], "H": device["real"]["events"]["H"]}
        for name in generators:
            events = device["generated"][name].get("events")
            said |= {f"`{name}`": events} if events else {}
        for event in sorted({name for each in said.values() for name in each["events"]}):
            for of, each in said.items():
                match = each["signatures"].get(event)
                score = each["classifier"]
                rows.append(
                    (
                        *(device["device"], event, of, f"{each['events'].get(event, 0)}"),
                        _ratio(match and match["recalled"], match and match["events"]),
                        _hourly(match and match["false"], match and match["idle_hours"]),
                        _NONE if score is None else f"{score:.2f}",
                    )
                )
    return heads, rows


def _of_events(devices: Sequence[Mapping[str, Any]], generators: Sequence[str]) -> Iterator[Any]:
    h = [device["real"]["events"]["H"] for device in devices]
    recall, false, score = _recall(h, h), _false(h), _score(h)
    yield _row(
        "signatures of events: recall, relative to that of H's",
        "0.97",
        "" if recall is None else f"{recall:.2f}",
        generators,
        lambda name: _relative(_recall(_events(devices, name), h), recall),
    )
    yield _row(
        "false matches an hour",
        "no more",
        "" if false is None else f"{false:.3f}",
        generators,
        lambda name: _NONE if (found := _false(_events(devices, name))) is None else f"{found:.3f}",
    )
    yield _row(
        "classifier of events, relative to H",
        "0.95",
        "" if score is None else f"{score:.2f}",
        generators,
        lambda name: _relative(_score(_events(devices, name)), score),
    )


def _row(
    title: str, aim: str, real: str, generators: Sequence[str], of: Callable[[str], str]
) -> Sequence[str]:
    return title, aim, real, *(of(name) for name in generators)


def _of(devices: Sequence[Mapping[str, Any]], name: str) -> list[Mapping[str, Any]]:
    found = (device["generated"][name] for device in devices)
    return [each for each in found if "error" not in each]


def _events(devices: Sequence[Mapping[str, Any]], name: str) -> list[Mapping[str, Any]]:
    return [each["events"] for each in _of(devices, name) if each["events"]]


def _excess_of(device: Mapping[str, Any], name: str, adversary: str) -> float | None:
    found = device["generated"][name]
    if "error" in found:
        return None
    control: float = device["real"]["control"][adversary]["mean"]
    excess: float = found["attacks"][adversary]["mean"] - control
    return excess


def _excess(devices: Sequence[Mapping[str, Any]], name: str, adversary: str) -> str:
    each = [_excess_of(device, name, adversary) for device in devices]
    known = [excess for excess in each if excess is not None]
    if not known:
        return "failed"
    return f"{100 * mean(known):+.1f} ({100 * max(known):+.1f})"


def _found(found: Sequence[Mapping[str, Any]]) -> float | None:
    again = [beacon["other"] is not None for each in found for beacon in each["periods"]]
    return mean(again) if again else None


def _recall(found: Sequence[Mapping[str, Any]], real: Sequence[Mapping[str, Any]]) -> float | None:
    """Share of events whose name has a signature, each name as often as it is among real ones.

    More events of some devices are generated than of others, and those of some are recalled better.
    """
    recalled, events = 0.0, 0
    for own, true in zip(found, real if found else (), strict=True):
        for name, match in own["signatures"].items():
            if match["events"]:
                times = true["signatures"][name]["events"]
                recalled += times * match["recalled"] / match["events"]
                events += times
    return recalled / events if events else None


def _false(found: Sequence[Mapping[str, Any]]) -> float | None:
    each = [match for of in found for match in of["signatures"].values()]
    hours = sum(match["idle_hours"] for match in each)
    return sum(match["false"] for match in each) / hours if hours else None


def _score(found: Sequence[Mapping[str, Any]]) -> float | None:
    known = [each["classifier"] for each in found if each["classifier"] is not None]
    return mean(known) if known else None


def _relative(value: float | None, to: float | None) -> str:
    return f"{value / to:.2f}" if value is not None and to else _NONE


def _share(value: float | None) -> str:
    return _NONE if value is None else f"{value:.2f}"


def _ratio(part: int | None, whole: int | None) -> str:
    return f"{part / whole:.2f}" if whole and part is not None else _NONE


def _hourly(count: int | None, hours: float | None) -> str:
    return f"{count / hours:.3f}" if hours and count is not None else _NONE


def _period(period: Mapping[str, float] | None) -> str:
    if period is None:
        return _NONE
    return f"{period['seconds']:,.1f} ± {period['jitter']:.2f} s, {period['missed']:.0%} missed"
