"""Ask tools that are not ours about generated sessions, next to captures that were held out.

Each device is learnt from half of its captures, G, and 16 sessions are written as the command line
writes them by default. What tshark and p0f say of each stands next to what they say of each capture
of the other half, H; G against H is the control. What tshark says of a continuous stream is noted
as well, and which rules of TCP are broken, by a checker of our own that shares no code with the
writer. Devices that are done are not measured again.

    python benchmarks/realism.py CAPTURES --devices Withings,WeMoLink
"""

import argparse
import json
import statistics
import sys
import warnings
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import outside
from outside import FLAGS, Opinion
from pyarrow import parquet
from scipy.stats import wasserstein_distance  # type: ignore[import-untyped]
from tcp_checker import check, rates

import iotflowgen as iot
from iotflowgen.capture import describe, read_captures
from iotflowgen.errors import IoTFlowGenError
from iotflowgen.evaluation import trials
from iotflowgen.files import whole_file
from iotflowgen.generators import versions
from iotflowgen.traffic import PROTOCOLS
from iotflowgen.wire.pcap import FORMATS, read_records, records_bytes

SEED = 0
SESSIONS = 16
STREAMED = 50_000
"""Packets of the stream."""
OWN_PART = ":5a:0f:31"
"""The end of the generated device's MAC address; it begins as the vendor's do."""
FEATURES = ("length", "outgoing", "src_port", "dst_port", *PROTOCOLS)


def halves(folder: Path) -> tuple[list[Path], list[Path]]:
    """G and H, as `held-out` deals them first."""
    rng = np.random.default_rng([SEED, zlib.crc32(folder.name.encode())])
    first = trials("held-out", read_captures([folder]), rng)[0]
    train, unseen = (
        [folder / trace.name for trace in half] for half in (first.train, first.unseen)
    )
    return train, unseen


def generate(train: Sequence[Path], mac: str, scratch: Path) -> tuple[Path, Path, Path]:
    """Sessions as a capture, the same as a table, and a stream."""
    made, table, streamed = (scratch / name for name in ("a.pcap", "a.parquet", "stream.pcap"))
    model = iot.fit(train)
    sessions = model.generate(sessions=SESSIONS, seed=SEED, start="2026-01-01")
    sessions.to_pcap(made, mac=mac)
    sessions.to_parquet(table)
    model.generate(packets=STREAMED, seed=SEED).to_pcap(streamed, mac=mac)
    return made, table, streamed


def apart(made: Path, table: Path) -> list[Path]:
    """A capture for each session, as each of those beside them is of one session, too.

    A file that holds several would be said to use ports again that other sessions had.
    """
    records = read_records(made)
    sequence = parquet.read_table(table, columns=["sequence"])["sequence"].to_numpy()
    written = FORMATS[".pcap"]
    paths = []
    for each in np.unique(sequence).tolist():
        rows = np.flatnonzero(sequence == each)
        packets = records_bytes(written, records.time_ns[rows], records.frames.take(rows))
        paths.append(made.with_name(f"session{each}.pcap"))
        paths[-1].write_bytes(written.header + bytes(packets))
    return paths


def changed(made: Path, table: Path, mac: str) -> dict[str, int]:
    """Packets that `extract` reads otherwise than they were generated, by what differs."""
    iot.read_captures(made, device=mac).to_parquet(back := made.with_name("back.parquet"))
    was, is_ = (parquet.read_table(path) for path in (table, back))
    found = {name: int(np.sum(was[name].to_numpy() != is_[name].to_numpy())) for name in FEATURES}
    # after the last packet of a session comes, in one capture, the next session
    inside = np.diff(was["sequence"].to_numpy(), append=-1) == 0
    ends = np.rint(1e9 * np.stack([each["duration"].to_numpy()[inside] for each in (was, is_)]))
    found["duration"] = int(np.sum(ends[0] != ends[1]))
    protocols = [np.stack([each[name].to_numpy() for name in PROTOCOLS]) for each in (was, is_)]
    found["protocols"] = int(np.sum(np.any(protocols[0] != protocols[1], axis=0)))
    return {name: count for name, count in found.items() if count}


def pooled(opinions: Sequence[Opinion], sessions: int) -> dict[str, Any]:
    """Several captures as one; flags are per 1,000 packets, of conversations the medians."""
    packets = sum(each.packets for each in opinions)
    flags = {flag: sum(each.flags.get(flag, 0) for each in opinions) for flag in FLAGS}
    sizes = [size for each in opinions for size in each.conversations]
    return {
        "packets": packets,
        "malformed": sum(each.malformed for each in opinions),
        "bad_checksums": sum(each.bad_checksums for each in opinions),
        "flags": {flag: round(1000 * n / packets, 2) for flag, n in flags.items() if n},
        "conversations": round(len(sizes) / sessions, 1),
        "conversation_packets": statistics.median(n for n, _ in sizes) if sizes else None,
        "conversation_bytes": statistics.median(n for _, n in sizes) if sizes else None,
    }


def beside(these: Sequence[Opinion], real: Sequence[Opinion]) -> dict[str, Any]:
    """How captures differ from real ones."""
    ranges = {
        flag: [1000 * each.flags.get(flag, 0) / each.packets for each in real] for flag in FLAGS
    }
    packets = sum(each.packets for each in these)
    rates = {
        flag: 1000 * sum(each.flags.get(flag, 0) for each in these) / packets for flag in FLAGS
    }
    nodes, known = (frozenset().union(*(each.leaves for each in of)) for of in (these, real))
    sizes, expected = (
        np.log10([size for each in of for size in each.conversations]).reshape(-1, 2)
        for of in (these, real)
    )
    there = len(sizes) and len(expected)
    return {
        "flags_outside": [f for f in FLAGS if not min(ranges[f]) <= rates[f] <= max(ranges[f])],
        "leaves_more": sorted(leaves(nodes) - known),
        "leaves_less": sorted(leaves(known) - nodes),
        "conversation_decades": {
            name: round(float(wasserstein_distance(sizes[:, i], expected[:, i])), 3)
            for i, name in enumerate(("packets", "bytes"))
            if there
        },
    }


def leaves(nodes: frozenset[str]) -> frozenset[str]:
    """Of a protocol hierarchy."""
    return nodes - {node.rpartition(":")[0] for node in nodes}


def signatures(opinions: Iterable[Opinion], paths: Iterable[Path]) -> dict[str, frozenset[str]]:
    """JA3, DHCP parameter lists and p0f's labels of the device, all captures together."""
    found: dict[str, set[str]] = {"ja3": set(), "dhcp": set()}
    for each, path in zip(opinions, paths, strict=True):
        found["ja3"] |= each.ja3
        found["dhcp"] |= each.dhcp
        labels = outside.labels(path, each.addresses)
        if labels is not None:
            found.setdefault("p0f", set()).update(labels)
    return {name: frozenset(these) for name, these in found.items()}


def measure(folder: Path, scratch: Path) -> dict[str, Any]:
    """All about one device."""
    train, unseen = halves(folder)
    device = describe([folder]).device
    if device is None or not device.mac:
        raise SystemExit(f"{folder}: the device has no MAC address")
    own = device.mac[:8] + OWN_PART
    made, table, streamed = generate(train, own, scratch)
    paths = {"generated": apart(made, table), "stream": [streamed], "H": unseen, "G": train}
    said = {
        name: [outside.opinion(path, device.mac if of in (unseen, train) else own) for path in of]
        for name, of in paths.items()
    }
    marks = {name: signatures(said[name], paths[name]) for name in ("generated", "H", "G")}
    counts = {name: SESSIONS if name == "generated" else len(of) for name, of in paths.items()}
    return {
        "device": folder.name,
        "captures": {name: counts[name] for name in ("G", "H")},
        **{name: pooled(of, counts[name]) for name, of in said.items()},
        "beside_H": {name: beside(said[name], said["H"]) for name in ("generated", "stream", "G")},
        "signatures": {
            kind: {
                "generated": len(of),
                "foreign": sorted(of - marks["G"][kind] - marks["H"][kind]),
                "not_in_H": len(of - marks["H"][kind]),
                "G_not_in_H": len(marks["G"][kind] - marks["H"][kind]),
            }
            for kind, of in marks["generated"].items()
        },
        "tcp_rules": {
            name: rates([check(path) for path in paths[name]]) for name in ("generated", "H", "G")
        },
        "changed": changed(made, table, own),
        "replayed_otherwise": outside.replayed(made),
    }


def take(folder: Path, out: Path, scratch: Path) -> None:
    """Measure a device, unless that was done."""
    path = out / f"{folder.name}.json"
    if path.exists():
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            found = measure(folder, scratch)
        except IoTFlowGenError as error:
            print(f"{folder.name}: {error}", file=sys.stderr)
            return
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(found) + "\n")
    print(folder.name, file=sys.stderr)


def main() -> None:
    """Measure each device, and join what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="one folder a device")
    parser.add_argument("--devices", required=True, help="names of folders, with commas between")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/realism"))
    parser.add_argument("--scratch", type=Path, default=Path("out/benchmark/realism"))
    chosen = parser.parse_args()
    chosen.scratch.mkdir(parents=True, exist_ok=True)
    names = chosen.devices.split(",")
    if absent := outside.missing():
        print(absent, file=sys.stderr)
    for name in names:
        take(chosen.root / name, chosen.out, chosen.scratch)
    done = [path for name in names if (path := chosen.out / f"{name}.json").exists()]
    joined = {
        "seed": SEED,
        "sessions": SESSIONS,
        "streamed": STREAMED,
        "versions": versions(),
        "devices": [json.loads(path.read_text()) for path in done],
    }
    with whole_file(chosen.out.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(joined, indent=1) + "\n")


if __name__ == "__main__":
    main()
