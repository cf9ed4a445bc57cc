"""Files of events, as people and programs write them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.errors import ArgumentError
from iotflowgen.events import EventWarning, iso, read_log, read_moment, zone_of
from tests.unit.events.home import write_csv

NOON = datetime(2026, 1, 1, 12, 0, 5, 250_000, UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T12:00:05.25Z",
        "2026-01-01T13:00:05.25+01:00",
        "2026-01-01 13:00:05,250",
        "1767268805.25",
    ],
)
def test_a_time_is_read(text, tmp_path):
    path = write_csv(tmp_path / "events.csv", [f'"{text}",on'])
    ((event,),) = (log.events for log in read_log(path, zone_of("Europe/Berlin")))
    assert event == (int(NOON.timestamp() * 1000) * 10**6, "on")


@given(st.integers(10**18, 4 * 10**18))
def test_times_come_back_to_the_nanosecond(time_ns):
    assert read_moment(iso(time_ns), None).time_ns == time_ns


def test_times_of_a_sheet_are_read_and_of_minutes(tmp_path):
    rows = ['"January 01, 2026 at 01:00PM",on']
    (log,) = read_log(write_csv(tmp_path / "e.csv", rows), zone_of("+01:00"))
    assert log.events[0].time_ns == datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp() * 1e9
    assert log.to_minutes


def test_clocks_that_change_are_told_of(tmp_path):
    rows = ["2026-03-29T02:30:00,on", "2026-10-25T02:30:00,off"]
    path = write_csv(tmp_path / "e.csv", rows)
    with pytest.warns(EventWarning) as told:
        (log,) = read_log(path, zone_of("Europe/Berlin"))
    assert "have never shown 1 of the times" in str(told[0].message)
    assert "have shown 1 of the times twice" in str(told[1].message)
    assert [iso(event.time_ns)[:16] for event in log.events] == [
        "2026-03-29T01:30",
        "2026-10-25T00:30",
    ]


def test_columns_may_stand_anywhere_and_logs_are_told_apart(tmp_path):
    rows = ["app,on,x,1767268805", "button,off,y,1767268806", "app,off,z,1767268807"]
    path = write_csv(tmp_path / "e.csv", rows, head="log,event,note,time")
    logs = read_log(path)
    assert [(log.name, len(log.events)) for log in logs] == [
        ("e.csv (app)", 2),
        ("e.csv (button)", 1),
    ]


def test_one_of_several_devices_is_chosen(tmp_path):
    rows = ["1767268805,on,plug", "1767268806,on,lamp"]
    path = write_csv(tmp_path / "e.csv", rows, head="time,event,device")
    with pytest.raises(ArgumentError, match="--events-device: lamp, plug"):
        read_log(path)
    (log,) = read_log(path, device="lamp")
    assert log.events[0].time_ns == 1_767_268_806 * 10**9
    with pytest.raises(ArgumentError, match="tells nothing of 'hub', but of: lamp, plug"):
        read_log(path, device="hub")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "needs the columns time and event in its first line; it is empty"),
        ("when,what\n1,on\n", "it has when, what"),
        ("time,event\n", "has no events"),
        ("time,event\n2026-01-01T12:00:00,on\n", "line 2: .* names no time zone; say which with"),
        ("time,event\nyesterday,on\n", "line 2: yesterday is no time such as"),
        ("time,event\n2026-01-01,on\n", "line 2: 2026-01-01 is no time"),
        ("time,event\n1767268805,\n", "line 2: '' is no name of an event"),
        ("time,event\n1767268805,a@b\n", "'a@b' is no name of an event"),
        ("time,event\n1767268805\n", "line 2: 1 columns, not 2"),
        ("time,event\n\n1767268805,on,x\n", "line 3: 3 columns, not 2"),
        ("time,event\n9999-01-01T00:00:00Z,on\n", "is not of a year"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(content, complaint, tmp_path):
    path = tmp_path / "events.csv"
    path.write_text(content)
    with pytest.raises(ArgumentError, match=complaint):
        read_log(path)


def test_a_file_that_is_none_is_told_of(tmp_path):
    with pytest.raises(ArgumentError, match="cannot be read: No such file"):
        read_log(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ArgumentError, match="is no CSV"):
        read_log(tmp_path / "binary.csv")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "+25:00", "../etc/passwd", ""])
def test_a_zone_that_is_none_is_told_of(zone):
    with pytest.raises(ArgumentError, match="is no time zone"):
        zone_of(zone)
