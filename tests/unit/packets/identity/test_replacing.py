"""Texts are replaced within frames, all at once."""

import re

from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.packets.identity.replacing import replace_all, replace_tails
from iotflowgen.wire import Frames

KEYS = st.text("ab", min_size=4, max_size=7).map(str.encode)


def replaced(frames, pairs, replace=replace_all):
    found = Frames.of(frames)
    replace(found, pairs)
    return found.tolist()


@given(st.lists(st.text("abc", max_size=40).map(str.encode)), st.sets(KEYS, max_size=6))
def test_the_first_and_of_these_the_longest_are_replaced_as_an_expression_would(frames, keys):
    pairs = {key: b"%0*d" % (len(key), i) for i, key in enumerate(sorted(keys))}
    pattern = b"|".join(sorted(keys, key=len, reverse=True)) or b"(?!)"
    expected = [re.sub(pattern, lambda match: pairs[match[0]], frame) for frame in frames]
    assert replaced(frames, pairs) == expected


def test_nothing_is_found_across_two_frames():
    assert replaced([b"abcd", b"efgh", b"", b"cdef"], {b"cdef": b"1234", b"hcde": b"5678"}) == [
        *(b"abcd", b"efgh", b""),
        b"1234",
    ]


def test_a_pointer_in_dns_is_no_address():
    pairs = {b"\xc0\x0c\0\x01": b"1234"}
    frames = [b"..\xc0\x0c\0\x01\0\x01..", b"..\xc0\x0c\0\x01\0\x02..", b"\xc0\x0c\0\x01"]
    assert replaced(frames, pairs) == [frames[0], b"..1234\0\x02..", b"1234"]


def test_ends_of_addresses_are_replaced_where_they_stand_by_themselves():
    pairs = {b"3f2a": b"9e0b", b"883f2a": b"119e0b"}
    frames = [
        b"plug-3f2a",
        b"PLUG-3F2A.local",
        b"13f2a",
        b"3f2a1",
        b"_883F2a_",
        b"3f2a7\x02",
        b"3f",
    ]
    assert replaced(frames, pairs, replace_tails) == [
        *(b"plug-9e0b", b"PLUG-9E0B.local", b"13f2a", b"3f2a1", b"_119E0B_", b"9e0b7\x02", b"3f")
    ]


def test_what_would_be_found_everywhere_is_let_be():
    pairs = {b"::9": b"::f", b"": b"", b"abcd": b"1234"}
    assert replaced([b"::9 abcd"], pairs) == [b"::9 1234"]


def test_there_may_be_nothing_to_do():
    for replace in (replace_all, replace_tails):
        assert replaced([], {b"abcd": b"1234"}, replace) == []
        assert replaced([b"", b"ab"], {b"abcd": b"1234"}, replace) == [b"", b"ab"]
        assert replaced([b"abcd"], {}, replace) == [b"abcd"]
