import time
from collections import Counter

import numpy as np
import pytest
from pydantic import ValidationError

from iotflowgen.encoding import PortConfig
from iotflowgen.errors import TooShort
from iotflowgen.generators.markov import Markov, MarkovConfig
from iotflowgen.traffic import Trace, Windows, cut_windows, every_window_start, protocol_mask

TCP = protocol_mask(["ip", "tcp"])


def trace_of(lengths, *, name="a.pcap", gaps=None, device_ports=None):
    """All outgoing, to port 443."""
    size = len(lengths)
    gaps = np.full(size, 10**6) if gaps is None else np.asarray(gaps)
    return Trace(
        name=name,
        time_ns=np.cumsum(gaps) - gaps,
        length=np.array(lengths, dtype=np.int32),
        outgoing=np.ones(size, dtype=bool),
        src_port=np.array([50_000] * size if device_ports is None else device_ports, np.int32),
        dst_port=np.full(size, 443, dtype=np.int32),
        protocols=np.full(size, TCP, dtype=np.uint16),
        tcp_payload=np.zeros(size, dtype=np.int32),
    )


def packets(windows):
    columns = [getattr(windows, name) for name in ("length", "outgoing", "protocols")]
    return [[tuple(p) for p in w] for w in np.stack(columns, axis=-1).tolist()]


def test_a_cycle_goes_on_in_order():
    trace = trace_of([60, 70, 80] * 200)
    drawn = Markov(MarkovConfig(window=8)).fit([trace]).sample(300, np.random.default_rng(0))
    steps = Counter(zip(drawn.length[:, :-1].ravel(), drawn.length[:, 1:].ravel(), strict=True))
    in_order = sum(steps[pair] for pair in ((60, 70), (70, 80), (80, 60)))
    assert in_order / sum(steps.values()) > 0.98


def test_backing_off_has_the_probability_of_witten_and_bell():
    # after 60: N = 4 times, T = 2 symbols, 70 three times and 80 once
    # from a well-known port: a symbol is its length alone, not whether it opens a connection
    trace = trace_of([60, 70, 60, 70, 60, 70, 60, 80], device_ports=[123] * 8)
    fitted = Markov(MarkovConfig(window=2, order=1, magnitudes=0)).fit([trace])
    drawn = fitted.sample(60_000, np.random.default_rng(0)).length
    after = Counter(drawn[drawn[:, 0] == 60][:, 1].tolist())
    share = {length: n / sum(after.values()) for length, n in after.items()}
    # of 9 places the last is the end, after which no window goes on
    empty = {60: 4 / 9, 70: 3 / 9, 80: 1 / 9}
    expected = {
        60: 2 / 6 * empty[60],
        70: 4 / 6 * 3 / 4 + 2 / 6 * empty[70],
        80: 4 / 6 * 1 / 4 + 2 / 6 * empty[80],
    }
    total = sum(expected.values())
    for length, probability in expected.items():
        assert share[length] == pytest.approx(probability / total, abs=0.01)


def test_the_order_is_how_far_it_looks_back():
    # what follows 60, 61 is told by the packet before them alone
    lengths = [70, 60, 61, 71, 80, 60, 61, 81] * 60
    told = {}
    for order in (1, 3):
        fitted = Markov(MarkovConfig(window=20, order=order)).fit([trace_of(lengths)])
        drawn = fitted.sample(200, np.random.default_rng(0)).length
        runs = np.lib.stride_tricks.sliding_window_view(drawn, 4, axis=1).reshape(-1, 4).tolist()
        ends = [run[3] - run[0] for run in runs if run[1:3] == [60, 61] and run[0] in (70, 80)]
        told[order] = np.mean([end == 1 for end in ends])
    assert told[3] > 0.95
    assert told[1] < 0.7


def test_windows_begin_where_windows_of_the_captures_do(traces):
    drawn = Markov(MarkovConfig(window=10)).fit(traces).sample(6000, np.random.default_rng(0))
    every = cut_windows(traces, every_window_start(traces, 10))
    ours, theirs = (Counter(w[0] for w in packets(windows)) for windows in (drawn, every))
    assert set(ours) == set(theirs)
    for packet, count in theirs.items():
        assert ours[packet] / len(drawn) == pytest.approx(count / len(every), abs=0.03)


def test_every_packet_is_one_that_the_captures_hold(traces):
    drawn = Markov().fit(traces).sample(500, np.random.default_rng(0))
    every = cut_windows(traces, every_window_start(traces, 1))
    assert {p for w in packets(drawn) for p in w} <= {p for w in packets(every) for p in w}


def test_every_packet_says_which_one_of_the_captures_it_repeats(traces):
    drawn = Markov().fit(traces).sample(500, np.random.default_rng(0))
    for name in ("length", "outgoing", "protocols"):
        captured = np.concatenate([getattr(trace, name) for trace in traces])
        assert np.array_equal(getattr(drawn, name), captured[drawn.source])


def test_a_duration_follows_from_the_packets_on_both_sides_of_it():
    lengths = [60, 70, 60, 80] * 100
    seconds = np.tile([1, 5, 20, 100], 100) * 10**9
    config = MarkovConfig(window=10, magnitudes=0)
    drawn = (
        Markov(config).fit([trace_of(lengths, gaps=seconds)]).sample(200, np.random.default_rng(0))
    )
    between = {(60, 70): 1, (70, 60): 5, (60, 80): 20, (80, 60): 100}
    near = []
    for (one, other), expected in between.items():
        here = (drawn.length[:, :-1] == one) & (drawn.length[:, 1:] == other)
        ratio = drawn.duration_ns[:, :-1][here] / (expected * 1e9)
        near.append(np.mean((ratio > 0.89) & (ratio < 1.11)))
    assert min(near) > 0.98


def test_only_the_last_packet_of_a_window_may_be_the_last_of_a_capture():
    short = [trace_of([60, 70, 80, 90], name=f"{i}.pcap") for i in range(20)]
    drawn = Markov(MarkovConfig(window=4, noise=0)).fit(short).sample(500, np.random.default_rng(0))
    assert len(drawn) == 500
    assert (drawn.duration_ns[:, -1] == 0).mean() > 0.9
    assert (drawn.length[:, -1] == 90).mean() > 0.9


def connections(seed):
    """Five connections of six packets, each from the next port."""
    rng = np.random.default_rng(seed)
    first = int(rng.integers(50_000, 51_000))
    return trace_of(
        [60, 70, 80, 80, 80, 90] * 5,
        name=f"{seed}.pcap",
        device_ports=np.repeat(first + np.arange(5), 6),
    )


@pytest.mark.parametrize("ephemeral", ["recur", "fresh"])
def test_a_connection_keeps_its_port_and_the_next_opens_one(ephemeral):
    captures = [connections(seed) for seed in range(12)]
    config = MarkovConfig(window=12, ports=PortConfig(ephemeral=ephemeral))
    drawn = Markov(config).fit(captures).sample(400, np.random.default_rng(0))
    inside = drawn.length[:, 1:] != 60
    same = drawn.src_port[:, 1:] == drawn.src_port[:, :-1]
    assert same[inside].mean() > 0.95
    assert same[~inside].mean() < 0.05
    assert (drawn.dst_port == 443).all()
    real = {int(port) for trace in captures for port in trace.src_port}
    steps = np.diff(drawn.src_port, axis=1)[~inside]
    assert (steps == 1).mean() > 0.75  # as the device counts
    recurring = np.mean([port in real for port in drawn.src_port.ravel().tolist()])
    assert recurring == 1 if ephemeral == "recur" else recurring < 0.3
    assert min(real) <= drawn.src_port.min()
    assert drawn.src_port.max() <= max(real)


def test_ports_of_both_ends_stay_on_their_sides(traces):
    drawn = Markov().fit(traces).sample(300, np.random.default_rng(0))
    device = np.where(drawn.outgoing, drawn.src_port, drawn.dst_port)
    peer = np.where(drawn.outgoing, drawn.dst_port, drawn.src_port)
    assert set(np.unique(peer)) == {123, 443}
    assert ((device == 123) == (peer == 123)).all()


def test_the_same_seed_draws_the_same_windows_and_another_others(traces):
    one, same, other = (
        Markov().fit(traces).sample(50, np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    for name in Windows.columns():
        assert np.array_equal(getattr(one, name), getattr(same, name))
    assert not np.array_equal(one.duration_ns, other.duration_ns)


def test_ten_thousand_windows_take_seconds(traces):
    fitted = Markov().fit(traces)
    began = time.process_time()
    assert len(fitted.sample(10_000, np.random.default_rng(0))) == 10_000
    assert time.process_time() - began < 5


def test_none_is_as_good_a_number_as_any(traces):
    assert Markov().fit(traces).sample(0, np.random.default_rng(0)).length.shape == (0, 20)


def test_captures_shorter_than_a_window_are_refused(traces):
    with pytest.raises(TooShort, match="choose a smaller --window"):
        Markov(MarkovConfig(window=100)).fit(traces)


@pytest.mark.parametrize("setting", [{"order": 0}, {"magnitudes": -1}, {"window": 1}, {"odrer": 6}])
def test_settings_that_mean_nothing_are_refused(setting):
    with pytest.raises(ValidationError):
        MarkovConfig.model_validate(setting)
