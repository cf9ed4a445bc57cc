"""Write packets from templates next to plain Scapy, and ask tshark what it thinks of them.

Of each device whole captures are rebuilt, and windows of 20 packets; what tshark flags in these
stands next to what it flags in the captures. After `make compiled` it is compiled code that is
measured, which has to write the same bytes.

python benchmarks/packets.py CAPTURES
"""

import argparse
import hashlib
import json
import os
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from operator import truediv
from pathlib import Path
from typing import Any

import numpy as np
from outside import FLAGS, opinion
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw
from scapy.utils import PcapWriter, RawPcapReader

from iotflowgen.capture import find_captures, read_captures, read_frames
from iotflowgen.files import whole_file
from iotflowgen.generators import Sessions, first_packets
from iotflowgen.generators.model_file import versions
from iotflowgen.packets import (
    Headers,
    Persona,
    TemplateBuilder,
    WriteReport,
    learn_headers,
    template,
    write_capture,
    write_sessions,
)
from iotflowgen.traffic import Trace, Windows, cut_windows, draw_places

DEVICES = ("Withings", "WeMoLink", "D-LinkCam", "HueBridge", "EdimaxPlug1101W")
ROUNDS = 5
PACKETS = 50_000
"""That are written to measure how fast; Scapy gets a twentieth of them."""
WINDOWS = 200
SIZE = 20
"""Packets a window; fewer where no capture has as many."""


def judged(paths: Iterable[Path]) -> dict[str, Any]:
    """What tshark flags in captures, per 1,000 packets, and what it calls malformed."""
    opinions = [opinion(path) for path in paths]
    packets = sum(each.packets for each in opinions)
    found = {flag: sum(each.flags.get(flag, 0) for each in opinions) for flag in FLAGS}
    flags = {flag: round(1000 * count / packets, 2) for flag, count in found.items() if count}
    malformed = sum(each.malformed for each in opinions)
    return {"packets": packets, "flags": flags, "malformed": malformed}


def long_window(traces: Iterable[Trace]) -> Windows:
    """Traces one after the other as one window."""
    traces = list(traces)
    columns = ([getattr(trace, name) for trace in traces] for name in Windows.columns())
    return Windows(*(np.concatenate(column)[None] for column in columns))


def some_windows(traces: Sequence[Trace], n: int, rng: np.random.Generator) -> Windows:
    """So many windows, as long as the longest capture allows."""
    size = min(SIZE, max(map(len, traces)))
    return cut_windows(traces, draw_places(traces, n, size, rng))


def builder_of(headers: Headers, seed: int) -> TemplateBuilder:
    """A builder of one seed."""
    rng = np.random.default_rng(seed)
    return TemplateBuilder(headers, Persona(headers, rng), rng)


def write(headers: Headers, windows: Windows, path: Path, seed: int) -> tuple[dict[str, int], int]:
    """Write windows; what was compromised, and how many packets come back otherwise."""
    rng = np.random.default_rng(seed)
    report = write_capture(windows, path, rng, builder=builder_of(headers, seed))
    (back,) = read_captures([path], report.device_mac, cache=None)
    names = [name for name in Windows.columns() if name != "duration_ns"]
    same = [getattr(back, name) == getattr(windows, name).ravel() for name in names]
    same.append(np.diff(back.time_ns, append=0)[:-1] == windows.duration_ns.ravel()[:-1])
    return report.compromises, int(np.sum(~np.all([column[: len(same[-1])] for column in same], 0)))


def rebuilt(headers: Headers, traces: list[Trace], scratch: Path) -> dict[str, Any]:
    """Whole captures and windows, as tshark sees them."""
    sessions, changed = [scratch / f"{i}.pcap" for i in range(len(traces))], 0
    compromises: Counter[str] = Counter()
    for i, (path, trace) in enumerate(zip(sessions, traces, strict=True)):
        noted, different = write(headers, long_window([trace]), path, i)
        compromises.update(noted)
        changed += different
    windows = scratch / "windows.pcap"
    drawn = some_windows(traces, WINDOWS, np.random.default_rng(0))
    _, of_windows = write(headers, drawn, windows, 0)
    return {
        "sessions": judged(sessions) | {"changed": changed, "compromises": dict(compromises)},
        "windows": judged([windows]) | {"changed": of_windows},
    }


def plainly(frame: bytes) -> list[tuple[type[Packet], dict[str, Any]]]:
    """What Scapy is to build: layers up to the transport and their fields, then bytes."""
    packet: Packet = Ether(frame)
    layers: list[tuple[type[Packet], dict[str, Any]]] = []
    for kind in (Ether, IP, (TCP, UDP)):
        if not isinstance(packet, kind):
            break
        fields = {k: v for k, v in packet.fields.items() if k not in ("chksum", "len", "dataofs")}
        layers.append((type(packet), fields))
        packet = packet.payload
    return [*layers, (Raw, {"load": bytes(packet)})]


def scapy_seconds(planned: list[list[tuple[type[Packet], dict[str, Any]]]], path: Path) -> float:
    """Build and write packets with Scapy alone."""
    start = time.process_time()
    with PcapWriter(str(path), nano=True, linktype=1, sync=False) as writer:
        for i, layers in enumerate(planned):
            packet = layers[0][0](**layers[0][1])
            for kind, fields in layers[1:]:
                packet /= kind(**fields)
            packet.time = i
            writer.write(packet)
    return time.process_time() - start


def speed(headers: Headers, traces: list[Trace], scratch: Path) -> dict[str, Any]:
    """Packets a second of one core, by its own time: that of others on the machine is left out.

    All take turns, so that they meet the same machine.
    """
    path, plain = scratch / "ours.pcap", scratch / "scapy.pcap"
    rng = np.random.default_rng(0)
    windows = some_windows(traces, PACKETS // SIZE, rng)
    start = time.process_time()
    sessions = [*first_packets(Sessions().fit(traces).stream(rng), PACKETS)]
    drawing = time.process_time() - start
    write_capture(windows, path, rng, builder=builder_of(headers, 0))
    with RawPcapReader(str(path)) as reader:
        planned = [plainly(frame) for frame, _ in islice(reader, PACKETS // 20)]
    writers: dict[str, Callable[[TemplateBuilder], WriteReport]] = {
        "windows": lambda builder: write_capture(windows, path, rng, builder=builder),
        "sessions": lambda builder: write_sessions(sessions, path, builder),
    }
    found: defaultdict[str, list[float]] = defaultdict(list)
    hashes: dict[str, str] = {}
    for i in range(ROUNDS):
        found["scapy"].append(len(planned) / scapy_seconds(planned, plain))
        for name, write_all in writers.items():
            builder = builder_of(headers, i)
            start = time.process_time()
            packets = write_all(builder).packets
            found[name].append(packets / (time.process_time() - start))
            hashes.setdefault(name, hashlib.sha256(path.read_bytes()).hexdigest())
    return {
        "drawn_per_second": round(PACKETS / drawing),
        **{f"{name}_per_second": round(statistics.median(each)) for name, each in found.items()},
        **{
            f"{name}_ratio": round(statistics.median(map(truediv, found[name], found["scapy"])), 1)
            for name in writers
        },
        "sha256": hashes,
    }


def device(folder: Path, scratch: Path, *, speed_only: bool) -> dict[str, Any]:
    """All about one device."""
    paths = find_captures([folder])
    traces = read_captures(paths)
    start = time.process_time()
    headers = learn_headers(read_frames(paths, traces))
    seconds = time.process_time() - start
    if headers is None:
        raise SystemExit(f"{folder} has nothing that the device sent")
    found = {
        "device": folder.name,
        "templates": len(headers.templates),
        "learning_seconds": round(seconds, 2),
        "speed": speed(headers, traces, scratch),
    }
    if not speed_only:
        found |= {"captures": judged(paths), **rebuilt(headers, traces, scratch)}
    print(json.dumps(found), flush=True)
    return found


def main() -> None:
    """Measure and write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="one folder a device")
    parser.add_argument("--devices", default=",".join(DEVICES), help="names, with commas")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/packets.json"))
    parser.add_argument("--scratch", type=Path, default=Path("out/benchmark/packets"))
    parser.add_argument("--speed-only", action="store_true", help="ask tshark nothing")
    chosen = parser.parse_args()
    chosen.scratch.mkdir(parents=True, exist_ok=True)
    found = [
        device(chosen.root / name, chosen.scratch, speed_only=chosen.speed_only)
        for name in chosen.devices.split(",")
    ]
    result = {
        "rounds": ROUNDS,
        "compiled": not template.__file__.endswith(".py"),
        "processes_on_each_core": round(os.getloadavg()[2] / (os.cpu_count() or 1), 1),
        "versions": versions(),
        "learning_seconds": statistics.median(each["learning_seconds"] for each in found),
        "devices": found,
    }
    with whole_file(chosen.out) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
