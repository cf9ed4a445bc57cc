"""Streams beside each other are what each is by itself."""

from itertools import islice

import pytest

import iotflowgen as iot
from tests.conftest import REPOSITORY

COLUMNS = ("time_ns", "length", "outgoing", "src_port", "dst_port", "protocols", "source", "flow")
SEEDS = range(5)


@pytest.fixture(scope="module")
def model():
    return iot.fit(REPOSITORY / "samples" / "plug")


def said(pieces):
    return [[getattr(piece, name).tolist() for name in COLUMNS] for piece in pieces]


def test_a_stream_does_not_depend_on_those_beside_it(model):
    start_of = model.streams(at_once=300)
    streams = [start_of(seed, "2026-01-01") for seed in SEEDS]
    pieces = [[] for _ in SEEDS]
    # one is dropped, one begins late, and nobody keeps pace with the others
    for turn in (0, 1, 1, 2, 0, 3, 1, 3, 2, 0, 2, 3):
        pieces[turn].append(next(streams[turn]))
    streams[0] = None
    pieces[4] += islice(streams[4], 3)
    for seed in SEEDS:
        alone = islice(model.stream(seed=seed, start="2026-01-01", at_once=300), 3)
        assert said(pieces[seed]) == said(alone)
