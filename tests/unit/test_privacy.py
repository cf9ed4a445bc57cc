"""How runs of payload are compared (`benchmarks/privacy.py`)."""

from hypothesis import given
from hypothesis import strategies as st
from privacy import Texts, longest_run

MESSAGES = st.lists(st.text("ab", max_size=12).map(str.encode), max_size=4)


@given(MESSAGES, MESSAGES)
def test_the_longest_run_is_that_of_the_longest_common_string(one, other):
    runs = [{m[i:j] for m in of for j in range(13) for i in range(j)} for of in (one, other)]
    common = runs[0] & runs[1]
    assert longest_run(Texts(one), Texts(other)) == max(map(len, common), default=0)
