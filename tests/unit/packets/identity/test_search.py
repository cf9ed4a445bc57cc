"""Texts are found in data, all at once."""

from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.packets.identity.search import find_all

TEXTS = st.text("ab", min_size=1, max_size=12).map(str.encode)


@given(st.text("abc", max_size=60).map(str.encode), st.sets(TEXTS, max_size=6))
def test_all_places_of_all_texts_are_found(data, texts):
    expected = {
        (at, text)
        for text in texts
        if len(text) >= 4
        for at in range(len(data))
        if data.startswith(text, at)
    }
    assert {*find_all(data, texts)} == expected
    assert len([*find_all(data, texts)]) == len(expected)


def test_what_would_be_found_everywhere_is_let_be():
    assert [*find_all(b"::9 abcd", {b"::9", b"", b"abcd"})] == [(4, b"abcd")]
