"""Values are told by how many were made up since, and come back."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.packets.datagrams.exchanges import count_on, recurring, refer, resolve
from iotflowgen.packets.memory import Memory

mentions = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 5), st.booleans()), max_size=40)


def resolved(told, sizes):
    """Their values, encoded and decoded in blocks of these sizes; only made-up ones are given."""
    key, value = (np.array([each[i] for each in told], dtype=np.int64) for i in (0, 1))
    asks = np.array([each[2] for each in told], dtype=bool)
    back = refer(key, value, asks)
    memory, parts, first = Memory(), [np.empty(0, dtype=np.int64)], 0
    while first < len(told):
        of = slice(first, first + next(sizes))
        given = np.where(back < 0, value, 0)
        parts.append(resolve("x", memory, key[of], asks[of], back[of], given[of]))
        first = of.stop
    return value, np.concatenate(parts)


@given(mentions, st.integers(1, 7))
def test_values_come_back_whatever_the_blocks(told, size):
    value, again = resolved(told, iter(lambda: size, None))
    np.testing.assert_array_equal(again, value)


def test_what_was_never_made_up_refers_to_nothing():
    asks = np.array([True, False, False])
    back = refer(np.zeros(3, dtype=np.int64), np.array([5, 5, 6]), asks)
    assert back.tolist() == [-1, 0, -1]


def test_where_fewer_were_made_up_the_first_is_repeated():
    key, asks = np.zeros(2, dtype=np.int64), np.array([True, False])
    back = np.array([-1, 3], dtype=np.int32)
    assert resolve("x", Memory(), key, asks, back, np.array([7, 8])).tolist() == [7, 7]
    assert resolve("x", Memory(), key[1:], asks[1:], back[1:], np.array([8])).tolist() == [8]


def test_numbers_count_on_from_block_to_block():
    memory, key = Memory(), np.array([0, 1, 0])
    steps, begins, first = np.array([2, 2, 2]), np.array([False, True, False]), np.array([5, 9, 5])
    assert count_on("x", memory, key, steps, begins, first).tolist() == [5, 9, 7]
    assert count_on("x", memory, key, steps, begins, first).tolist() == [9, 9, 11]


def test_values_recur_that_captures_more_than_one_show():
    shown = recurring(np.array([1, 1, 2, 2, 3]), np.array([0, 0, 0, 1, 1]))
    assert shown.tolist() == [False, False, True, True, False]
