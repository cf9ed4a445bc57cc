import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from iotflowgen.errors import ModelError, TooShort
from iotflowgen.generators.markov import Markov
from iotflowgen.generators.replay import Replay, ReplayConfig
from iotflowgen.traffic import Windows, cut_windows, every_window_start


def test_windows_are_those_of_the_captures_but_for_the_jitter(traces):
    replay = Replay(ReplayConfig(window=7)).fit(traces)
    every = cut_windows(traces, every_window_start(traces, 7))
    drawn = replay.sample(len(every), np.random.default_rng(0))
    for name in set(Windows.columns()) - {"duration_ns"}:
        ours = sorted(map(tuple, getattr(drawn, name).tolist()))
        assert ours == sorted(map(tuple, getattr(every, name).tolist()))
    assert not np.array_equal(np.sort(drawn.duration_ns), np.sort(every.duration_ns))


def test_a_window_repeats_packets_in_a_row_of_one_capture(traces):
    some = [traces[0][:0], *traces]
    drawn = Replay(ReplayConfig(window=7)).fit(some).sample(50, np.random.default_rng(0))
    assert (np.diff(drawn.source, axis=1) == 1).all()
    ends = np.cumsum([len(trace) for trace in some])
    of = np.searchsorted(ends, drawn.source, side="right")
    assert (of == of[:, :1]).all()
    captured = np.concatenate([trace.length for trace in some])
    assert np.array_equal(drawn.length, captured[drawn.source])


def test_durations_change_by_a_tenth_at_most(traces):
    places_rng, rng = np.random.default_rng(3), np.random.default_rng(3)
    exact = Replay(ReplayConfig(noise=0)).fit(traces).sample(50, places_rng).duration_ns
    jittered = Replay().fit(traces).sample(50, rng).duration_ns
    assert (np.abs(jittered - exact) <= 0.1 * exact + 1).all()
    assert (jittered != exact).mean() > 0.9


def test_a_window_longer_than_every_capture_is_refused(traces):
    with pytest.raises(TooShort, match="choose a smaller --window"):
        Replay(ReplayConfig(window=100)).fit(traces)


def test_the_file_holds_durations_but_no_times_of_day(traces, tmp_path):
    Replay().fit(traces).save(tmp_path / "model")
    tensors = load_file(tmp_path / "model")
    assert set(tensors) == set(Windows.columns())
    assert int(tensors["duration_ns"].max()) < 10**11


def test_a_model_of_another_generator_is_refused_by_name(traces, tmp_path):
    Markov().fit(traces).save(tmp_path / "model")
    with pytest.raises(ModelError, match="is a model of markov, not of replay"):
        Replay.load(tmp_path / "model")


@pytest.mark.parametrize("method", [Replay, Markov])
def test_what_was_loaded_draws_the_same_windows(method, traces, tmp_path):
    fitted = method(seed=5).fit(traces)
    fitted.save(tmp_path / "model")
    loaded = method.load(tmp_path / "model")
    assert (loaded.config, loaded.seed) == (fitted.config, 5)
    ours, theirs = (m.sample(40, np.random.default_rng(1)) for m in (fitted, loaded))
    for name in Windows.columns():
        assert getattr(ours, name).dtype == getattr(theirs, name).dtype
        assert np.array_equal(getattr(ours, name), getattr(theirs, name))
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "model").read_bytes()


@pytest.mark.parametrize("method", [Replay, Markov])
@pytest.mark.parametrize(
    "damage", ["a column is missing", "a column is short", "no captures", "no such window"]
)
def test_a_file_whose_parts_do_not_fit_is_refused(method, damage, traces, tmp_path):
    path = tmp_path / "model"
    method().fit(traces).save(path)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    if damage == "a column is missing":
        del tensors["length"]
    elif damage == "a column is short":
        tensors["length"] = tensors["length"][:-1].clone()
    else:
        model = json.loads(metadata["iotflowgen"])
        if damage == "no captures":
            model["captures"] = []
        else:
            model["config"]["window"] = 1000
        metadata = {"iotflowgen": json.dumps(model)}
    save_file(tensors, path, metadata=metadata)
    with pytest.raises(ModelError, match="fit it again"):
        method.load(path)
