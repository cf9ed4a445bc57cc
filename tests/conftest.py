"""What several tests share: small real objects, and the captures that may be absent."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

from iotflowgen.traffic import Trace, protocol_mask

REPOSITORY = Path(__file__).parents[1]
# tests run beside each other: threads would only wait, those of the commands they start too
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)
# a busy machine is no failure
settings.register_profile("iotflowgen", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("iotflowgen")
AALTO = Path(os.environ.get("IOTFLOWGEN_AALTO", REPOSITORY / "../shared/captures/aalto"))


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    if AALTO.is_dir():
        return
    absent = pytest.mark.skip(reason=f"the Aalto captures are not in {AALTO}")
    for item in items:
        if "captures" in item.keywords:
            item.add_marker(absent)


@pytest.fixture(scope="session")
def aalto() -> Path:
    return AALTO


def make_trace(name: str, seed: int, packets: int = 60) -> Trace:
    """A device that asks and is answered: a beacon every few packets, one TLS session a capture."""
    rng = np.random.default_rng(seed)
    step = np.arange(packets) % 6
    outgoing = step % 2 == 0
    ephemeral = int(rng.integers(32768, 61000))
    beacon = step == 4
    service = np.where(beacon, 123, 443)
    own = np.where(beacon, 123, ephemeral)
    udp, tls = protocol_mask(["ip", "udp", "ntp"]), protocol_mask(["ip", "tcp", "https"])
    gaps = np.where(
        step == 5, rng.integers(2, 4, packets) * 10**9, rng.integers(1, 9, packets) * 10**6
    )
    return Trace(
        name=name,
        time_ns=1_500_000_000 * 10**9 + np.cumsum(gaps),
        length=np.array([120, 66, 300, 1514, 90, 90], dtype=np.int32)[step]
        + rng.integers(0, 2, packets, dtype=np.int32) * (step == 2),
        outgoing=outgoing,
        src_port=np.where(outgoing, own, service).astype(np.int32),
        dst_port=np.where(outgoing, service, own).astype(np.int32),
        protocols=np.where(beacon, udp, tls).astype(np.uint16),
        tcp_payload=np.array([54, 0, 234, 1448, 0, 24], dtype=np.int32)[step],
    )


@pytest.fixture(scope="session")
def traces() -> list[Trace]:
    return [make_trace(f"capture-{seed}.pcap", seed) for seed in range(8)]
