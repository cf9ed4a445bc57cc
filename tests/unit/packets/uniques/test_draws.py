"""Other values look as those did that they are drawn instead of."""

import string

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.packets.uniques.draws import draw
from iotflowgen.packets.uniques.values import Kind

seeds = st.integers(0, 2**32)


def drawn(kind, old, seed, free=None):
    free = np.ones(len(old), dtype=bool) if free is None else free
    return draw(kind, old, free, np.random.default_rng(seed)).tobytes()


@given(st.from_regex(rb"[0-9A-Za-z]{1,30}", fullmatch=True), seeds)
def test_letters_stay_letters_of_their_case_and_digits_digits(old, seed):
    new = drawn(Kind.TEXT, old, seed)
    assert len(new) == len(old)
    kinds = (bytes.isdigit, bytes.islower, bytes.isupper)
    for was, is_ in zip(old, new, strict=True):
        assert [kind(bytes([was])) for kind in kinds] == [kind(bytes([is_])) for kind in kinds]
    if set(old) <= set(string.hexdigits.encode()):
        assert set(new) <= set(string.hexdigits.encode())


@given(st.integers(0, 10**20), seeds)
def test_numbers_stay_what_they_may_mean(number, seed):
    old = str(number).encode()
    new = drawn(Kind.TEXT, old, seed)
    assert len(new) == len(old)
    assert all(int(new) <= most for most in (9, 59, 255, 65_535) if number <= most)
    assert new == b"0" or not new.startswith(b"0")


@given(st.binary(min_size=1, max_size=40), seeds, st.data())
def test_bytes_that_are_printable_stay_so_and_others_do_not_become_so(old, seed, data):
    old = old.replace(b"\0", b"\1")
    free = data.draw(st.lists(st.booleans(), min_size=len(old), max_size=len(old)))
    new = drawn(Kind.BYTES, old, seed, np.array(free))
    for was, is_, may in zip(old, new, free, strict=True):
        assert [was >= 32, was >= 127] == [is_ >= 32, is_ >= 127]
        assert may or was == is_
        assert is_


@given(st.integers(0, 2**32 - 1), seeds)
def test_numbers_of_bytes_stay_near(number, seed):
    new = int.from_bytes(drawn(Kind.NUMBER, number.to_bytes(4), seed))
    assert number // 2 <= new <= 2 * number + 1
