"""Whether honeydata and models tell which captures they were learnt from.

Of each device half of the captures, G, are learnt from, and half, H, are not. Strings of 8 bytes of
payload that occur in one capture of the device alone are that capture's own. Of each capture it is
counted which share of its own strings occurs in generated packets, and which in the model file.
Whoever orders captures by that share tells G from H: the AUC is 0.5 if nothing is told, and 1 if
all is. Payload is read by tshark, so nothing of the writer is asked.

Devices that are done are not measured again.

    python benchmarks/membership.py CAPTURES --devices HueBridge,WeMoLink
"""

import os
import subprocess
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from by_device import measured
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

import iotflowgen as iot

SEED = 0
SPLITS = 2
SESSIONS = 20
SUFFIXES = (".pcap", ".pcapng", ".gz")
PAYLOAD = ("udp.payload", "tcp.payload")

Strings = NDArray[np.uint64]
"""Strings of 8 bytes as numbers, rising, each once."""


def strings_in(texts: Sequence[bytes]) -> Strings:
    """All strings of 8 bytes within texts."""
    joined = np.frombuffer(b"".join(texts) + bytes(8), np.uint8)
    every = np.ndarray((len(joined) - 7,), "<u8", joined.tobytes(), strides=(1,))
    size = np.array([len(text) for text in texts], np.int64)
    last = np.repeat(np.cumsum(size), size)
    return np.unique(every[np.flatnonzero(np.arange(len(last)) + 8 <= last)])


def payload_of(path: Path) -> list[bytes]:
    """The payload of each packet of UDP and TCP, as tshark says it."""
    fields = [word for name in PAYLOAD for word in ("-e", name)]
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "separator=,", *fields]
    quiet = {**os.environ, "WIRESHARK_CONFIG_DIR": "/nonexistent", "LC_ALL": "C"}
    done = subprocess.run(command, env=quiet, capture_output=True, check=True)
    return [bytes.fromhex(text) for text in done.stdout.decode().replace("\n", ",").split(",")]


def shares(own: Sequence[Strings], there: Strings) -> list[float]:
    """Which share of the own strings of each capture is there; 0 of captures without any."""
    return [
        float(np.isin(each, there, assume_unique=True).mean()) if len(each) else 0.0 for each in own
    ]


def measure(folder: Path) -> dict[str, Any]:
    """What each split of a device's captures says."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)
    strings = [strings_in(payload_of(path)) for path in paths]
    known, captures = np.unique(np.concatenate(strings), return_counts=True)
    single = known[captures == 1]
    own = [np.intersect1d(each, single, assume_unique=True) for each in strings]
    rng = np.random.default_rng([SEED, zlib.crc32(folder.name.encode())])
    found: dict[str, Any] = {
        "device": folder.name,
        "captures": len(paths),
        "own": int(np.median([len(each) for each in own])),
        "splits": [],
    }
    for split in range(SPLITS):
        learnt = np.isin(np.arange(len(paths)), rng.permutation(len(paths))[: len(paths) // 2])
        with tempfile.TemporaryDirectory() as scratch:
            model, made = Path(scratch) / "device.model", Path(scratch) / "made.pcap"
            fitted = iot.fit([path for path, is_in in zip(paths, learnt, strict=True) if is_in])
            fitted.save(model)
            iot.load(model).generate(sessions=SESSIONS, seed=split, start="2026-01-01").to_pcap(
                made
            )
            places = {"output": payload_of(made), "model": [model.read_bytes()]}
        said: dict[str, Any] = {}
        for place, texts in places.items():
            share = np.array(shares(own, strings_in(texts)))
            said[place] = {
                "auc": round(float(roc_auc_score(learnt, share)), 3),
                "learnt": float(f"{share[learnt].mean():.3g}"),
                "unseen": float(f"{share[~learnt].mean():.3g}"),
            }
        found["splits"].append(said)
    return found


if __name__ == "__main__":
    measured(measure, Path("benchmarks/results/membership"), __doc__)
