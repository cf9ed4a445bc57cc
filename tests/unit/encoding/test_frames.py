import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.encoding import FrameEncoder, Signature
from tests.unit.encoding.strategies import packets

signatures = st.lists(
    st.integers(1, 4).flatmap(
        lambda size: st.builds(
            lambda outgoing, low, span: Signature(
                outgoing=tuple(outgoing),
                shortest=tuple(low),
                longest=tuple(a + b for a, b in zip(low, span, strict=True)),
            ),
            st.lists(st.booleans(), min_size=size, max_size=size),
            st.lists(st.sampled_from([40, 54, 60, 90, 300]), min_size=size, max_size=size),
            st.lists(st.integers(0, 10), min_size=size, max_size=size),
        )
    ),
    max_size=6,
)


@given(packets(), packets(), signatures)
def test_decoding_gives_ranges_that_contain_the_true_lengths(fitted, other, found):
    encoder = FrameEncoder.fit(found, *fitted)
    for length, outgoing, runs in (fitted, other):
        shortest, longest = encoder.decode(encoder.encode(length, outgoing, runs))
        assert np.all((shortest <= length) & (length <= longest))


@given(packets(), signatures)
def test_every_window_is_covered_exactly(fitted, found):
    """Signatures stand whole and in order, never overlap, and only where they match."""
    _, outgoing, runs = fitted
    encoder = FrameEncoder.fit(found, *fitted)
    starts = np.cumsum([1 + len(encoder.lone_lengths), *map(len, encoder.signatures)])
    for row, tokens in enumerate(encoder.encode(*fitted)):
        assert np.all((tokens >= 0) & (tokens < encoder.size))
        assert np.all(tokens[~runs[row]] < starts[0])
        covered = tokens[runs[row]]
        place = 0
        while place < len(covered):
            if covered[place] < starts[0]:
                place += 1
                continue
            which = np.searchsorted(starts, covered[place], side="right") - 1
            size = len(encoder.signatures[which])
            run = covered[place : place + size]
            assert run.tolist() == list(range(starts[which], starts[which] + size))
            directions = outgoing[row, runs[row]][place : place + size]
            assert directions.tolist() == list(encoder.signatures[which].outgoing)
            place += size


def recursive_cover(lengths, outgoing, signatures, first=0):
    """Section 4.2 to the letter for one window: (signature, index) or None for each packet."""
    for number, s in enumerate(signatures):
        for place in range(len(lengths) - len(s) + 1):
            here = range(len(s))
            if all(
                outgoing[place + i] == s.outgoing[i]
                and s.shortest[i] <= lengths[place + i] <= s.longest[i]
                for i in here
            ):
                end = place + len(s)
                return (
                    recursive_cover(lengths[:place], outgoing[:place], signatures)
                    + [(number, i) for i in here]
                    + recursive_cover(lengths[end:], outgoing[end:], signatures)
                )
    return [None] * len(lengths)


@given(packets(), signatures)
def test_covers_as_the_recursion_of_the_paper_does(fitted, found):
    length, outgoing, runs = fitted
    encoder = FrameEncoder.fit(found, *fitted)
    starts = np.cumsum([1 + len(encoder.lone_lengths), *map(len, encoder.signatures)])
    for row, tokens in enumerate(encoder.encode(*fitted)):
        expected = recursive_cover(
            length[row, runs[row]].tolist(), outgoing[row, runs[row]].tolist(), encoder.signatures
        )
        for token, cover in zip(tokens[runs[row]], expected, strict=True):
            if cover is None:
                assert token < starts[0]
            else:
                assert token == starts[cover[0]] + cover[1]


def test_the_signature_that_explains_more_packets_covers_first():
    once = Signature(outgoing=(True, False), shortest=(100, 60), longest=(100, 60))
    often = Signature(outgoing=(False, True), shortest=(60, 90), longest=(60, 90))
    length = np.array([[100, 60, 90], [7, 60, 90], [7, 60, 90]], dtype=np.int32)
    outgoing = np.array([[1, 0, 1]] * 3, dtype=bool)
    encoder = FrameEncoder.fit([once, often], length, outgoing, np.ones_like(outgoing))
    assert encoder.signatures == (often,)
    assert len(set(encoder.encode(length, outgoing, np.ones_like(outgoing))[:, 1])) == 1


def test_a_length_never_seen_has_the_token_of_rare_orphans():
    length = np.array([[60, 60, 70, 70, 80]], dtype=np.int32)
    outgoing = np.zeros_like(length, dtype=bool)
    encoder = FrameEncoder.fit([], length, outgoing, ~outgoing)
    assert encoder.lone_lengths == (60, 70)
    assert encoder.encode(length + 1, outgoing, ~outgoing).tolist() == [[0, 0, 0, 0, 0]]
    assert encoder.encode(length, outgoing, ~outgoing).tolist() == [[1, 1, 2, 2, 0]]
