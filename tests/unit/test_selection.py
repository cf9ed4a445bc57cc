"""Picking windows by the figure that is reported (`benchmarks/selection.py`)."""

import json

import numpy as np
import pytest
import selection

from iotflowgen.traffic import cut_windows, draw_window_starts
from tests.conftest import make_trace


class Longest:
    """Takes windows for synthetic by the length of their first packet; trains on nothing."""

    name = "longest"

    def __init__(self, *, seed):
        self.seed = seed

    def fit(self, _, synthetic):
        assert 0 < synthetic.mean() < 1
        return self

    def score(self, windows):
        return (windows.length[:, 0] > 2000).astype(float)


@pytest.fixture(scope="module")
def windows():
    traces = [make_trace(str(i), i, packets=200) for i in range(6)]
    return cut_windows(traces, draw_window_starts(traces, 300, 10, np.random.default_rng(0)))


def pool_of(windows, strange):
    """A pool of which a share is told at once."""
    length = windows.length.copy()
    length[: round(strange * len(windows)), 0] = 5000
    columns = {name: getattr(windows, name) for name in windows.columns()}
    return type(windows)(**{**columns, "length": length})


def test_what_is_told_is_swapped_for_what_is_not(windows):
    pool = pool_of(windows[50:], 0.5)
    kept, accuracy = selection.select(Longest, windows[:50], pool, 60, np.random.default_rng(0))
    assert len(kept) == len(set(kept.tolist())) == 50
    assert len(accuracy) == 60
    assert accuracy[0] > 0.9
    assert min(accuracy) < accuracy[0] - 0.1
    # the set kept is one of the least accuracy
    assert (kept >= 125).any()


def test_a_set_that_is_told_better_is_not_kept(windows):
    # all but those shown at first are told
    pool = pool_of(windows[50:][::-1], 0)
    length = pool.length.copy()
    length[50:, 0] = 5000
    columns = {name: getattr(pool, name) for name in pool.columns()}
    pool = type(pool)(**{**columns, "length": length})
    kept, accuracy = selection.select(Longest, windows[:50], pool, 30, np.random.default_rng(0))
    # what lies outside the test windows may go, for no figure sees it
    assert accuracy[0] == min(accuracy)
    assert (kept < 50).sum() >= 50 * selection.TEST - 6


def test_fewer_are_swapped_the_longer_it_lasts(windows):
    rng = np.random.default_rng(0)
    shown = np.arange(20)
    for swaps in selection.SWAPS:
        swapped = selection._swapped(shown, 100, swaps, rng)
        assert (swapped != shown).sum() == swaps
        assert len(set(swapped.tolist())) == 20


def test_a_cell_that_is_done_is_not_measured_again(tmp_path, monkeypatch):
    measured = []

    def measure(folder, generator, settings, rounds):
        measured.append(rounds)
        return {"rounds": rounds, "first": 0.6, "least": 0.5}

    monkeypatch.setattr(selection, "measure", measure)
    cell = tmp_path / "plug-markov-default.json"
    for rounds in (5, 5, 6):
        selection.take(tmp_path / "plug", "markov", "default", rounds, cell)
    assert measured == [5, 6]
    selection.join([cell, tmp_path / "absent.json"], tmp_path / "joined.json")
    (found,) = json.loads((tmp_path / "joined.json").read_text())["cells"]
    assert (found["device"], found["rounds"], found["made_with"]["rounds"]) == ("plug", 6, 6)
