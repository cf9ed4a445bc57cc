"""Captures in, traces out: finds the files, has them dissected, says which way packets go.

Section 4.2 of the paper; what it leaves open is said in docs/reading.md (protocols) and in `device`
(direction).
"""

import hashlib
import os
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from iotflowgen.capture.builtin import dissect
from iotflowgen.capture.cache import default_cache, dissect_cached
from iotflowgen.capture.device import Device, find_device, foreign, outgoing
from iotflowgen.capture.dissection import Dissection
from iotflowgen.capture.ethernet import read_ethernet
from iotflowgen.capture.formats import is_capture, other_format
from iotflowgen.capture.hosts import Host, find_hosts, find_names, rivals
from iotflowgen.errors import DeviceNotFound, UnreadableCapture
from iotflowgen.files import printable
from iotflowgen.progress import Progress, silent
from iotflowgen.traffic import Trace

__all__ = [
    "DEFAULT_CACHE",
    "Capture",
    "CaptureWarning",
    "Dissector",
    "dissect_captures",
    "find_captures",
    "hosts_in",
    "read_captures",
    "unclear",
]

Dissector = Literal["builtin", "tshark"]
"""Who tells what packets are: our own rules, or the program tshark, as in the paper."""

_NAMED = 20
"""Captures that are searched for names of hosts."""
_MANY = 0.1
"""A larger share of the packets that others send each other is no stray packets."""
DEFAULT_CACHE = Path("<user cache>")
"""Stands for `default_cache()`, which is asked for at the call."""


class CaptureWarning(UserWarning):
    """Something of the captures is not used: a damaged end, a file that is no capture."""


@dataclass(frozen=True)
class Capture:
    """A capture file and what is in it."""

    path: Path
    sha256: str
    dissection: Dissection


def read_captures(
    paths: Sequence[Path],
    device: str | None = None,
    *,
    dissector: Dissector = "builtin",
    processes: int | None = None,
    cache: Path | None = DEFAULT_CACHE,
    most: int | None = None,
    progress: Progress = silent,
) -> list[Trace]:
    """Read captures of one device.

    Args:
        paths: Captures (pcap or pcapng, plain or packed), or folders of them.
        device: MAC or IP address of the device; by default the most common IP address.
        dissector: Who tells what packets are: `builtin`, or the program `tshark`.
        processes: How many tsharks run at a time; by default as many as there are cores.
        cache: Folder for what tshark dissected; None for no cache.
        most: Packets that are read of a file, about: of one that has more, stretches spread over
            all of it, a trace each. tshark reads all.
        progress: Told after each capture.

    Returns:
        A trace a capture that has packets, in the natural order of their paths (2 before 10); its
        name is the file's, or the path where two files share a name.

    Warns:
        CaptureWarning: A capture is cut short or has no packets, a file in a folder is no capture,
            or others sent packets to each other, which are left out.

    Raises:
        TsharkMissing: tshark is asked for and not installed.
        ExtraMissing: It is asked for, and what reads its output is not installed.
        UnreadableCapture: A path does not exist or is no capture, or no packet is in any.
        DeviceNotFound: No packet of the device in a capture, or `device` is not given and another
            host may be it as well, or many packets are others'.
    """
    captures = dissect_captures(
        paths, dissector=dissector, processes=processes, cache=cache, most=most, progress=progress
    )
    found = find_device([capture.dissection for capture in captures], device)
    if device is None and (doubtful := unclear(captures, found)):
        raise DeviceNotFound(doubtful)
    if strangers := [
        c.path for c in captures if not {found.ip, found.mac} & {*c.dissection.addresses}
    ]:
        raise DeviceNotFound(
            f"{_list(strangers)}: no packet of {found.ip or found.mac}, the device of the other "
            "captures; take it out, or name another device with --device"
        )
    strange = [foreign(capture.dissection, found) for capture in captures]
    _tell_of(strange, captures, found, is_named=device is not None)
    times = Counter(capture.path.name for capture in captures)
    return [
        trace
        for capture, others in zip(captures, strange, strict=True)
        for trace in _stretches(
            _trace(capture, found, ~others, times[capture.path.name] == 1),
            capture.dissection.begins,
        )
    ]


def dissect_captures(
    paths: Sequence[Path],
    *,
    dissector: Dissector = "builtin",
    processes: int | None = None,
    cache: Path | None = DEFAULT_CACHE,
    most: int | None = None,
    progress: Progress = silent,
) -> list[Capture]:
    """`read_captures` short of the direction: the captures that have packets."""
    paths = find_captures(paths)
    if dissector == "tshark":
        folder = default_cache() if cache == DEFAULT_CACHE else cache
        # threads, for the work is done in the tshark that each of them waits for
        with ThreadPoolExecutor(processes or os.cpu_count()) as pool:
            found = pool.map(partial(_read, dissect=partial(dissect_cached, cache=folder)), paths)
            captures = _with_packets(found, len(paths), progress)
    else:
        found = map(partial(_read, dissect=lambda path, _: dissect(path, most)), paths)
        captures = _with_packets(found, len(paths), progress)
    if not captures:
        raise UnreadableCapture(f"no packets in {_list(paths)}; capture some traffic first")
    return captures


def find_captures(paths: Sequence[Path]) -> list[Path]:
    """The captures that `paths` name, those in folders included, each once, in natural order.

    Raises:
        UnreadableCapture: A path does not exist or is no capture, or a folder holds none.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        try:
            captures = _captures_in(path) if path.is_dir() else [_checked(path)]
        except OSError as error:
            raise UnreadableCapture(f"cannot read {path}: {error.strerror or error}") from error
        found |= {capture.resolve(): capture for capture in captures}
    if not found:
        raise UnreadableCapture("no captures given; name a pcap or pcapng file, or a folder")
    return sorted(found.values(), key=_natural)


def _captures_in(folder: Path) -> list[Path]:
    shown = [path for path in folder.iterdir() if not path.name.startswith((".", "_"))]
    files = [path for path in shown if path.is_file()]
    captures = [path for path in files if _is_capture(path)]
    if not captures:
        inside = sorted((path for path in shown if path.is_dir()), key=_natural)
        hint = f"; it holds folders, name one of them: {_list(inside)}" if inside else ""
        raise UnreadableCapture(f"no pcap or pcapng captures in the folder {folder}{hint}")
    # what was done to the device may stand beside its captures
    usual = {*captures, *(path for path in files if path.name.endswith("events.csv"))}
    if others := sorted(set(files) - usual, key=_natural):
        _warn(f"{_list(others)} in {folder}: no pcap or pcapng, left out")
    return captures


def _is_capture(path: Path) -> bool:
    """As `is_capture`; what cannot be read is named.

    Raises:
        UnreadableCapture: It cannot be read.
    """
    try:
        return is_capture(path)
    except OSError as error:
        raise UnreadableCapture(f"cannot read {path}: {error.strerror or error}") from error


def _checked(path: Path) -> Path:
    if _is_capture(path):
        return path
    what = other_format(path)
    if not what:
        what = "is not a pcap or pcapng capture" if path.stat().st_size else "is empty"
        what += "; record one with tcpdump, dumpcap or Wireshark"
    raise UnreadableCapture(f"{path} {what}")


def _natural(path: Path) -> list[str | int]:
    """A key that sorts a2 before a10; words and numbers alternate, so like meets like."""
    parts = re.split(r"(\d+)", str(path))
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]


def _read(path: Path, dissect: Callable[[Path, str], Dissection]) -> Capture:
    """A capture, dissected by a function that is given its SHA-256, too."""
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableCapture(f"cannot read {path}: {error.strerror or error}") from error
    return Capture(path, sha256, dissect(path, sha256))


def _with_packets(found: Iterator[Capture], count: int, progress: Progress) -> list[Capture]:
    """Those of so many captures that have packets, with what is to be told while they come."""
    captures = []
    noted: dict[str, list[Path]] = {}
    for done, capture in enumerate(found, 1):
        progress("captures", done, count, capture.path.name)
        for note in capture.dissection.notes:
            noted.setdefault(note, []).append(capture.path)
        if capture.dissection.complaint:
            _warn(f"{capture.path}: {capture.dissection.complaint}")
        if len(capture.dissection):
            captures.append(capture)
        else:
            _warn(f"{capture.path} has no packets; it is left out")
    for note, paths in noted.items():
        _warn(f"{_list(paths)}: {note}")
    return captures


def _tell_of(
    strange: Sequence[NDArray[np.bool_]],
    captures: Sequence[Capture],
    device: Device,
    *,
    is_named: bool,
) -> None:
    """Say how many packets are others' among themselves; of many, whose they are is a question."""
    count, packets = int(sum(map(np.sum, strange))), sum(map(len, strange))
    if not count:
        return
    between = f"{count} of {packets} packets are between others than {device.ip or device.mac}"
    if count > _MANY * packets and not is_named:
        raise DeviceNotFound(
            f"{between}, so there may be several devices; name one with --device:"
            f"{_listed(hosts_in(captures))}"
        )
    _warn(f"{between}; they are left out")


def hosts_in(captures: Sequence[Capture]) -> list[Host]:
    """The hosts with most packets, most common first."""
    names: dict[str, str] = {}
    for capture in captures[:_NAMED]:
        with suppress(UnreadableCapture):
            names |= find_names(capture.dissection, read_ethernet(capture.path))
    return find_hosts([capture.dissection for capture in captures], names)


def unclear(captures: Sequence[Capture], device: Device) -> str:
    """What to say where it is not clear that this is the device; empty where it is."""
    dissections = [capture.dissection for capture in captures]
    if not rivals(find_hosts(dissections, {}), device, dissections):
        return ""
    return (
        "it is not clear which host is the device, for others have as many packets; name it with "
        f"--device:{_listed(hosts_in(captures))}"
    )


def _listed(hosts: Sequence[Host]) -> str:
    return "".join(f"\n  {host}" for host in hosts)


def _trace(capture: Capture, device: Device, own: NDArray[np.bool_], name_is_enough: bool) -> Trace:
    dissection = capture.dissection
    return Trace(
        name=printable(capture.path.name if name_is_enough else capture.path.as_posix()),
        time_ns=dissection.time_ns[own],
        length=dissection.length[own],
        outgoing=outgoing(dissection, device)[own],
        src_port=dissection.src_port[own],
        dst_port=dissection.dst_port[own],
        protocols=dissection.protocols[own],
        tcp_payload=dissection.tcp_payload[own],
        in_file=dissection.in_file[own],
        sha256=capture.sha256,
    )


def _stretches(trace: Trace, begins: Sequence[int]) -> list[Trace]:
    """A trace, cut where stretches of its file begin that were read."""
    in_file = trace.in_file
    if len(begins) < 2 or in_file is None:
        return [trace]
    places = np.searchsorted(in_file, begins[1:]).tolist()
    ends = [*pairwise([0, *places, len(trace)])]
    return [
        replace(trace[first:last], name=f"{trace.name} ({number} of {len(ends)})")
        for number, (first, last) in enumerate(ends, 1)
    ]


def _list(paths: Sequence[Path]) -> str:
    names = [path.name for path in paths[:3]]
    return ", ".join(names) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


def _warn(message: str) -> None:
    warnings.warn(message, CaptureWarning, stacklevel=3)
