"""When leases are renewed in a stream."""

import numpy as np
import pytest

from iotflowgen.generators import first_seconds
from iotflowgen.generators.sessions import Sessions, SessionsConfig
from iotflowgen.packets import Leases, learn
from iotflowgen.traffic import Session, Trace, protocol_mask
from iotflowgen.wire import Frames
from tests.unit.packets.datagrams.said import udp

DHCP, NTP = (protocol_mask(["ip", "udp", of]) for of in ("dhcp", "ntp"))
T1 = 3600


def capture(seed, *, acquired=0):
    """Requests of NTP every few minutes, and a lease that is got so often, and then renewed."""
    rng = np.random.default_rng(seed)
    asked = np.cumsum(rng.uniform(100, 300, 100))
    got = [
        (at + i * 0.01, 342, i % 2 == 0)
        for at in range(5, 5 + 900 * acquired, 900)
        for i in range(4)
    ]
    since = got[-4][0] if got else rng.uniform(0, T1) - T1
    renewed = since + T1 * np.arange(1, int((asked[-1] - since) / T1) + 1)
    rows = [(at, 90, True, NTP) for at in asked]
    rows += [(*row, DHCP) for row in got]
    rows += [(at + i * 0.01, 342, i == 0, DHCP) for at in renewed for i in range(2)]
    time_s, length, outgoing, protocols = zip(*sorted(rows), strict=True)
    port = np.where(np.array(protocols) == NTP, 123, 68)
    peer = np.where(np.array(protocols) == NTP, 123, 67)
    return Trace(
        name=f"{seed}.pcap",
        time_ns=np.rint(np.array(time_s) * 1e6).astype(np.int64) * 1000,
        length=np.array(length, dtype=np.int32),
        outgoing=np.array(outgoing, dtype=bool),
        src_port=np.where(outgoing, port, peer).astype(np.int32),
        dst_port=np.where(outgoing, peer, port).astype(np.int32),
        protocols=np.array(protocols, dtype=np.uint16),
        tcp_payload=np.zeros(len(rows), dtype=np.int32),
    )


def frames(trace):
    ports = zip(trace.src_port.tolist(), trace.dst_port.tolist(), strict=True)
    ends = (each if out else each[::-1] for each, out in zip(ports, trace.outgoing, strict=True))
    rows = zip(trace.outgoing.tolist(), ends, trace.length.tolist(), strict=True)
    return Frames.of([udp(out, *end, bytes(size - 42), "").frame for out, end, size in rows])


def streamed(captures, hours):
    """When messages of DHCP come in a stream, in seconds, and whether the device sent them."""
    traces, recording = learn([(each, frames(each)) for each in captures])
    stream = Sessions(SessionsConfig(window=5)).fit(traces).stream(np.random.default_rng(0))
    renewed = Leases(recording).renewed(stream, np.random.default_rng(1))
    pieces = list(first_seconds(renewed, 3600 * hours))
    time_ns = np.concatenate([piece.time_ns for piece in pieces])
    assert (np.diff(time_ns) >= 0).all()
    is_dhcp, outgoing = (
        np.concatenate([column(piece) for piece in pieces])
        for column in (lambda p: p.protocols == DHCP, lambda p: p.outgoing)
    )
    return time_ns[is_dhcp] / 1e9, outgoing[is_dhcp]


@pytest.mark.parametrize("captures", [1, 4])
def test_a_stream_renews_its_lease_as_often_as_captures_do(captures):
    time_s, outgoing = streamed([capture(i) for i in range(captures)], hours=200)
    np.testing.assert_array_equal(outgoing, np.arange(len(outgoing)) % 2 == 0)  # all are answered
    np.testing.assert_allclose(np.diff(time_s[outgoing]), T1, atol=1)
    assert len(time_s[outgoing]) >= 198


def test_a_lease_that_is_got_anew_is_renewed_later():
    time_s, _ = streamed([capture(i, acquired=2) for i in range(4)], hours=200)
    asked = time_s[np.diff(time_s, prepend=-100) > 60]
    # nobody asks later than a lease is due, and nobody earlier but who gets another
    between = np.diff(asked)
    assert between.max() < T1 + 1
    assert np.median(between) == pytest.approx(T1, abs=1)


def test_a_stream_of_captures_without_renewals_has_none():
    alone = capture(0, acquired=1)
    short = [alone[:20], alone[:20]]
    time_s, _ = streamed(short, hours=50)
    asked = time_s[np.diff(time_s, prepend=-100) > 60]
    assert len(asked) <= 1


def test_a_silence_of_months_is_renewed_in_as_far_as_it_is_written():
    leases = Leases(learn([(of, frames(of)) for of in [capture(0)]])[1])
    alone = capture(1)[:20]
    ends = alone[(alone.protocols == NTP)][:2]
    silent = Session(
        name="0",
        time_ns=np.array([0, 365 * 86400 * 10**9]),
        length=ends.length,
        outgoing=ends.outgoing,
        src_port=ends.src_port,
        dst_port=ends.dst_port,
        protocols=ends.protocols,
        source=np.flatnonzero(capture(0).protocols == NTP)[:2],
        flow=np.full(2, -1),
    )
    renewed = leases.renewed(iter([silent]), np.random.default_rng(0))
    first = next(renewed)  # not of the whole year
    assert len(first) < 1000
    rest = list(renewed)
    time_ns = np.concatenate([each.time_ns for each in (first, *rest)])
    assert (np.diff(time_ns) >= 0).all()
    np.testing.assert_array_equal(time_ns[[0, -1]], silent.time_ns)
    asked = np.concatenate([each.protocols == DHCP for each in (first, *rest)]).sum() / 2
    assert asked == pytest.approx(365 * 86400 / T1, rel=1e-3)
