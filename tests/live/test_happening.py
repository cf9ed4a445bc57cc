"""What happens to decoys: by a schedule, and because somebody says so."""

import csv
import json
import time
import warnings

import numpy as np
import pytest
from pydantic import ValidationError

import iotflowgen as iot
from iotflowgen.errors import ArgumentError
from iotflowgen.live import Composer, Decoy, Home, read_home
from tests.conftest import REPOSITORY
from tests.end_to_end.invoke import invoke

START_NS = 1_767_225_600 * 10**9  # 2026-01-01T00:00:00Z
OUTSIDE = REPOSITORY / "tests" / "outside"
PLUG = REPOSITORY / "samples" / "events" / "plug"


@pytest.fixture(scope="module", autouse=True)
def _outside():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(OUTSIDE)
        patch.setenv("PYTHONPATH", str(OUTSIDE), prepend=":")
        yield


@pytest.fixture(scope="module")
def plug(tmp_path_factory):
    path = tmp_path_factory.mktemp("happening") / "plug.model"
    with warnings.catch_warnings():
        # that some events are followed by nothing, in each recording others
        warnings.simplefilter("ignore")
        iot.fit(PLUG, events=PLUG / "events.csv", generator="toy-events").save(path)
    return path


def home(plug, *events, **how):
    decoys = [Decoy(name=name, model=plug, **how) for name in ("hall", "desk")]
    return Home(decoys=decoys, events=events)


def composed(home, *seconds, commands=()):
    composer = Composer(home)
    composer.switch_on(START_NS)
    for decoy, name, second in commands:
        composer.command(decoy, name, START_NS + second * 10**9)
    stretches = [composer.until(START_NS + int(second * 1e9)) for second in seconds]
    time_ns = np.concatenate([each.time_ns for each in stretches])
    event = np.concatenate([each.event for each in stretches])
    frames = [frame for each in stretches for frame in each.frames.tolist()]
    return composer, time_ns, event, frames


def caused(composed):
    """The decoy and the event that each packet is because of."""
    happened = [*composed[0].happenings.events, None]
    return [happened[number] for number in composed[2].tolist()]


def test_what_somebody_commands_happens_then_and_to_that_decoy(plug):
    composer, time_ns, event, _ = composed(home(plug), 60, commands=[(1, "button", 20)])
    ((decoy, happened),) = composer.happenings.events
    assert (decoy, happened.name) == (1, "button")
    own = time_ns[event == 0]
    assert len(own)
    assert ((own >= START_NS + 20 * 10**9) & (own < START_NS + 22 * 10**9)).all()
    assert (np.diff(time_ns) >= 0).all()


def test_what_was_composed_before_stays_as_it_was(plug):
    _, time_ns, _, frames = composed(home(plug), 20, 60)
    composer = Composer(home(plug))
    composer.switch_on(START_NS)
    first = composer.until(START_NS + 20 * 10**9)
    composer.command(0, "toggle", START_NS + 20 * 10**9)
    assert first.frames.tolist() == frames[: len(first)]
    then = composer.until(START_NS + 60 * 10**9)
    assert (then.event == 0).any()
    assert len(first) + len(then) > len(time_ns)


def test_a_schedule_happens_however_it_is_cut(plug):
    habits = (
        {"event": "button", "per_hour": 120},
        {"event": "toggle", "at": "00:01", "decoy": "desk"},
    )
    one = composed(home(plug, *habits), 180)
    often = composed(home(plug, *habits), 10, 11, 61, 62, 180)
    assert (one[1] == often[1]).all()
    assert caused(one) == caused(often)
    names = [(decoy, event.name) for decoy, event in one[0].happenings.events]
    assert names.count((1, "toggle")) == 1
    assert (0, "toggle") not in names
    assert {(0, "button"), (1, "button")} <= {*names}
    # two decoys of one model live lives of their own
    times = {
        decoy: [e.time_ns for d, e in one[0].happenings.events if d == decoy] for decoy in (0, 1)
    }
    assert times[0] != times[1]


def test_nothing_happens_to_a_decoy_that_is_off(plug):
    composer = Composer(home(plug, schedule=("00:00-00:01",)))
    composer.switch_on(START_NS)
    composer.until(START_NS + 30 * 10**9)
    with pytest.raises(ArgumentError, match="hall is switched off then"):
        composer.command(0, "button", START_NS + 90 * 10**9)


def test_an_event_that_is_unknown_is_told_of(plug):
    composer = Composer(home(plug))
    composer.switch_on(START_NS)
    with pytest.raises(ArgumentError, match="'dance' is no event that the model knows: "):
        composer.command(0, "dance", START_NS)
    for habit in (
        {"event": "dance", "at": "00:01"},
        {"event": "dance", "at": "1:00", "decoy": "hall"},
    ):
        with pytest.raises((ArgumentError, ValidationError), match=r"dance|at"):
            Composer(home(plug, habit))
    with pytest.raises(ValidationError, match="there is no decoy attic"):
        home(plug, {"event": "button", "at": "00:01", "decoy": "attic"})


def test_a_home_has_labels_beside_its_capture(plug, tmp_path):
    path = tmp_path / "home.toml"
    path.write_text(
        f'zone = "Europe/Berlin"\n[[decoys]]\nname = "hall"\nmodel = "{plug}"\n'
        '[[events]]\nevent = "button"\nat = ["01:00:30", "01:01"]\n'
    )
    assert read_home(path).events[0].at == ("01:00:30", "01:01")
    out = tmp_path / "home.pcap"
    done = invoke("generate", path, "--start", "2026-01-01", "--duration", "3m", "--out", out)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "home.events.csv").open() as file:
        rows = [*csv.DictReader(file)]
    assert [(row["time"][11:19], row["event"], row["device"]) for row in rows] == [
        ("00:00:30", "button", "hall"),
        ("00:01:00", "button", "hall"),
    ]
    assert all(int(row["packets"]) > 0 for row in rows)


@pytest.mark.network
def test_an_event_is_commanded_over_the_socket(plug, network, tmp_path):
    ledger = tmp_path / "ledger"
    decoys = network.start(plug, "--near", "near0", "--far", "far0", "--ledger", ledger)
    live, deadline = network.live, time.monotonic() + 60
    while network.host.run(*live("status")[4:], check=False).returncode != 0:
        assert time.monotonic() < deadline, decoys.poll()
        time.sleep(0.2)
    done = network.host.run(*live("event", "plug", "button", "--json")[4:])
    assert json.loads(done.stdout)["happens"] == "button"
    assert json.loads(done.stdout)["in"] <= 10
    wrong = network.host.run(*live("event", "plug", "dance")[4:], check=False)
    assert wrong.returncode == 1
    assert "'dance' is no event that the model knows" in wrong.stderr
    nobody = network.host.run(*live("event", "attic", "button")[4:], check=False)
    assert "there is no decoy attic" in nobody.stderr
    while not [*ledger.glob("events.*.csv")]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    (file,) = ledger.glob("events.*.csv")
    assert ",button,plug" in file.read_text()
    network.host.run(*live("stop")[4:])
    assert decoys.wait(20) == 130
