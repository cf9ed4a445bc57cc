"""Tables of what scanners say of devices and of decoys of them."""

import re
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["answers", "scans"]

Found = Mapping[str, Any]
Table = tuple[list[str], list[list[str]]]

_DRAWN: Final = {"SEQ.SP", "SEQ.ISR"}
"""Tests of nmap whose value differs from one scan of a host to the next."""


def scans(found: Found) -> Table:
    """What each tool says, of devices and decoys side by side."""
    sides = [(name, side) for name in sorted(found["devices"]) for side in ("device", "decoy")]
    columns = [_said(found["devices"][name][side]) for name, side in sides]
    for name, column in zip((name for name, _ in sides), columns, strict=True):
        both = [found["devices"][name][side].get("nmap -sS -O") for side in ("device", "decoy")]
        if all(both):
            column["`nmap -O`: tests, of which both answer alike"] = _alike(*both)
    heads = ["", *(f"{name}: {side}" for name, side in sides)]
    return heads, [[row, *(column.get(row, "") for column in columns)] for row in columns[0]]


def _said(tools: Found) -> dict[str, str]:
    rows: dict[str, str] = {}
    if here := tools.get("nmap -sn"):
        rows["`nmap -sn`"] = ", ".join([*here["host"], *here["MAC address"]])
    if scan := tools.get("nmap -sS -O"):
        closed = scan["ports"].get("closed", 0)
        rows["`nmap -sS`"] = f"open {', '.join(scan['open ports'])}; {closed} closed"
        rows["`nmap -O`: best guess"] = scan["systems"][0] if scan["systems"] else "none"
    if replies := tools.get("arping"):
        rows["`arping -c 10`"] = f"{replies['replies to 10']} from {replies['MAC address']}"
    if hosts := tools.get("arp-scan"):
        rows["`arp-scan`"] = hosts["hosts"].partition(" (")[0]
    if names := tools.get("nbtscan"):
        rows["`nbtscan`"] = names["names"]
    if offered := tools.get("avahi-browse -r _http._tcp"):
        names = (
            re.sub(r" Web Site (\S+) (\d+) .*", r", \1:\2", each) for each in offered["services"]
        )
        rows["`avahi-browse -r _http._tcp`"] = "; ".join(names) or "none"
    return rows


def _alike(device: Found, decoy: Found) -> str:
    ours, theirs = decoy["fingerprint"], device["fingerprint"]
    names = {*ours, *theirs} - _DRAWN
    differ = sorted(name for name in names if ours.get(name) != theirs.get(name))
    return f"{len(names) - len(differ)} of {len(names)}" + f" ({', '.join(differ)})" * bool(differ)


def answers(found: Found) -> Table:
    """Median times to answer, microseconds; of decoys with how far they are off."""
    rows = []
    for name, each in sorted(found["devices"].items()):
        device, decoy = (each[side]["time to answer, µs"] for side in ("device", "decoy"))
        rows.append([f"{name} (sample), on the same computer", *_beside(device, decoy)])
    for name, each in found.get("timed", {}).items():
        rows.append([f"{name}, as captured", *_beside(each["captured"], each["decoy"])])
    rows.append(["**target**", *["within 20%"] * 3])
    return ["device and decoy, µs", *_KINDS], rows


_KINDS: Final = ("arp", "ping", "closed port")


def _beside(device: Found, decoy: Found) -> list[str]:
    """What was captured of no device is not compared."""
    return [
        f"{device[kind]:,.0f}, {decoy[kind]:,.0f} ({decoy[kind] / device[kind] - 1:+.0%})"
        if kind in device
        else "not captured"
        for kind in _KINDS
    ]
