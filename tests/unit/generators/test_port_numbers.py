"""Which numbers the ephemeral ports of generated windows have."""

from dataclasses import replace

import numpy as np
import pytest

from iotflowgen.encoding import PortConfig, PortEncoder
from iotflowgen.generators.port_numbers import PortNumbers
from iotflowgen.traffic import Trace, Windows, cut_windows, every_window_start, protocol_mask
from tests.conftest import make_trace

TCP = protocol_mask(["ip", "tcp"])


def capture(number, pairs, length=100):
    """A capture whose packets, out and in in turn, are between these ports of device and peer."""
    outgoing = np.arange(len(pairs)) % 2 == 0
    device, peer = np.array(pairs, dtype=np.int32).T
    return Trace(
        name=f"{number}.pcap",
        time_ns=np.arange(len(pairs)) * 10**6,
        length=np.full(len(pairs), length, dtype=np.int32),
        outgoing=outgoing,
        src_port=np.where(outgoing, device, peer),
        dst_port=np.where(outgoing, peer, device),
        protocols=np.full(len(pairs), TCP, dtype=np.uint16),
        tcp_payload=np.zeros(len(pairs), dtype=np.int32),
    )


def in_slots(encoder, windows):
    """Windows as a generator decodes them."""
    tokens = encoder.encode(windows.src_port, windows.dst_port)
    src_port, dst_port = encoder.decode(*tokens)
    return replace(windows, src_port=src_port, dst_port=dst_port)


def drawn(traces, windows, *, ephemeral="recur", recurrence=0.6, seed=0):
    encoder = PortEncoder.fit(traces, PortConfig(ephemeral=ephemeral, recurrence=recurrence))
    numbers = PortNumbers.fit(traces, encoder, windows.size)
    return numbers.draw(in_slots(encoder, windows), np.random.default_rng(seed))


def device_ports(windows):
    return np.where(windows.outgoing, windows.src_port, windows.dst_port)


def services(first):
    """Four packets of a web connection, two of a lookup, and four of another web connection."""
    return [(first, 443)] * 4 + [(first + 5000, 53)] * 2 + [(first + 1, 443)] * 4


def test_captured_windows_get_the_numbers_of_one_capture_each_service_its_own():
    traces = [capture(i, services(40_000 + 100 * i)) for i in range(8)]
    windows = cut_windows(traces, every_window_start(traces, 8))
    for row in device_ports(drawn(traces, windows)):
        offsets = {(port - 40_000) // 100 for port in row if port < 45_000}
        assert len(offsets | {(port - 45_000) // 100 for port in row if port >= 45_000}) == 1


def test_which_capture_it_is_what_is_most_alike_says():
    traces = [capture(i, services(40_000 + 100 * i), length=100 + i) for i in range(8)]
    windows = cut_windows(traces, every_window_start(traces, 8))
    found = drawn(traces, windows)
    assert np.array_equal(found.src_port, windows.src_port)
    assert np.array_equal(found.dst_port, windows.dst_port)


@pytest.mark.parametrize("ephemeral", ["recur", "fresh"])
def test_ends_with_the_same_port_keep_it_and_others_stay_apart(ephemeral):
    rng = np.random.default_rng(1)
    traces = [capture(i, services(40_000 + 100 * i)) for i in range(8)]
    encoder = PortEncoder.fit(traces, PortConfig(ephemeral=ephemeral, recurrence=0.6))
    shape = (200, 6)
    # as no capture has them: any slot or constant at either end
    ends = rng.choice([-1, -2, -3, -4, 53, 443], size=(2, *shape)).astype(np.int32)
    windows = Windows(
        duration_ns=np.ones(shape, dtype=np.int64),
        length=np.full(shape, 100, dtype=np.int32),
        outgoing=rng.random(shape) < 0.5,
        src_port=ends[0],
        dst_port=ends[1],
        protocols=np.full(shape, TCP, dtype=np.uint16),
    )
    found = PortNumbers.fit(traces, encoder, 6).draw(windows, rng)
    after = np.stack([found.src_port, found.dst_port])
    assert np.array_equal(after[ends >= 0], ends[ends >= 0])
    assert after.min() >= 53
    for row in range(len(windows)):
        slots, numbers = ends[:, row].ravel(), after[:, row].ravel()
        pairs = {(s, n) for s, n in zip(slots.tolist(), numbers.tolist(), strict=True) if s < 0}
        assert len(pairs) == len({s for s, _ in pairs}) == len({n for _, n in pairs})
        assert not {n for _, n in pairs} & {53, 443}


def test_ports_that_are_ephemeral_at_both_ends_stay_pairs():
    traces = [capture(i, [(40_000 + i, 50_000 + 7 * i)] * 10) for i in range(8)]
    windows = cut_windows(traces, every_window_start(traces, 8))
    found = drawn(traces, windows)
    pairs = {(40_000 + i, 50_000 + 7 * i) for i in range(8)}
    peer = np.where(found.outgoing, found.dst_port, found.src_port)
    assert (
        set(zip(device_ports(found).ravel().tolist(), peer.ravel().tolist(), strict=True)) <= pairs
    )


def test_fresh_ones_are_new_and_count_on_as_the_device_does():
    traces = [capture(i, services(40_000 + 731 * i)) for i in range(8)]
    windows = cut_windows(traces, every_window_start(traces, 10))
    captured = {port for trace in traces for port in device_ports(trace).tolist()}
    found = device_ports(drawn([*traces], windows, ephemeral="fresh", seed=3))
    new = [port not in captured for port in found.ravel().tolist()]
    assert np.mean(new) > 0.9
    first, second = found[:, 0], found[:, -1]
    assert np.mean(second - first == 1) > 0.9
    assert 40_000 - 2000 < first.min() <= first.max() < 46_000 + 2000


def test_of_captures_without_ephemeral_ports_numbers_are_dynamic_ones():
    traces = [capture(i, [(123, 123)] * 20) for i in range(4)]
    strange = cut_windows(traces, every_window_start(traces, 8))
    strange = replace(strange, src_port=np.full_like(strange.src_port, 50_000))
    found = drawn(traces, strange)
    assert (found.src_port >= 49_152).all()
    assert (found.dst_port == 123).all()


def test_the_same_seed_draws_the_same():
    traces = [make_trace(str(i), i) for i in range(8)]
    windows = cut_windows(traces, every_window_start(traces, 8))
    first, again = (drawn(traces, windows, seed=5) for _ in range(2))
    assert np.array_equal(first.src_port, again.src_port)
    assert not np.array_equal(first.src_port, drawn(traces, windows, seed=6).src_port)


def test_no_windows_have_no_ports():
    traces = [make_trace(str(i), i) for i in range(8)]
    windows = cut_windows(traces, every_window_start(traces, 8))
    assert len(drawn(traces, windows[:0])) == 0


@pytest.mark.parametrize("change", ["short", "float", "lone"])
def test_tensors_that_do_not_fit_are_refused(change):
    traces = [make_trace(str(i), i) for i in range(8)]
    encoder = PortEncoder.fit(traces, PortConfig())
    tensors = PortNumbers.fit(traces, encoder, 8).tensors()
    PortNumbers.restore(tensors, encoder, 8)
    if change == "short":
        tensors["packets.length"] = tensors["packets.length"][1:]
    elif change == "float":
        tensors["packets.src_port"] = tensors["packets.src_port"].astype(float)
    else:
        tensors["packets.capture"] = np.arange(len(tensors["packets.length"]))
    with pytest.raises(ValueError, match="packets"):
        PortNumbers.restore(tensors, encoder, 8)
