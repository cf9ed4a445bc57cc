"""Events from a file to a model, and from there into captures, tables and labels."""

import csv
import importlib
import subprocess
import warnings

import numpy as np
import pytest

import iotflowgen as iot
from iotflowgen.events import read_log
from iotflowgen.traffic import Event
from iotflowgen.wire.pcap import read_comments, read_records
from tests.conftest import REPOSITORY
from tests.end_to_end.invoke import invoke

PLUG = REPOSITORY / "samples" / "events" / "plug"
LOG = PLUG / "events.csv"
FEW = pytest.warns(iot.CaptureWarning, match="few captures")


@pytest.fixture(scope="module", autouse=True)
def _outside():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(REPOSITORY / "tests" / "outside")
        yield importlib.import_module("toys")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("events") / "plug.model"
    with warnings.catch_warnings():
        # that some events are followed by nothing, in each recording others
        warnings.simplefilter("ignore")
        fitted = iot.fit(PLUG, events=LOG, generator="toy-events")
    assert fitted.summary()["times"] == {"events.csv": "as noted"}
    fitted.save(path)
    return path


def rows_of(path):
    with path.open() as file:
        return [*csv.DictReader(file)]


def test_the_summary_tells_what_was_learnt(model):
    assert {"button", "toggle", "status"} <= {*iot.load(model).events}


def test_events_happen_when_they_are_to(model, tmp_path):
    out = tmp_path / "evening.pcapng"
    asked = ("--event", "button@18:30", "--event", "toggle@18:31:05", "--comments")
    when = ("--start", "2026-01-01T18:29:00Z", "--duration", "5m")
    done = invoke("generate", model, *asked, *when, "--out", out)
    assert done.returncode == 0, done.stderr
    labels = rows_of(tmp_path / "evening.events.csv")
    assert [row["event"] for row in labels] == ["button", "toggle"]
    assert labels[0]["time"] == "2026-01-01T18:30:00.000000000Z"
    records = read_records(out)
    for row in labels:
        first = int(row["frames"].replace("-", " ").split()[0]) - 1
        since = records.time_ns[first] - np.datetime64(row["time"][:-1]).astype(np.int64)
        assert 0 <= since < 10**9
        assert int(row["packets"]) > 0
    said = [text for _, text in read_comments(out)]
    assert [text for text in said if text.startswith("event:")] == [
        "event: button",
        "event: toggle",
    ]
    assert len(said) == sum(int(row["packets"]) for row in labels)


def test_tshark_shows_the_comments(model, tmp_path):
    out = tmp_path / "a.pcapng"
    when = ("--start", "2026-01-01", "--duration", "2m", "--comments")
    invoke("generate", model, "--event", "button@00:01", *when, "--out", out)
    shown = ["tshark", "-r", out, "-T", "fields", "-e", "frame.number", "-e", "frame.comment"]
    lines = subprocess.run(shown, capture_output=True, text=True, check=True).stdout.splitlines()
    said = [line.split("\t") for line in lines if line.endswith("button")]
    (label,) = rows_of(tmp_path / "a.events.csv")
    assert len(said) == int(label["packets"])
    assert said[0][0] == label["frames"].replace("-", " ").split()[0]


def test_labels_and_comments_are_events_to_learn_from(model, tmp_path):
    out = tmp_path / "again.pcapng"
    times = [f"button@00:{minute:02}:30" for minute in range(1, 30)]
    asked = [word for time in times for word in ("--event", time)]
    when = ("--start", "2026-01-01", "--duration", "31m", "--comments")
    assert invoke("generate", model, *asked, *when, "--out", out).returncode == 0
    (log,) = read_log(tmp_path / "again.events.csv")
    assert len(log.events) == 29
    for source in ("comments", tmp_path / "again.events.csv"):
        with FEW, pytest.warns(iot.CaptureWarning, match="nothing recurs in one capture"):
            again = iot.fit(out, events=source, generator="toy-events")
        assert again.events == {"button": 29}


def test_folders_are_events(tmp_path):
    captures = sorted((REPOSITORY / "samples" / "plug").glob("*.pcapng"))[:8]
    for place, capture in enumerate(captures):
        folder = tmp_path / "captures" / ("on", "off")[place % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / capture.name).symlink_to(capture)
    model = iot.fit(tmp_path / "captures", events="folders", generator="toy-events")
    assert model.events == {"on": 4, "off": 4}


def test_a_schedule_is_drawn_by_the_seed(model, tmp_path):
    schedule = tmp_path / "week.toml"
    schedule.write_text(
        'zone = "Europe/Berlin"\n'
        '[[events]]\nevent = "button"\nat = "07:00"\njitter = "10m"\n'
        '[[events]]\nevent = "toggle"\nhours = ["18:00-22:00"]\nper_hour = 2\n'
        'days = ["sat", "sun"]\n'
    )

    def drawn(seed):
        out = tmp_path / f"{seed}.csv"
        when = ("--start", "2026-01-02", "--duration", "3d", "--seed", seed)
        done = invoke("generate", model, "--schedule", schedule, *when, "--out", out)
        assert done.returncode == 0, done.stderr
        return [(row["time"], row["event"]) for row in rows_of(tmp_path / f"{seed}.events.csv")]

    first = drawn(1)
    assert first == drawn(1) != drawn(2)
    buttons = [time for time, event in first if event == "button"]
    assert [time[8:10] for time in buttons] == ["02", "03", "04"]
    assert all("05:50" <= time[11:16] <= "06:10" for time in buttons)
    toggles = [time for time, event in first if event == "toggle"]
    assert 4 < len(toggles) < 40
    assert all(time[8:10] in ("03", "04") and "17" <= time[11:13] <= "20" for time in toggles)


def test_the_library_takes_pairs_and_gives_labels(model, tmp_path):
    known = iot.load(model)
    start_ns = 1_767_225_600 * 10**9
    events = [Event(start_ns + 10**10, "button"), ("2026-01-01T00:00:20", "toggle")]
    honey = known.generate(events=events, start="2026-01-01", seed=3)
    assert [event.name for event in honey.events] == ["button", "toggle"]
    written = honey.to_parquet(tmp_path / "a.parquet")
    assert written.labels == tmp_path / "a.events.csv"
    # a minute after the last event it ends
    assert written.last_ns <= start_ns + 80 * 10**9


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--event", "dance@18:30"), "'dance' is none of the events it knows: "),
        (("--event", "button"), "'button' is no event such as on@18:30"),
        (("--event", "button@25:00"), "25:00 is no time such as"),
        (("--event", "button@2020-01-01T00:00:00"), "before the first packet"),
        (("--event", "button@00:30", "--duration", "10m"), "after the end"),
        (("--event", "button@00:30", "--sessions", "2"), "say --duration"),
        (("--event", "button@00:30", "--zone", "Mars"), "'Mars' is no time zone"),
        (("--schedule", "none.toml"), "cannot read none.toml"),
    ],
)
def test_what_cannot_happen_is_told_of(model, words, complaint, tmp_path):
    out = tmp_path / "a.pcap"
    done = invoke("generate", model, *words, "--start", "2026-01-01", "--out", out)
    assert done.returncode == 2
    assert complaint in " ".join(done.stderr.split())
    assert not out.exists()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "has no [[events]]"),
        ("[[events]]\nevent = 'button'\n", "say either `at`, or `per_hour`"),
        ("[[events]]\nevent = 'button'\nat = '7 am'\n", "events.0.at.0"),
        ("[[events]]\nevent = 'button'\nper_hour = 1e9\n", "less than or equal to 3600"),
        ("zone = 'Mars'\n[[events]]\nevent = 'button'\nat = '07:00'\n", "'Mars' is no time zone"),
        ("[[events]]\nevent = 'dance'\nat = '07:00'\n", "'dance' is no event that the model knows"),
        ("[[events]]\nevent = 'button'\nper_hour = 3600\n", "more than 1,000,000 events are due"),
        ("[[events", "is no TOML"),
    ],
)
def test_a_schedule_that_cannot_be_is_told_of(model, content, complaint, tmp_path):
    path = tmp_path / "schedule.toml"
    path.write_text(content)
    long = ("--duration", "30d", "--start", "2026-01-01", "--out", tmp_path / "a.pcap")
    done = invoke("generate", model, "--schedule", path, *long)
    assert done.returncode == 2, done.stdout
    assert complaint in " ".join(done.stderr.split())


def test_a_model_that_knows_no_events_says_how_it_would(tmp_path):
    model = tmp_path / "plug.model"
    iot.fit(REPOSITORY / "samples" / "plug", generator="replay").save(model)
    done = invoke("generate", model, "--event", "on@18:30", "--out", tmp_path / "a.pcap")
    assert done.returncode == 2
    assert "knows no events; fit it with the events of its captures (--events)" in done.stderr


def test_a_method_that_learns_no_events_is_told_of(tmp_path):
    how = ("--generator", "replay", "--out", tmp_path / "plug.model")
    done = invoke("fit", PLUG, "--events", LOG, *how)
    assert done.returncode == 2
    assert "replay learns no events" in done.stderr
