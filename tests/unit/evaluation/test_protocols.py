import json
import warnings
from dataclasses import asdict, replace

import numpy as np
import pytest

from iotflowgen.errors import TooShort
from iotflowgen.evaluation import EvaluationWarning, given, held_out, paper
from iotflowgen.traffic import cut_windows, draw_places
from tests.conftest import make_trace
from tests.unit.evaluation.adversaries import Oracle, Tree

SMALL = {"window": 8, "windows": 200}


def rng(seed=0):
    return np.random.default_rng(seed)


def replays(traces, n, rng):
    """As good as captures it has seen: other windows of them, drawn at random."""
    return cut_windows(traces, draw_places(traces, n, 8, rng))


def betrays_itself(traces, n, rng):
    windows = replays(traces, n, rng)
    return replace(windows, length=windows.length + 1000)


@pytest.fixture(scope="module")
def many():
    return [make_trace(f"{i}.pcap", i, packets=120) for i in range(16)]


def test_paper_finds_what_is_there_and_a_replay_wins(many):
    (found,) = paper(many, betrays_itself, [Tree], rng(), **SMALL).detections
    assert found.mean > 0.95
    result = paper(many, replays, [Tree], rng(), **SMALL)
    (found,) = result.detections
    assert found.interval[0] < 0.52
    assert len(found.accuracy) == 5
    assert result.windows == 200
    assert result.captures == tuple(trace.name for trace in many)


def test_held_out_finds_what_is_there(many):
    (found,) = held_out(many, betrays_itself, [Tree], rng(), **SMALL).adversaries
    assert found.excess > 0.2
    for split in found.splits:
        assert split.detection.mean > 0.95
        assert split.excess == pytest.approx(split.detection.mean - split.control.mean)
    excesses = [split.excess for split in found.splits]
    assert found.excess == pytest.approx(np.mean(excesses))
    assert found.spread == (min(excesses), max(excesses))


def test_as_good_as_the_captures_has_no_excess_though_captures_know_each_other(many):
    (found,) = held_out(many, replays, [Tree], rng(), splits=4, **SMALL).adversaries
    assert abs(found.excess) < 0.05
    for split in found.splits:
        # ports of a capture in training give its other windows away
        assert split.control.mean > split.control_by_capture.mean + 0.1
        assert 0.25 < split.control_by_capture.mean < 0.7


def test_whoever_makes_the_windows_sees_one_half_only(many):
    asked = []

    def source(traces, n, rng):
        asked.append(tuple(trace.name for trace in traces))
        return replays(traces, n, rng)

    result = held_out(many, source, [Oracle, Oracle], rng(), **SMALL)
    first, second = result.halves
    assert asked == [first.train, second.train]
    assert sorted(first.train + first.unseen) == sorted(trace.name for trace in many)
    assert (second.train, second.unseen) == (first.unseen, first.train)
    assert len(first.train) == 8
    third = held_out(many, source, [Oracle], rng(), splits=3, **SMALL).halves[2]
    assert {third.train, third.unseen} != {first.train, first.unseen}
    asked.clear()
    paper(many, source, [Oracle], rng(), **SMALL)
    assert asked == [tuple(trace.name for trace in many)]


@pytest.mark.parametrize("protocol", [paper, held_out])
def test_repeats_with_the_seed_whoever_else_attacks(many, protocol):
    alone, again, beside, other = (
        protocol(many, replays, attackers, rng(seed), **SMALL)
        for attackers, seed in (([Tree], 0), ([Tree], 0), ([Oracle, Tree], 0), ([Tree], 1))
    )
    key = "detections" if protocol is paper else "adversaries"
    assert alone == again
    assert getattr(beside, key)[1:] == getattr(alone, key)
    assert other != alone


@pytest.mark.parametrize("protocol", [paper, held_out])
def test_results_are_plain_json_and_progress_gets_there(many, protocol):
    steps = []

    def progress(stage, done, total, note=""):
        steps.append(done / total)

    result = protocol(many, replays, [Tree, Oracle], rng(), progress=progress, **SMALL)
    read = json.loads(json.dumps(asdict(result), allow_nan=False))
    assert read["protocol"] == protocol.__name__.replace("_", "-")
    assert steps == sorted(steps)
    assert steps[-1] == 1
    assert len(steps) == (10 if protocol is paper else 2 * 2 * 3 * 5)


@pytest.mark.parametrize("protocol", [paper, held_out])
def test_fewer_windows_than_asked_for_are_used_and_said(many, protocol):
    few = replays(many, 37, rng())
    with pytest.warns(EvaluationWarning, match="37 windows of each kind are used, not 200"):
        result = protocol(many, given(few), [Oracle], rng(), **SMALL)
    windows = result.windows if protocol is paper else result.halves[0].windows
    assert windows == 37
    short = [trace[:12] for trace in many]  # 5 windows in each
    with pytest.warns(EvaluationWarning, match="there are no more"):
        protocol(short, replays, [Oracle], rng(), **SMALL)


def test_windows_at_hand_are_drawn_each_once(many):
    few = replays(many, 37, rng())
    drawn = given(few)(many, 37, rng())
    assert sorted(drawn.duration_ns.sum(axis=1)) == sorted(few.duration_ns.sum(axis=1))
    assert len(given(few)(many, 10, rng())) == 10


def test_captures_shorter_than_a_window_are_left_out_and_said(many):
    with pytest.warns(EvaluationWarning, match="1 of 16 captures have fewer than 8 packets"):
        result = paper([many[0][:7], *many[1:]], replays, [Oracle], rng(), **SMALL)
    assert len(result.captures) == 15


@pytest.mark.parametrize("protocol", [paper, held_out])
def test_too_little_to_evaluate_is_refused(many, protocol):
    with pytest.raises(TooShort, match="smaller --window"):
        protocol([trace[:7] for trace in many], replays, [Oracle], rng(), **SMALL)
    with pytest.raises(TooShort, match="5 folds"):
        protocol(many, given(replays(many, 4, rng())), [Oracle], rng(), **SMALL)


def test_held_out_needs_captures_to_split(many):
    for captures in (1, 3):
        with pytest.raises(TooShort, match=f"held-out needs 4 captures.*there are {captures}"):
            held_out(many[:captures], replays, [Oracle], rng(), **SMALL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EvaluationWarning)
        paper(many[:1], replays, [Oracle], rng(), **SMALL)
        held_out(many[:4], replays, [Oracle], rng(), **SMALL)


def test_a_capture_that_outweighs_all_others_is_refused(many):
    giant = make_trace("giant.pcap", 99, packets=60_000)
    captures = [giant, *(trace[:12] for trace in many[:5])]
    with pytest.raises(TooShort, match=r"of giant\.pcap, which outweighs"):
        held_out(captures, replays, [Oracle], rng(), window=8, windows=15)
