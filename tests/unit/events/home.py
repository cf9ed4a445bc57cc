"""A device with a beacon, which answers what is done to it by a few packets."""

import numpy as np

from iotflowgen.traffic import Event, Trace, protocol_mask

__all__ = ["BEGIN_NS", "S", "captured", "pressed", "write_csv"]

S = 10**9
BEGIN_NS = 1_767_225_600 * S  # 2026-01-01T00:00:00Z
_TLS = protocol_mask(["ip", "tcp", "https"])
_LENGTHS = {"on": (180, 60, 95), "off": (210, 60, 95)}


def pressed(n, seed=0, every_s=60):
    """Events on and off in turn, about a minute apart."""
    rng = np.random.default_rng(seed)
    at = BEGIN_NS + np.cumsum(rng.integers(every_s // 2 * S, every_s * 3 // 2 * S, size=n))
    return [Event(int(t), ("on", "off")[i % 2]) for i, t in enumerate(at)]


def captured(events, seed=0, more_s=60, hole=None):
    """A capture of the device: a beacon every 20 s, and what events cause 50 to 90 ms later."""
    rng = np.random.default_rng(seed)
    end_ns = events[-1].time_ns + more_s * S
    packets = [(t, 120, True) for t in range(BEGIN_NS, end_ns, 20 * S)]
    packets += [(t + 10**7, 66, False) for t, _, _ in packets]
    for event in events:
        start_ns = event.time_ns + int(rng.integers(50, 90)) * 10**6
        lengths = enumerate(_LENGTHS[event.name])
        packets += [(start_ns + i * 10**6, length, i % 2 == 0) for i, length in lengths]
    packets = sorted(p for p in packets if hole is None or not hole[0] <= p[0] < hole[1])
    time_ns, length, outgoing = (np.array(column) for column in zip(*packets, strict=True))
    return Trace(
        name="week.pcap",
        time_ns=time_ns,
        length=length.astype(np.int32),
        outgoing=outgoing,
        src_port=np.where(outgoing, 50_000, 443).astype(np.int32),
        dst_port=np.where(outgoing, 443, 50_000).astype(np.int32),
        protocols=np.full(len(length), _TLS, dtype=np.uint16),
        tcp_payload=np.maximum(length - 54, 0).astype(np.int32),
    )


def write_csv(path, rows, head="time,event"):
    path.write_text("\n".join([head, *rows]) + "\n")
    return path
