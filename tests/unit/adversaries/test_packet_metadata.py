import numpy as np
import pytest

from iotflowgen.adversaries import PacketMetadata, PacketMetadataConfig
from iotflowgen.evaluation import cross_validate
from iotflowgen.traffic import Windows, cut_windows, draw_places
from tests.conftest import make_trace

QUICK = PacketMetadataConfig(epochs=10)


def adversary(seed=0):
    return PacketMetadata(QUICK, seed=seed)


@pytest.fixture(scope="module")
def windows():
    traces = [make_trace(str(i), i, packets=200) for i in range(6)]
    return cut_windows(traces, draw_places(traces, 400, 10, np.random.default_rng(0)))


def with_column(windows, name, values):
    columns = {column: getattr(windows, column) for column in Windows.columns()}
    return Windows(**{**columns, name: values})


TELLS = {
    "length": lambda w: w.length + 1,
    "outgoing": lambda w: ~w.outgoing,
    "src_port": lambda w: np.where(w.src_port == 443, 8443, w.src_port).astype(np.int32),
    "dst_port": lambda w: np.where(w.dst_port == 443, 8443, w.dst_port).astype(np.int32),
    "protocols": lambda w: w.protocols ^ np.uint16(1),
    "duration_ns": lambda w: w.duration_ns * 30,
}


@pytest.mark.parametrize("column", Windows.columns())
def test_finds_what_gives_any_one_column_away(windows, column):
    synthetic = with_column(windows[200:], column, TELLS[column](windows[200:]))
    found = cross_validate(adversary, windows[:200], synthetic, np.random.default_rng(0))
    assert found.mean > 0.95
    assert len(found.accuracy) == 5


def test_guesses_where_there_is_nothing_to_find(windows):
    found = cross_validate(adversary, windows[:200], windows[200:], np.random.default_rng(0))
    # three standard deviations of 400 tosses, and overlap of windows can only lower it
    assert 0.35 < found.mean < 0.5 + 3 * 0.025


def test_order_alone_gives_windows_away(windows):
    rng = np.random.default_rng(0)
    order = rng.permuted(np.tile(np.arange(10), (200, 1)), axis=1)
    shuffled = Windows(
        *(np.take_along_axis(getattr(windows[200:], c), order, axis=1) for c in Windows.columns())
    )
    assert cross_validate(adversary, windows[:200], shuffled, rng).mean > 0.9


def test_scores_are_probabilities_and_repeat_with_the_seed(windows):
    synthetic = np.arange(400) % 2 == 0
    first, again = (adversary().fit(windows, synthetic).score(windows) for _ in range(2))
    assert np.array_equal(first, again)
    assert np.all((first >= 0) & (first <= 1))
    assert not np.array_equal(first, adversary(1).fit(windows, synthetic).score(windows))


def test_values_never_seen_are_no_error(windows):
    fitted = adversary().fit(windows, np.arange(400) % 2 == 0)
    strange = with_column(windows, "length", windows.length + 7000)
    assert np.isfinite(fitted.score(strange)).all()


def test_unequal_numbers_are_refused(windows):
    with pytest.raises(ValueError, match="200 real and 100 synthetic"):
        cross_validate(adversary, windows[:200], windows[200:300], np.random.default_rng(0))
