"""Which bytes recur in several captures, against a search byte by byte."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.packets.uniques.shingles import SIZE, recurring_bytes

messages = st.lists(st.text("ab", max_size=24).map(str.encode), max_size=8)


def recurring(captures):
    texts = [text for capture in captures for text in capture]
    data = np.frombuffer(b"".join(texts), np.uint8)
    capture = np.repeat(np.arange(len(captures)), [len(each) for each in captures])
    return recurring_bytes(data, np.array([len(t) for t in texts], dtype=np.int64), capture)


def one_by_one(captures):
    around = ["^"] * (SIZE - 1)
    owners = {}
    for number, capture in enumerate(captures):
        for text in capture:
            symbols = [*around, *text, *around]
            for at in range(len(symbols) - SIZE + 1):
                owners.setdefault(tuple(symbols[at : at + SIZE]), set()).add(number)
    for capture in captures:
        for text in capture:
            symbols = [*around, *text, *around]
            for at in range(SIZE - 1, SIZE - 1 + len(text)):
                shingles = (tuple(symbols[i : i + SIZE]) for i in range(at - SIZE + 1, at + 1))
                yield any(len(owners[each]) > 1 for each in shingles)


@given(st.lists(messages, max_size=4))
def test_bytes_recur_that_are_in_a_shingle_of_several_captures(captures):
    assert recurring(captures).tolist() == list(one_by_one(captures))


def test_what_all_messages_begin_and_end_with_recurs_however_short_it_is():
    captures = [[b"\x55\xaa" + bytes(range(at, at + 12)) + b"\xbb"] for at in (30, 60)]
    found = recurring(captures).reshape(2, -1)
    assert found[:, :2].all()
    assert found[:, -1].all()
    assert not found[:, 2:-1].any()
