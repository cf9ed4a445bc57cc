"""A summary of captures, before anything is fitted to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from iotflowgen.capture.device import Device, find_device
from iotflowgen.capture.hosts import Host
from iotflowgen.capture.read import (
    DEFAULT_CACHE,
    Dissector,
    dissect_captures,
    hosts_in,
    unclear,
)
from iotflowgen.errors import DeviceNotFound

__all__ = ["CaptureSummary", "describe"]


@dataclass(frozen=True)
class CaptureSummary:
    """What captures hold."""

    captures: int
    """How many of them have packets."""
    packets: int
    seconds: float
    """From the first to the last packet of a capture, summed over captures."""
    links: tuple[str, ...]
    """Link types."""
    hosts: tuple[Host, ...]
    """Those with most packets, most common first."""
    device: Device | None
    """The device that would be taken; None if no packet has an IP address, or it is not clear."""


def describe(
    paths: Sequence[Path],
    device: str | None = None,
    *,
    dissector: Dissector = "builtin",
    cache: Path | None = DEFAULT_CACHE,
) -> CaptureSummary:
    """Summarise captures; arguments, warnings and errors as for `read_captures`."""
    captures = dissect_captures(paths, dissector=dissector, cache=cache)
    dissections = [each.dissection for each in captures]
    found: Device | None = None
    try:
        found = find_device(dissections, device)
    except DeviceNotFound:
        if device is not None:
            raise
    if device is None and found is not None and unclear(captures, found):
        found = None
    return CaptureSummary(
        captures=len(dissections),
        packets=sum(len(each) for each in dissections),
        seconds=sum(int(each.time_ns[-1] - each.time_ns[0]) for each in dissections) / 1e9,
        links=tuple(sorted({each.link for each in dissections})),
        hosts=tuple(hosts_in(captures)),
        device=found,
    )
