import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iotflowgen.generators import DoppelGANger, DoppelGANgerConfig
from iotflowgen.generators.doppelganger import _Features
from iotflowgen.traffic import Windows, cut_windows, every_window_start
from tests.conftest import make_trace
from tests.small import SMALL

CONFIG = SMALL["doppelganger"]
QUICK = CONFIG.model_copy(update={"networks": CONFIG.networks.model_copy(update={"steps": 5})})
TRACES = [make_trace(str(seed), seed) for seed in range(4)]
WINDOWS = cut_windows(TRACES, every_window_start(TRACES, 8))


def features(windows: Windows, **settings) -> _Features:
    return _Features.fit(TRACES, windows, CONFIG.model_copy(update=settings))


def with_durations(duration_ns: np.ndarray) -> Windows:
    columns = {name: getattr(WINDOWS[: len(duration_ns)], name) for name in Windows.columns()}
    return Windows(**{**columns, "duration_ns": duration_ns.astype(np.int64)})


def there_and_back(fitted: _Features, windows: Windows) -> Windows:
    return fitted.decode(fitted.encode(windows))


def test_what_is_coded_comes_back():
    back = there_and_back(features(WINDOWS), WINDOWS)
    for name in ("length", "outgoing", "protocols"):
        assert np.array_equal(getattr(back, name), getattr(WINDOWS, name))
    # 123 and 443 are constants, the device's own port is not
    for name in ("src_port", "dst_port"):
        known = np.isin(getattr(WINDOWS, name), [123, 443])
        assert np.array_equal(getattr(back, name)[known], getattr(WINDOWS, name)[known])


@settings(max_examples=30)
@given(
    durations=st.lists(
        st.lists(st.integers(0, 10**12), min_size=8, max_size=8), min_size=1, max_size=5
    ),
    axis=st.sampled_from(["logarithmic", "linear"]),
)
def test_durations_come_back_and_are_coded_between_0_and_1(durations, axis):
    windows = with_durations(np.array(durations))
    fitted = features(windows, durations=axis)
    series = fitted.encode(windows)
    for numbers in (series.value, series.attributes):
        assert float(numbers.min()) >= -1e-3
        assert float(numbers.max()) <= 1 + 1e-3
    back = there_and_back(fitted, windows).duration_ns
    # single precision of the range
    slack = 1e-5 * windows.duration_ns.max() if axis == "linear" else 10
    assert np.allclose(back, windows.duration_ns, rtol=1e-3, atol=slack + 1)


def test_a_port_a_category_keeps_every_number():
    ports = CONFIG.ports.model_copy(update={"recurrence": 0})
    back = there_and_back(features(WINDOWS, ports=ports), WINDOWS)
    assert np.array_equal(back.src_port, WINDOWS.src_port)
    assert np.array_equal(back.dst_port, WINDOWS.dst_port)


@pytest.mark.parametrize("ephemeral", ["recur", "fresh"])
def test_ports_recur_or_are_new(ephemeral):
    config = DoppelGANgerConfig.model_validate(
        {**QUICK.model_dump(), "ports": {"ephemeral": ephemeral}}
    )
    drawn = DoppelGANger(config).fit(TRACES).sample(300, np.random.default_rng(0))
    seen = {port for trace in TRACES for port in (*trace.src_port, *trace.dst_port)}
    ports = np.concatenate([drawn.src_port, drawn.dst_port]).ravel()
    recur = np.isin(ports[~np.isin(ports, [0, 123, 443])], [*seen])
    # a network that is not trained shows more ports a window than the captures have
    assert recur.mean() > 0.5 if ephemeral == "recur" else recur.mean() < 0.05


def test_a_report_says_what_was_learnt_from():
    report = DoppelGANger(QUICK).fit(TRACES).report
    assert report.windows == 200
    assert report.vocabulary["direction"] == 2
    assert report.vocabulary["length"] == len(np.unique(WINDOWS.length))
    assert report.training.steps == 5
