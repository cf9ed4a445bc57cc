"""Long captures of devices that do not exist, whose rhythm is known."""

import numpy as np

from iotflowgen.traffic import Trace, protocol_mask

HOUR_NS = 3600 * 10**9
START_NS = 450_000 * HOUR_NS  # on the hour
_TCP, _UDP = protocol_mask(["ip", "tcp"]), protocol_mask(["ip", "udp"])


def poisson(rng, per_hour, hours):
    """Seconds at which something happens at random."""
    return np.sort(rng.uniform(0, hours * 3600, rng.poisson(per_hour * hours)))


def clock(rng, period, hours, jitter=0.0):
    """Seconds at which something happens every so many, jitter a share of them."""
    beats = np.arange(rng.uniform(0, period), hours * 3600, period)
    return np.sort(np.abs(beats + jitter * period * rng.normal(size=len(beats))))


def week(rng, hours=168, services=None, name="week.pcap"):
    """A device that asks services, by port, at given seconds, and is answered; two packets each."""
    if services is None:
        services = {
            443: poisson(rng, 6, hours),
            123: clock(rng, 600, hours, 0.01),
            8883: clock(rng, 60, hours, 0.01),
        }
    at = np.concatenate([*services.values()])
    port = np.repeat([*services], [len(each) for each in services.values()])
    own = np.where(port == 123, 123, rng.integers(32768, 61000, len(port)))
    length = 80 + port % 100 + rng.integers(0, 8, len(port))
    columns = {
        "time_ns": np.concatenate([at, at + 0.02]) * 1e9,
        "length": np.concatenate([length, length + 300]),
        "outgoing": np.repeat([True, False], len(port)),
        "src_port": np.concatenate([own, port]),
        "dst_port": np.concatenate([port, own]),
        "protocols": np.tile(np.where(port == 123, _UDP, _TCP), 2),
    }
    order = np.argsort(columns["time_ns"], kind="stable")
    columns = {each: column[order] for each, column in columns.items()}
    return Trace(
        name=name,
        time_ns=START_NS + columns["time_ns"].astype(np.int64),
        length=columns["length"].astype(np.int32),
        outgoing=columns["outgoing"],
        src_port=columns["src_port"].astype(np.int32),
        dst_port=columns["dst_port"].astype(np.int32),
        protocols=columns["protocols"].astype(np.uint16),
        tcp_payload=np.zeros(len(order), dtype=np.int32),
    )
