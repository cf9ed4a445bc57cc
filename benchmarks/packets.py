"""Write packets next to plain Scapy, and ask tshark what it thinks of them.

Of each device whole captures are written again, each packet as a repetition of itself, and windows
of 20 packets; what tshark flags in these stands next to what it flags in the captures.

python benchmarks/packets.py CAPTURES
"""

import argparse
import json
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from operator import truediv
from pathlib import Path
from typing import Any

import numpy as np
from decoys import captured_sessions
from outside import FLAGS, opinion
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw
from scapy.utils import PcapWriter, RawPcapReader

import iotflowgen as iot
from iotflowgen.capture import find_captures
from iotflowgen.files import whole_file
from iotflowgen.generators import Sessions, first_packets
from iotflowgen.generators.model_file import versions
from iotflowgen.library.honeydata import OfSessions
from iotflowgen.packets import (
    Pseudonyms,
    Renderer,
    Templates,
    WriteReport,
    record,
    sessions_of,
    write_sessions,
)
from iotflowgen.recording import Recording, match
from iotflowgen.traffic import Session, Trace, Windows, cut_windows, draw_window_starts

DEVICES = ("Withings", "WeMoLink", "D-LinkCam", "HueBridge", "EdimaxPlug1101W")
ROUNDS = 5
PACKETS = 200_000
"""That are written to measure how fast; Scapy gets an eightieth of them."""
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


def some_windows(traces: Sequence[Trace], n: int, rng: np.random.Generator) -> Windows:
    """So many windows, as long as the longest capture allows."""
    size = min(SIZE, max(map(len, traces)))
    return cut_windows(traces, draw_window_starts(traces, n, size, rng))


def renderer_of(recording: Recording, seed: int) -> Renderer:
    """A renderer of one seed."""
    rng = np.random.default_rng(seed)
    templates, persona = Templates(recording), Pseudonyms(recording.identities, rng)
    return Renderer(templates, templates.disguise(persona), rng)


def write(recording: Recording, sessions: Iterable[Session], path: Path, seed: int) -> int:
    """Write sessions as one capture; how many packets come back otherwise."""
    sessions = list(sessions)
    shown = OfSessions(lambda _: sessions, recording, seed=[seed]).to_pcap(path)
    (back,) = iot.read_captures(path, device=shown.device_mac)
    names = ("time_ns", "length", "outgoing", "src_port", "dst_port", "protocols")
    same = [
        getattr(back, name) == np.concatenate([getattr(each, name) for each in sessions])
        for name in names
    ]
    return int(np.sum(~np.all(same, axis=0)))


def matched(recording: Recording, windows: Windows) -> Iterable[Session]:
    """Windows of which features alone are known, with captured packets found for them."""
    alone = Windows(*(getattr(windows, name) for name in Windows.columns()))
    found = match(recording, alone, np.random.default_rng(0)).windows
    return sessions_of(found)


def rewritten(recording: Recording, traces: list[Trace], scratch: Path) -> dict[str, Any]:
    """Whole captures and windows, as tshark sees them."""
    captured = captured_sessions(recording, traces)
    paths = [scratch / f"{i}.pcap" for i in range(len(traces))]
    changed = sum(
        write(recording, [session], path, i)
        for i, (path, session) in enumerate(zip(paths, captured, strict=True))
    )
    windows = scratch / "windows.pcap"
    drawn = some_windows(traces, WINDOWS, np.random.default_rng(0))
    of_windows = write(recording, matched(recording, drawn), windows, 0)
    return {
        "sessions": judged(paths) | {"changed": changed},
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


def speed(recording: Recording, traces: list[Trace], scratch: Path) -> dict[str, Any]:
    """Packets a second of one core, by its own time: that of others on the machine is left out.

    All take turns, so that they meet the same machine. Writing begins with the persona.
    """
    path, plain = scratch / "ours.pcap", scratch / "scapy.pcap"
    rng = np.random.default_rng(0)
    windows = some_windows(traces, PACKETS // SIZE, rng)
    start = time.process_time()
    sessions = [*first_packets(Sessions().fit(traces).stream(rng), PACKETS)]
    drawing = time.process_time() - start
    write_sessions(sessions, path, renderer_of(recording, 0))
    with RawPcapReader(str(path)) as reader:
        planned = [plainly(frame) for frame, _ in islice(reader, PACKETS // 80)]
    writers: dict[str, Callable[[Renderer], WriteReport]] = {
        "windows": lambda each: write_sessions(matched(recording, windows), path, each),
        "sessions": lambda each: write_sessions(sessions, path, each),
    }
    found: defaultdict[str, list[float]] = defaultdict(list)
    for i in range(ROUNDS):
        found["scapy"].append(len(planned) / scapy_seconds(planned, plain))
        for name, write_all in writers.items():
            start = time.process_time()
            packets = write_all(renderer_of(recording, i)).packets
            found[name].append(packets / (time.process_time() - start))
    return {
        "drawn_per_second": round(PACKETS / drawing),
        **{f"{name}_per_second": round(statistics.median(each)) for name, each in found.items()},
        **{
            f"{name}_ratio": round(statistics.median(map(truediv, found[name], found["scapy"])), 1)
            for name in writers
        },
    }


def device(folder: Path, scratch: Path, *, speed_only: bool) -> dict[str, Any]:
    """All about one device."""
    captures = iot.read_captures(folder)
    traces, paths = [*captures], find_captures([folder])
    start = time.process_time()
    recording = record(captures.with_frames())
    seconds = time.process_time() - start
    if recording is None:
        raise SystemExit(f"{folder} has nothing that the device sent")
    found = {
        "device": folder.name,
        "packets": len(recording),
        "recording_seconds": round(seconds, 2),
        "speed": speed(recording, traces, scratch),
    }
    if not speed_only:
        found |= {"captures": judged(paths), **rewritten(recording, traces, scratch)}
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
        "processes_on_each_core": round(os.getloadavg()[2] / (os.cpu_count() or 1), 1),
        "versions": versions(),
        "recording_seconds": statistics.median(each["recording_seconds"] for each in found),
        "devices": found,
    }
    with whole_file(chosen.out) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
