"""Labels: which packets are because of what."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.events import Labels, labels_path, read_log
from iotflowgen.traffic import Event, Session
from tests.unit.events.home import BEGIN_NS, S

EVENTS = [Event(BEGIN_NS, "on"), Event(BEGIN_NS + S, "off"), Event(BEGIN_NS + 2 * S, "on")]


def piece(events, flows=None):
    n = len(events)
    ports = np.zeros(n, dtype=np.int32)
    return Session(
        name="stream",
        time_ns=np.arange(n),
        length=np.full(n, 60, dtype=np.int32),
        outgoing=np.ones(n, dtype=bool),
        src_port=ports,
        dst_port=ports,
        protocols=np.zeros(n, dtype=np.uint16),
        source=np.arange(n),
        flow=np.array(flows or [-1] * n),
        event=None if events[0] is None else np.array(events),
    )


def written(labels, path, packets):
    labels.write(path, packets)
    with path.open() as file:
        return [*csv.DictReader(file)]


def test_each_event_has_its_packets_and_flows(tmp_path):
    labels = Labels(EVENTS)
    parts = (
        piece([-1, 0, 0, -1, 2], [-1, 5, 5, -1, 8]),
        piece([None] * 3),
        piece([0, 2, 2], [6, 8, -1]),
    )
    assert sum(map(len, labels.of(parts))) == 11
    rows = written(labels, tmp_path / "a.events.csv", 11)
    told = [(row["event"], row["packets"], row["flows"], row["frames"]) for row in rows]
    assert told == [("on", "3", "2", "2-3 9"), ("off", "0", "0", ""), ("on", "3", "1", "5 10-11")]
    assert read_log(tmp_path / "a.events.csv")[0].events == tuple(EVENTS)


def test_what_was_not_written_is_not_told_of(tmp_path):
    labels = Labels(EVENTS)
    assert len([*labels.of([piece([0, 0, 1, 1])])]) == 1
    rows = written(labels, tmp_path / "a.events.csv", 3)
    assert [row["packets"] for row in rows] == ["2", "1", "0"]


@given(st.lists(st.integers(-1, 2), min_size=1, max_size=40), st.integers(1, 10))
def test_comments_say_the_same_block_by_block(causes, block):
    labels = Labels(EVENTS)
    assert len([*labels.of([piece(causes)])]) == 1
    said = {}
    for first in range(0, len(causes), block):
        numbers = np.arange(first, min(first + block, len(causes)))
        said |= {first + at: text for at, text in labels.comments(numbers).items()}
    assert sorted(said) == [i for i, cause in enumerate(causes) if cause >= 0]
    firsts = {cause: causes.index(cause) for cause in {*causes} - {-1}}
    assert {i for i, text in said.items() if text.startswith("event: ")} == {*firsts.values()}
    assert all(text.endswith(EVENTS[causes[i]].name) for i, text in said.items())


@pytest.mark.parametrize("name", ["a.pcap", "a.parquet", "b/a.csv"])
def test_the_file_stands_beside_the_other(name, tmp_path):
    assert labels_path(tmp_path / name).name == "a.events.csv"
