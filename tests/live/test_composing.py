"""What decoys are going to send: always the same, in one home, within its network."""

import json
from ipaddress import ip_address, ip_network

import numpy as np
import pytest
from pydantic import ValidationError

from iotflowgen.errors import ArgumentError
from iotflowgen.live import Composer, Decoy, Home, Network, read_home
from iotflowgen.live.emitting.due import DueFrame
from iotflowgen.live.emitting.guard import Guard, Host
from tests.end_to_end.invoke import invoke

START_NS = 1_767_225_600 * 10**9
SUBNET = "192.168.20.0/24"
NETWORK = {"subnet": SUBNET, "gateway": "192.168.20.1", "gateway_mac": "02:00:5e:10:00:01"}


def home(models, **network):
    decoys = [
        Decoy(name="hall", model=models / "plug.model"),
        Decoy(name="door", model=models / "camera.model", address="192.168.20.31"),
        Decoy(name="desk", model=models / "plug.model", mac="02:11:22:33:44:55"),
    ]
    return Home(network=Network(**NETWORK, **network), decoys=decoys)


def composed(home, *seconds):
    composer = Composer(home)
    composer.switch_on(START_NS)
    stretches = [composer.until(START_NS + int(second * 1e9)) for second in seconds]
    frames = [frame for stretch in stretches for frame in stretch.frames.tolist()]
    time_ns = np.concatenate([stretch.time_ns for stretch in stretches])
    decoy = np.concatenate([stretch.decoy for stretch in stretches])
    far = np.concatenate([stretch.far for stretch in stretches])
    return composer, frames, time_ns, decoy, far


def test_traffic_is_the_same_however_it_is_cut(models):
    _, once, time_ns, *_ = composed(home(models), 30)
    _, often, other_ns, *_ = composed(home(models), 0, 1, 1, 7.5, 8, 30)
    assert len(once) > 100
    assert once == often
    assert (time_ns == other_ns).all()
    assert (np.diff(time_ns) >= 0).all()


def test_another_start_is_another_session(models):
    composer, first, *_ = composed(home(models), 20)
    composer.switch_on(START_NS + 3600 * 10**9)
    later = composer.until(START_NS + 3620 * 10**9).frames.tolist()
    assert first != later


def test_a_home_has_one_gateway_and_everybody_an_address_of_their_own(models):
    composer, *_ = composed(home(models), 1)
    shown = composer.identities()
    assert [each["name"] for each in shown] == ["hall", "door", "desk"]
    assert shown[1]["ip"] == "192.168.20.31"
    assert shown[2]["mac"] == "02:11:22:33:44:55"
    assert len({each["ip"] for each in shown} | {"192.168.20.1"}) == 4
    assert len({each["mac"] for each in shown}) == 3
    assert all(ip_address(each["ip"]) in ip_network(SUBNET) for each in shown)
    assert composer.gateway() == {"mac": NETWORK["gateway_mac"], "ip": NETWORK["gateway"]}


@pytest.mark.parametrize("vlan", [None, 20])
def test_all_that_is_composed_may_be_sent(models, vlan):
    composer, frames, _, decoy, far = composed(home(models, vlan=vlan), 60)
    hosts = [
        Host(bytes.fromhex(each["mac"].replace(":", "")), ip_address(each["ip"]).packed)
        for each in composer.identities()
    ]
    guard = Guard(ip_network(SUBNET), hosts)
    dues = [*map(DueFrame, [0] * len(frames), decoy.tolist(), far.tolist(), frames)]
    assert [complaint for due in dues if (complaint := guard.complaint(due))] == []
    assert {True, False} == {*far.tolist()}
    tags = {frame[12:16] for frame in frames}
    assert (tags == {bytes.fromhex("81000014")}) == (vlan == 20)


def test_what_no_switch_forwards_is_left_out(models):
    _, frames, *_ = composed(home(models), 30)
    assert not any(frame[12:14] == b"\x88\x8e" for frame in frames)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[network", "is no TOML"),
        ("decoys = " + "[" * 5000, "is no TOML: too many levels"),
        ("x = 1", "x"),
        ("decoys = []", "decoys"),
        ('[network]\nsubnet = "8.8.8.0/24"', "no private network"),
        ('[network]\nsubnet = "192.0.2.0/24"', "no private network"),
        ('[network]\nsubnet = "10.0.0.0/24"\ngateway = "10.0.1.1"', "no host of 10.0.0.0/24"),
        ('[network]\ngateway_mac = "ff:ff:ff:ff:ff:ff"', "no MAC address of a host"),
        ("[network]\nvlan = 4095", "network.vlan"),
        ('[[decoys]]\nname = "a"\nmodel = "m"\naddress = "8.8.8.8"', "public address"),
        ('[[decoys]]\nname = "a b"\nmodel = "m"', "decoys.0.name"),
        (
            '[[decoys]]\nname = "a"\nmodel = "m"\n[[decoys]]\nname = "a"\nmodel = "m"',
            "somebody else has a",
        ),
        (
            '[network]\nsubnet = "10.0.0.0/24"\n'
            '[[decoys]]\nname = "a"\nmodel = "m"\naddress = "10.0.0.255"',
            "no host of 10.0.0.0/24",
        ),
    ],
)
def test_a_home_that_cannot_be_is_refused_in_one_line(tmp_path, text, said):
    path = tmp_path / "home.toml"
    if "decoys" not in text:
        text += '\n[[decoys]]\nname = "a"\nmodel = "m"'
    path.write_text(text)
    with pytest.raises(ArgumentError, match=r"home\.toml") as caught:
        read_home(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_decoy_with_a_schedule_is_off_otherwise_and_boots_each_time(models):
    decoy = {
        "name": "hall",
        "model": models / "plug.model",
        "schedule": ["00:01-00:02", "23:59-00:00"],
    }
    scheduled = Home(network=Network(**NETWORK), decoys=[decoy])
    _, frames, time_ns, *_ = composed(scheduled, 59, 61, 150, 86_400 + 130)
    minute = (time_ns - START_NS) // (60 * 10**9)
    assert {*minute.tolist()} == {1, 1439, 1441}
    # what it begins with is said three times, each time with another number
    discovers = [frame for frame in frames if b"\x35\x01\x01" in frame and frame[23] == 17]
    assert len({frame[46:50] for frame in discovers}) == 3


@pytest.mark.parametrize("hours", ["7-9", "07:00-24:00", "07:60-08:00"])
def test_hours_that_no_clock_has_are_refused(hours):
    with pytest.raises(ValidationError, match="schedule"):
        Decoy(name="a", model="m", schedule=[hours])


def test_a_home_is_written_to_a_file(models, tmp_path):
    text = f'[[decoys]]\nname = "hall"\nmodel = "{models}/plug.model"\n'
    home, file, other = (tmp_path / name for name in ("home.toml", "a.pcap", "b.pcap"))
    home.write_text(text)
    words = ("--duration", "30s", "--start", "2026-01-01")
    written = invoke(
        "generate", tmp_path / "home.toml", *words, "-o", tmp_path / "a.pcap", "--json"
    )
    assert json.loads(written.stdout)["packets"] > 50
    planned = invoke("live", home, "--dry-run", *words, "-o", other)
    assert planned.returncode == 0
    assert file.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("generate", "--sessions", 3), "--sessions: not with"),
        (("generate", "--payload", "fuzz"), "--payload: not with"),
        (("generate", "--start", "1960-01-01"), "before 1970"),
        (("live", "--dry-run", "--ip", "192.168.20.9"), "--ip: not with"),
        (("live",), "--out: a file is written with --dry-run only"),
        (("live", "hall"), "Invalid value: only pause, resume and event take the name of a decoy"),
    ],
)
def test_what_a_home_has_no_place_for_is_refused(models, tmp_path, words, said):
    home = tmp_path / "home.toml"
    home.write_text(f'[[decoys]]\nname = "hall"\nmodel = "{models}/plug.model"\n')
    command, *more = words
    refused = invoke(command, home, *more, "--out", tmp_path / "a.pcap")
    assert refused.returncode == 2
    assert said in " ".join(refused.stderr.replace("│", " ").split())
    assert not (tmp_path / "a.pcap").exists()


def test_a_model_of_any_name_is_a_decoy(models, tmp_path):
    model = tmp_path / "my (new) plug.model"
    model.write_bytes((models / "plug.model").read_bytes())
    words = ("--dry-run", "--duration", "1s", "--json", "-o", tmp_path / "a.pcap")
    assert [*json.loads(invoke("live", model, *words).stdout)["decoys"]] == ["my--new--plug"]


def test_a_file_is_no_socket_and_stays(models, tmp_path):
    precious = tmp_path / "notes.txt"
    precious.write_text("mine")
    ends = ("--near", "lo", "--far", "lo", "--socket", precious)
    refused = invoke("live", models / "plug.model", *ends)
    assert refused.returncode == 1
    assert "something else is there" in refused.stderr
    assert precious.read_text() == "mine"


def test_models_lie_beside_the_home(tmp_path):
    path = tmp_path / "home.toml"
    path.write_text('[[decoys]]\nname = "a"\nmodel = "a.model"\n')
    assert read_home(path).decoys[0].model == tmp_path / "a.model"
