import time

import numpy as np
import pytest
from hypothesis import given

from iotflowgen.encoding import Signature
from iotflowgen.evaluation.metrics import METRICS, signature_rates
from iotflowgen.traffic import Windows
from tests.unit.evaluation.metrics.strategies import random_windows, three

SIGNATURES = [Signature(outgoing=(True, False), shortest=(40, 40), longest=(60, 60))]
EVERY = {**METRICS, "signature_rates": signature_rates(SIGNATURES)}


@given(three())
def test_figures_are_numbers_by_name(sets):
    for metric in EVERY.values():
        figures = metric(*sets)
        assert figures
        assert all(type(value) is float and not np.isnan(value) for value in figures.values())


@pytest.mark.parametrize("name", EVERY)
def test_the_same_windows_give_the_same_figures_and_stay_as_they_are(name):
    sets = [random_windows(40, seed=seed) for seed in range(3)]
    columns = [getattr(windows, column) for windows in sets for column in Windows.columns()]
    before = [column.copy() for column in columns]
    assert EVERY[name](*sets) == EVERY[name](*sets)
    assert all(np.array_equal(a, b) for a, b in zip(before, columns, strict=True))


@pytest.mark.parametrize("name", EVERY)
def test_five_hundred_windows_take_less_than_a_second(name):
    sets = [random_windows(500, seed=seed) for seed in range(3)]
    began = time.process_time()
    EVERY[name](*sets)
    assert time.process_time() - began < 1
