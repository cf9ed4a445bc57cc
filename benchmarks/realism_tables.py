"""The tables that `realism.json` fills: heads, and rows."""

import statistics
from collections.abc import Sequence
from typing import Any

from outside import FLAGS
from tcp_checker import RULES

__all__ = ["conversations", "fingerprints", "flags", "streams", "tcp_rules", "tools"]

Device = dict[str, Any]
Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def tools(devices: Sequence[Device]) -> Table:
    """What each tool found in each device's sessions; in brackets, in H, or between G and H."""
    columns = [
        ("malformed", "malformed", "H"),
        ("bad checksums", "bad_checksums", "H"),
        ("TCP flags out of H's range", "flags_outside", "G"),
        ("protocols H lacks", "leaves_more", "G"),
        ("protocols only in H", "leaves_less", "G"),
    ]
    counts = [
        [_found(device, key, other) for _, key, other in columns]
        + [(_changed(device), None), (device["replayed_otherwise"], None)]
        for device in devices
    ]
    rows = [
        (device["device"], f"{device['generated']['packets']:,}", *map(_with_control, found))
        for device, found in zip(devices, counts, strict=True)
    ]
    packets = sum(device["generated"]["packets"] for device in devices)
    sums = [
        (_sum(cell[0] for cell in column), _sum(cell[1] for cell in column))
        for column in zip(*counts, strict=True)
    ]
    heads = ["device", "packets", *(title for title, _, _ in columns), "dissected differently"]
    last = ("**all**", f"{packets:,}", *map(_with_control, sums))
    return [*heads, "changed in replay"], [*rows, last]


def streams(devices: Sequence[Device]) -> Table:
    """What tshark says of streams; in brackets how many flags G has out of range."""
    rows = []
    for device in devices:
        streamed = device["stream"]
        named = [flag.replace("_", " ") for flag in device["beside_H"]["stream"]["flags_outside"]]
        rows.append(
            (
                device["device"],
                f"{streamed['malformed']:,}",
                f"{streamed['bad_checksums']:,}",
                _with_control((len(named), len(device["beside_H"]["G"]["flags_outside"]))),
                ", ".join(named),
            )
        )
    return ["device", "malformed", "bad checksums", "flags out of H's range", "which"], rows


def _found(device: Device, key: str, other: str) -> tuple[int, int]:
    if key in device["generated"]:
        return device["generated"][key], device[other][key]
    return tuple(len(device["beside_H"][name][key]) for name in ("generated", other))  # type: ignore[return-value]


def _changed(device: Device) -> int:
    """Packets that `extract` reads otherwise, by the feature that differs most often."""
    return max(device["changed"].values(), default=0)


def _sum(values: Any) -> int | None:  # noqa: ANN401 - numbers, and None for what was not run
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _with_control(cell: tuple[int | None, int | None]) -> str:
    is_, control = cell
    if is_ is None:
        return "not run"
    return f"{is_:,}" if control is None else f"{is_:,} ({control:,})"


def flags(devices: Sequence[Device]) -> Table:
    """TCP analysis per 1,000 packets, means over the devices, and where it is out of range."""
    rows = []
    for flag in FLAGS:
        rates = [
            statistics.mean(device[name]["flags"].get(flag, 0) for device in devices)
            for name in ("generated", "H", "G")
        ]
        outside = [
            sum(flag in device["beside_H"][name]["flags_outside"] for device in devices)
            for name in ("generated", "G")
        ]
        if any(rates):
            title = flag.replace("_", " ")
            rows.append((title, *(f"{rate:.2f}" for rate in rates), *map(str, outside)))
    heads = "flag, generated, H, G, devices out of H's range, G's out of it"
    return heads.split(", "), rows


def tcp_rules(devices: Sequence[Device]) -> Table:
    """Rules of TCP broken per 1,000 segments: means over the devices, and where H has fewer."""
    known = [device["tcp_rules"] for device in devices if "tcp_rules" in device]
    rows = []
    for rule, text in RULES.items():
        of = {
            name: [device[name].get(rule, 0) for device in known]
            for name in ("generated", "H", "G")
        }
        if any(map(any, of.values())):
            means = (f"{statistics.mean(each):.2f}" for each in of.values())
            more = (
                sum(is_ > real for is_, real in zip(of[name], of["H"], strict=True))
                for name in ("generated", "G")
            )
            rows.append((f"`{rule}`: {text}", *means, *map(str, more)))
    heads = "a segment, generated, H, G, devices with more than H, G's with more"
    return heads.split(", "), rows


def conversations(devices: Sequence[Device]) -> Table:
    """TCP conversations: how many a session, how large, and how far off."""
    rows = []
    for device in devices:
        sizes = [device[name] for name in ("generated", "H", "G")]
        away = [device["beside_H"][name]["conversation_decades"] for name in ("generated", "G")]
        rows.append(
            (
                device["device"],
                *(" / ".join(f"{of[key] or 0:{form}}" for of in sizes) for key, form in _SIZES),
                *(
                    " / ".join(f"{of[key]:.2f}" if of else "" for of in away)
                    for key in ("packets", "bytes")
                ),
            )
        )
    heads = "device, conversations a session, packets, bytes, distance in packets, in bytes"
    return heads.split(", "), rows


_SIZES = (
    ("conversations", ".1f"),
    ("conversation_packets", ",.0f"),
    ("conversation_bytes", ",.0f"),
)


def fingerprints(devices: Sequence[Device]) -> Table:
    """How many different signatures the sessions show, and how many no capture does."""
    kinds = ("ja3", "dhcp", "p0f")
    counts = [
        [
            (of["generated"], len(of["foreign"])) if of else (None, None)
            for of in (device["signatures"].get(kind) for kind in kinds)
        ]
        for device in devices
    ]
    rows = [
        (device["device"], *map(_with_control, found))
        for device, found in zip(devices, counts, strict=True)
    ]
    sums = [
        (_sum(cell[0] for cell in column), _sum(cell[1] for cell in column))
        for column in zip(*counts, strict=True)
    ]
    heads = ["device", "JA3", "DHCP parameter list", "p0f"]
    return heads, [*rows, ("**all**", *map(_with_control, sums))]
