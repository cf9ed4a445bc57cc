from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.recording import Groups

ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(-(2**31), 2**31), st.booleans()), max_size=40
)


def one_by_one(rows):
    """What `Groups` says of all rows at once, looked up in a dictionary row by row."""
    sums, last, tops, places = defaultdict(int), {}, {}, {}
    for place, (key, value, marked) in enumerate(rows):
        before = last.get(key, -7)
        sums[key] += value
        last[key] = value
        tops[key] = max(tops.get(key, value), value)
        if marked:
            places[key] = place
        yield before == -7 or before, sums[key], before, tops[key], places.get(key, -1)


@given(ROWS)
def test_groups_say_what_looking_at_one_row_after_the_other_says(rows):
    key, value, marked = (np.array([row[i] for row in rows], dtype=np.int64) for i in range(3))
    groups = Groups(key)
    said = [
        groups.sum(value),
        groups.previous(value, -7),
        groups.greatest(value),
        groups.latest(marked.astype(bool)),
    ]
    expected = [list(column) for column in zip(*one_by_one(rows), strict=True)][1:]
    assert [column.tolist() for column in said] == (expected or [[]] * 4)


def test_numbers_tell_groups_apart_and_firsts_begin_them():
    groups = Groups(np.array([9, 3, 9, 3, 5]))
    assert groups.number.tolist() == [2, 0, 2, 0, 1]
    assert groups.is_first.tolist() == [True, True, False, False, True]


BOUNDS = st.lists(st.tuples(st.integers(0, 4), *[st.integers(-9, 9)] * 3), max_size=40)


@given(BOUNDS)
def test_what_is_clamped_is_what_clamping_one_row_after_the_other_gives(rows):
    key, low, high, step = (np.array([row[i] for row in rows], dtype=np.int64) for i in range(4))
    groups = Groups(key)
    low, high = np.minimum(low, high), np.where(groups.is_first, np.minimum(low, high), high)
    high = np.maximum(low, high)
    said, last = groups.clamped(low, high, step), {}
    for row, of in enumerate(key.tolist()):
        last[of] = min(max(last.get(of, 0) + step[row], low[row]), high[row])
        assert said[row] == last[of]
