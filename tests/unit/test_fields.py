"""What is said of single header fields: nothing where packets are alike, and what is shifted."""

from dataclasses import replace

import numpy as np
import pytest
from fields import Comparison, Packets, accuracies, beside, by_kind, pieces, rows, shares

from iotflowgen.evaluation import trials

ASKS, ANSWERS = 2 * 64 + 1, 2 * 64  # tcp, sent and received
NAMES = ("flags", "size", "number", "option")


def packets(seed, asks=400, answers=400):
    """A few values, many, numbers at random, and one that half the packets lack."""
    rng = np.random.default_rng(seed)
    kind = np.repeat([ASKS, ANSWERS], [asks, answers])
    n = len(kind)
    sent = kind % 2
    flags = np.where(sent, 24, rng.choice([16, 24], n))
    size = rng.integers(100, 200, n) + 1000 * sent
    option = np.where(sent, 8.0, np.nan)
    fields = np.column_stack([flags, size, rng.integers(0, 2**16, n), option])
    return Packets(kind, fields.astype(np.float32))


def changed(of, field, change):
    fields = of.fields.copy()
    fields[:, field] = change(fields[:, field])
    return Packets(of.kind, fields)


def order(generated, unseen, train):
    nothing = np.full((2, len(NAMES)), 0.5)
    return rows(NAMES, [Comparison([by_kind(generated, unseen, train)], 1, nothing)])


def distances(generated, unseen, train):
    return sum(by_kind(generated, unseen, train).values())


def test_the_same_packets_are_no_distance_apart():
    same = packets(0)
    assert not distances(same, same, same).any()
    assert not any(row["kinds"] for row in order(same, same, same))


def test_packets_of_one_source_are_about_as_far_as_the_control():
    generated, control = distances(packets(0), packets(1), packets(2))
    assert np.abs(generated - control).max() < 0.05
    # numbers at random are other ones each time
    assert generated.max() < 0.25


@pytest.mark.parametrize("field", range(len(NAMES)))
@pytest.mark.parametrize(
    "change",
    [
        lambda values: values + 2.0**17,
        lambda values: np.where(np.isnan(values), 8, np.nan),
        lambda values: np.full_like(values, 7),
    ],
    ids=["shifted", "missing", "constant"],
)
def test_the_field_that_differs_comes_first(field, change):
    found = order(changed(packets(0), field, change), packets(1), packets(2))
    assert found[0]["field"] == NAMES[field]
    assert found[0]["packets"]["excess"] > 0.4
    assert all(row["packets"]["excess"] < 0.1 for row in found[1:])


def test_a_field_is_said_to_differ_in_the_kind_in_which_it_does():
    of = packets(0)
    found = order(changed(of, 1, lambda size: size + 500 * (of.kind == ANSWERS)), of, of)
    assert found[0]["field"] == "size"
    assert found[0]["packets"] == {"generated": 0.5, "control": 0, "excess": 0.5}
    assert found[0]["kinds"] == {"tcp, received": 0.5}


def test_how_many_packets_there_are_of_which_kind_does_not_count():
    unseen = packets(1)
    asks = Packets(*(np.concatenate([each, each[unseen.kind == ASKS]]) for each in unseen))
    assert not distances(asks, unseen, unseen).any()


def test_a_kind_of_which_there_are_too_few_packets_is_not_compared():
    kinds = by_kind(packets(0, answers=5), packets(1), packets(2))
    assert [*kinds] == [ASKS]
    # the control is of the same kinds
    assert kinds[ASKS].max() <= 0.5


def test_values_that_are_frequent_have_bins_of_their_own():
    first, second = np.array([1.0, 2, 2, np.nan]), np.array([2.0, 2, 3, 3])
    found = shares([first, second])
    assert found.sum(axis=1) == pytest.approx([1, 1])
    assert np.abs(found[0] - found[1]).sum() / 2 == pytest.approx(0.5)
    assert found[0, -1] == 0.25


def test_values_between_quantiles_are_roughly_told_apart():
    rng = np.random.default_rng(0)
    low, high = rng.random(1000), rng.random(1000) + 0.5
    found = shares([low, high])
    assert np.abs(found[0] - found[1]).sum() / 2 == pytest.approx(0.5, abs=0.06)
    assert found.shape[1] < 100


def test_columns_that_no_packet_has_are_alike():
    nothing = np.full(30, np.nan)
    assert (shares([nothing, nothing])[:, -1] == 1).all()


@pytest.fixture
def with_fields(traces):
    """Traces whose headers are their frame lengths, and numbers at random."""
    rng = np.random.default_rng(0)
    return [
        replace(
            trace,
            headers=np.column_stack([trace.length, rng.random(len(trace))]).astype(np.float32),
        )
        for trace in traces
    ]


def test_windows_are_told_by_the_field_that_differs(with_fields):
    (ground,) = trials("held-out", with_fields, np.random.default_rng(1), windows=100, splits=1)
    more = np.array([9, 0], dtype=np.float32)
    longer = [replace(trace, headers=np.add(trace.headers, more)) for trace in ground.train]
    found = beside(ground, longer, np.random.default_rng(2))
    assert found.windows.shape == (2, 2)
    assert found.windows[0, 0] > 0.95
    assert found.windows[1, 0] < 0.7
    assert found.windows[:, 1] == pytest.approx([0.5, 0.5], abs=0.15)
    first, _ = rows(("length", "random"), [found, found])
    assert first["field"] == "length"
    assert first["windows"]["excess"] > 0.25


def test_sessions_are_compared_as_many_at_a_time_as_captures(with_fields):
    (ground,) = trials("held-out", with_fields, np.random.default_rng(1), windows=100, splits=1)
    found = beside(ground, 3 * ground.train, np.random.default_rng(2))
    assert len(found.packets) == 3
    assert found.compared == 1


def test_captures_of_g_are_as_far_from_h_as_the_control(with_fields):
    (ground,) = trials("held-out", with_fields, np.random.default_rng(1), windows=100, splits=1)
    found = beside(ground, ground.train, np.random.default_rng(2))
    said = rows(("length", "random"), [found])
    assert [row["packets"]["excess"] for row in said] == [0, 0]
    assert said[0]["packets"]["control"] > 0


def test_a_capture_is_cut_into_pieces_that_are_all_of_it(with_fields):
    of = with_fields[0]
    found = pieces(of, 7)
    assert len(found) == 7
    assert {len(piece) for piece in found} == {8, 9}
    assert (np.concatenate([piece.headers for piece in found]) == of.headers).all()


def test_being_misled_is_no_better_than_guessing():
    same = by_kind(packets(0), packets(0), packets(0))
    told = np.array([[0.4, 0.6, 0.7, 0.3], [0.3, 0.4, 0.6, 0.6]])
    found = {
        row["field"]: row["windows"]["excess"] for row in rows(NAMES, [Comparison([same], 1, told)])
    }
    assert found == pytest.approx({"flags": 0, "size": 0.1, "number": 0.1, "option": -0.1})


def test_windows_without_headers_are_refused(traces):
    (ground,) = trials("held-out", traces, np.random.default_rng(1), windows=50, splits=1)
    with pytest.raises(ValueError, match="without headers"):
        accuracies(ground, ground.control)
