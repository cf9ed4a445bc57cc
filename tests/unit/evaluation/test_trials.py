import warnings
from dataclasses import replace

import numpy as np
import pytest

from iotflowgen.errors import TooShort
from iotflowgen.evaluation import PROTOCOLS, EvaluationWarning, trials
from iotflowgen.traffic import Windows, cut_windows, draw_window_starts
from tests.conftest import make_trace
from tests.unit.evaluation.adversaries import Oracle, Tree

SMALL = {"window": 8, "windows": 200}


def rng(seed=0):
    return np.random.default_rng(seed)


def replays(trial, seed=0):
    """As good as captures it has seen: other windows of them, drawn at random."""
    return cut_windows(trial.train, draw_window_starts(trial.train, len(trial.real), 8, rng(seed)))


def betrays_itself(trial):
    windows = replays(trial)
    return replace(windows, length=windows.length + 1000)


def with_own_ports(windows):
    """Each window opens a port of its own, as each capture of the device does."""
    own = rng(9).integers(32768, 61000, (len(windows), 1))
    ports = {n: getattr(windows, n) for n in ("src_port", "dst_port")}
    return replace(windows, **{n: np.where(p > 1024, own, p) for n, p in ports.items()})


def same(a, b):
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in Windows.columns())


@pytest.fixture(scope="module")
def many():
    return [make_trace(f"{i}.pcap", i, packets=120) for i in range(16)]


def test_paper_finds_what_is_there_and_a_replay_wins(many):
    (trial,) = trials("paper", many, rng(), **SMALL)
    assert trial.attack(Tree, betrays_itself(trial)).mean > 0.95
    found = trial.attack(Tree, replays(trial))
    assert found.interval[0] < 0.52
    assert len(found.accuracy) == 5
    assert len(trial.real) == len(trial.control) == 200
    assert trial.train == trial.unseen == tuple(many)


def test_the_papers_control_is_of_other_windows_of_the_same_captures(many):
    (trial,) = trials("paper", many, rng(), **SMALL)
    rows = [windows.duration_ns for windows in (trial.real, trial.control)]
    assert len(np.unique(np.concatenate(rows), axis=0)) == 400
    assert trial.attack_control(Tree).interval[0] < 0.52


def test_held_out_finds_what_is_there(many):
    for trial in trials("held-out", many, rng(), **SMALL):
        found, control = trial.attack(Tree, betrays_itself(trial)), trial.attack_control(Tree)
        assert found.mean > 0.95
        assert found.mean - control.mean > 0.2


def test_held_out_finds_copies_by_the_ports_they_share_and_fresh_ports_pass(many):
    for trial in trials("held-out", many, rng(), splits=4, **SMALL):
        control, copies = trial.attack_control(Tree), replays(trial)
        assert 0.25 < control.mean < 0.7
        assert trial.attack(Tree, copies).mean > control.mean + 0.1
        passing = trial.attack(Tree, with_own_ports(copies))
        assert abs(passing.mean - control.mean) < 0.15


def test_what_is_learnt_from_is_not_what_is_told_from(many):
    first, second, third = trials("held-out", many, rng(), splits=3, **SMALL)
    for trial in (first, second, third):
        assert len(trial.train) == len(trial.unseen) == 8
        assert {*trial.train, *trial.unseen} == {*many}
        ports = {p for t in trial.train for p in t.src_port.tolist()} - {123, 443}
        assert not np.isin(trial.real.src_port, list(ports)).any()
    assert (second.train, second.unseen) == (first.unseen, first.train)
    assert {*third.train} not in ({*first.train}, {*first.unseen})


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_repeats_with_the_seed(many, protocol):
    one, again, other = (trials(protocol, many, rng(seed), **SMALL)[0] for seed in (0, 0, 1))
    assert same(one.real, again.real)
    assert same(one.control, again.control)
    assert not same(one.real, other.real)
    synthetic = replays(one)
    assert one.attack(Tree, synthetic) == again.attack(Tree, synthetic)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_fewer_windows_than_asked_for_are_used_and_said(many, protocol):
    short = [trace[:12] for trace in many]  # 5 windows in each
    with pytest.warns(EvaluationWarning, match="windows of each kind are used, not 200"):
        trial, *_ = trials(protocol, short, rng(), **SMALL)
    assert len(trial.real) == len(trial.control) == (80 if protocol == "paper" else 40)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_another_number_of_windows_is_refused(many, protocol):
    trial, *_ = trials(protocol, many, rng(), **SMALL)
    with pytest.raises(ValueError, match="give as many"):
        trial.attack(Oracle, replays(trial)[:100])


def test_captures_shorter_than_a_window_are_left_out_and_said(many):
    with pytest.warns(EvaluationWarning, match="1 of 16 captures have fewer than 8 packets"):
        (trial,) = trials("paper", [many[0][:7], *many[1:]], rng(), **SMALL)
    assert len(trial.unseen) == 15


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_too_little_to_evaluate_is_refused(many, protocol):
    with pytest.raises(TooShort, match="smaller --window"):
        trials(protocol, [trace[:7] for trace in many], rng(), **SMALL)
    with pytest.raises(TooShort, match="5 folds"):
        trials(protocol, many, rng(), window=8, windows=4)


def test_held_out_needs_captures_to_split(many):
    for captures in (1, 3):
        with pytest.raises(TooShort, match=f"held-out needs 4 captures.*there are {captures}"):
            trials("held-out", many[:captures], rng(), **SMALL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EvaluationWarning)
        trials("paper", many[:1], rng(), **SMALL)
        trials("held-out", many[:4], rng(), **SMALL)


def test_a_capture_that_outweighs_all_others_is_refused(many):
    giant = make_trace("giant.pcap", 99, packets=60_000)
    captures = [giant, *(trace[:12] for trace in many[:5])]
    with pytest.raises(TooShort, match=r"of giant\.pcap, which outweighs"):
        trials("held-out", captures, rng(), window=8, windows=15)
