import numpy as np
import pytest

from iotflowgen.encoding import FIELDS
from iotflowgen.errors import ModeCollapse, TooShort
from iotflowgen.generators import FitWarning, IoTFlow
from iotflowgen.generators.iotflow import _set_aside
from tests.conftest import make_trace
from tests.small import SMALL

CONFIG = SMALL["iotflow"]


@pytest.mark.parametrize("captures", [2, 3, 8, 16])
def test_captures_set_aside_are_not_learnt_from(captures):
    traces = [make_trace(str(i), i) for i in range(captures)]
    seen, unseen = _set_aside(traces, CONFIG, np.random.default_rng(0))
    assert {t.name for t in seen} | {t.name for t in unseen} == {t.name for t in traces}
    assert not {t.name for t in seen} & {t.name for t in unseen}
    assert len(unseen) == max(1, round(0.2 * captures))


def test_of_one_capture_the_end_is_set_aside():
    trace = make_trace("one", 0, packets=40)
    (seen,), (unseen,) = _set_aside([trace], CONFIG, np.random.default_rng(0))
    assert (len(seen), len(unseen)) == (32, 8)
    assert seen.time_ns[-1] < unseen.time_ns[0]
    with pytest.raises(TooShort, match="two captures of 8 packets or one of 16"):
        _set_aside([trace[:15]], CONFIG, np.random.default_rng(0))


def test_short_captures_are_left_out_and_counted():
    traces = [make_trace(str(i), i) for i in range(4)] + [make_trace("short", 9, packets=5)]
    with pytest.warns(FitWarning, match="1 of 5 captures have fewer than 8 packets"):
        fitted = IoTFlow(CONFIG).fit(traces)
    assert 5 not in fitted._captures  # packets each
    # lengths and times of this device have chance in them; the rest comes back
    back = fitted.reconstruction(traces[:4], np.random.default_rng(0))
    assert tuple(back) == FIELDS
    assert min(back[name] for name in ("direction", "protocols", "src_port", "dst_port")) > 0.9


def test_a_generator_that_repeats_itself_is_not_used(traces):
    fitted = IoTFlow(CONFIG).fit(traces)
    generator = fitted._generator
    generator.output.weight.data.zero_()
    generator.output.bias.data.fill_(-50)
    generator.output.bias.data[3] = 50
    with pytest.raises(ModeCollapse, match="repeats itself"):
        fitted.sample(5, np.random.default_rng(0))
