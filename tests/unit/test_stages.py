"""What is put through the stages of the paper's method (`benchmarks/stages.py`)."""

import numpy as np
import pytest
from fit_tables import selected
from fit_tables import stages as table
from stages import _chained, _distinct, _entropy, _numbered

from iotflowgen.encoding import Codec, CodecConfig
from iotflowgen.evaluation import trials
from iotflowgen.traffic import cut_windows, draw_window_starts
from tests.conftest import make_trace


def test_a_chain_over_codes_begins_as_windows_do_and_uses_their_codes():
    rng = np.random.default_rng(0)
    codes = np.concatenate([np.full((50, 1), 7), rng.integers(0, 5, (50, 9))], axis=1)
    drawn = _chained(codes, 80, rng)
    assert drawn.shape == (80, 10)
    assert (drawn[:, 0] == 7).all()
    assert set(drawn.ravel().tolist()) <= set(codes.ravel().tolist())


def test_entropies_are_bits_and_runs_are_counted_once():
    packet = np.repeat(np.arange(4), 8)[None]
    code = np.arange(32)[None]
    assert _entropy(packet) == pytest.approx(2)
    assert _entropy(packet, code) - _entropy(packet) == pytest.approx(3)
    assert _distinct(np.zeros((5, 20), dtype=np.int64)) == pytest.approx(1 / 85)
    assert _distinct(np.arange(100).reshape(5, 20)) == 1


def test_no_window_finds_itself_among_the_captures():
    traces = [make_trace(str(i), i) for i in range(6)]
    ground = trials("paper", traces, np.random.default_rng(0), window=8, windows=50)[0]
    places = draw_window_starts(traces, 50, 8, np.random.default_rng(1))
    codec = Codec.fit(traces, places, CodecConfig(), 0)
    windows = cut_windows(traces, places)
    classes = codec.length_classes(windows.length)
    back = codec.decode(codec.encode(traces, places), classes, np.random.default_rng(2))
    found = _numbered(back, codec, ground, places, np.random.default_rng(3))
    assert np.array_equal(found.length, windows.length)
    own = windows.src_port
    ephemeral = ~np.isin(own, codec.ports.constants)
    assert np.array_equal(found.src_port[~ephemeral], own[~ephemeral])
    assert (found.src_port[ephemeral] != own[ephemeral]).all()
    captured = {int(port) for trace in traces for port in trace.src_port}
    assert set(found.src_port[ephemeral].tolist()) <= captured


def test_tables_hold_what_was_found():
    heads, rows = table(
        [
            {"device": "plug", "accuracy": {"genuine": 0.5}},
            {"device": "hub", "accuracy": {"genuine": 0.4, "SeqGAN's codes": 0.75}},
        ]
    )
    assert heads == ["device", "genuine", "SeqGAN's codes"]
    assert rows == [("plug", "50.0%", ""), ("hub", "40.0%", "75.0%")]
    cells = [
        {"generator": "iotflow", "device": "plug", "least": least} for least in (0.6, 0.55, 0.58)
    ]
    assert selected(cells) == {"iotflow": {"plug": 0.55}}
