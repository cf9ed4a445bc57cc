"""Another home is shown in the place of the captured one."""

import base64
import ipaddress
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iotflowgen.capture import read_captures, read_frames
from iotflowgen.packets.identity import Disguise, Identified, Pseudonyms, pseudonymise
from iotflowgen.packets.record import record
from iotflowgen.recording import Identities
from iotflowgen.traffic import protocol_mask
from tests.conftest import REPOSITORY
from tests.unit.packets.identity.homes import (
    DEVICE,
    PHONE,
    ROUTER,
    a_home,
    learn,
    raw,
    recorded,
    says,
    shown,
    spelt,
    udp,
)
from tests.unit.packets.owners import identifiers

SEEDS = st.integers(0, 2**32 - 1)
OTHER = "02:00:5e:10:20:30"
TEXT = (
    b"HOST plug-2a1c PLUG-3F2A1C serial=AB12CD34EF msg-AB12CD34EF-1 token=YWRtaW46MTIzNA== "
    b'"uniqueid":"00:17:88:01:10:4d:a5:b2" uuid:2f402f80-da50-11e1-9b23-0017883f2a1c '
    b"mac=0017883f2a1c\n"
)
ELSEWHERE = (
    *("10.1.1.9", "52.94.233.131", "172.217.16.142", "192.168.1.1", "192.168.1.20"),
    *("192.168.1.33", "fe80::217:88ff:fe3f:2a1c", "2003:4:5::8", "172.20.0.77"),
)
KNOWN = learn(a_home(TEXT)).model_copy(
    update={"own_addresses": ("192.168.1.20", "10.1.1.9"), "addresses": ELSEWHERE}
)


def everywhere():
    """A home in which all of them send, and the device says all that it knows of them."""
    udp_only = protocol_mask(["ip", "udp"])
    others = [
        (udp((PHONE, ip), (DEVICE, KNOWN.device_ip if "." in ip else "fe80::1"), b""), False)
        for ip in ELSEWHERE
    ]
    told = [TEXT, *spelt(KNOWN), *(b"\0" + each + b"." for each in spelt(KNOWN))]
    return says(*told) + [(*each, udp_only, 0) for each in others]


def persona(known=KNOWN, seed=0, **kwargs):
    return Pseudonyms(known, np.random.default_rng(seed), **kwargs)


def shown_mac(someone, old):
    return others(someone, raw(old))[0].hex(":")


def shown_ip(someone, old):
    return str(ipaddress.ip_address(others(someone, ipaddress.ip_address(old).packed)[0]))


def others(someone, *texts):
    return [someone.other(text) for text in texts]


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_every_identifier_is_gone(seed):
    frames, _ = shown(everywhere(), seed)
    everything = b"\xff\xfe\xfd\xfc".join(frames)
    assert [each for each in spelt(KNOWN) if each in everything] == []
    assert not re.search(rb"(?i)3f2a1c|AB12CD34EF", everything)


@given(SEEDS)
def test_the_same_stands_for_the_same_in_bytes_and_as_text(seed):
    someone = persona(seed=seed)
    mac, ip = shown_mac(someone, PHONE), shown_ip(someone, "192.168.1.33")
    old = raw(PHONE), PHONE, PHONE.upper().replace(":", "-"), "192.168.1.33", "192-168-1-33"
    new = raw(mac), mac, mac.upper().replace(":", "-"), ip, ip.replace(".", "-")
    frames = [each if isinstance(each, bytes) else each.encode() for each in old]
    expected = [each if isinstance(each, bytes) else each.encode() for each in new]
    assert others(someone, *frames) == expected
    frames, someone = shown(says(b"plug-3f2a1c", b"at PLUG-2A1C: 1"), seed)
    tail = someone.device_mac.replace(":", "")[-6:].encode()
    assert frames[:2] == [b"plug-" + tail, b"at PLUG-" + tail[-4:].upper() + b": 1"]
    someone = persona(KNOWN, seed)
    link = ipaddress.IPv6Address(shown_ip(someone, "fe80::217:88ff:fe3f:2a1c")).packed
    assert link[8:] == bytes([raw(someone.device_mac)[0] ^ 2]) + (
        raw(someone.device_mac)[1:3] + b"\xff\xfe" + raw(someone.device_mac)[3:]
    )


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_what_stands_within_a_word_is_the_same_there(seed):
    told = (
        *(b"serial=AB12CD34EF", b"msg-AB12CD34EF-1", b"token=YWRtaW46MTIzNA=="),
        *(b"uuid:2f402f80-da50-11e1-9b23-0017883f2a1c", b'"id":"00:17:88:01:10:4d:a5:b2"'),
    )
    frames, someone = shown(says(*told), seed)
    alone, within, secret, uuid, link = (frame.partition(b"=")[2] or frame for frame in frames[:5])
    assert re.fullmatch(rb"[A-Z]{2}\d\d[A-Z]{2}\d\d[A-Z]{2}", alone)
    assert within == b"msg-" + alone + b"-1"
    assert uuid.endswith(b"-" + someone.device_mac.replace(":", "").encode())
    assert re.fullmatch(rb"[a-z]{5}:\d{4}", base64.b64decode(secret + b"="))
    assert link.startswith(b'"id":"00:17:88')
    assert told[4] != link


@given(SEEDS)
def test_addresses_stay_of_their_kind(seed):
    someone = persona(seed=seed)
    for old in KNOWN.macs:
        assert shown_mac(someone, old)[:8] == old[:8]
        assert shown_mac(someone, old) != old
    for old in set(KNOWN.addresses) - {"10.1.1.9"}:
        new = ipaddress.ip_address(shown_ip(someone, old))
        assert len(str(new)) == len(old)
        assert new.is_private == ipaddress.ip_address(old).is_private
        assert new.is_link_local == ipaddress.ip_address(old).is_link_local
    home = someone.device_ip.rpartition(".")[0]
    assert home.startswith("192.168.")
    assert someone.gateway_ip == shown_ip(someone, "192.168.1.1") == f"{home}.1"
    assert shown_ip(someone, "192.168.1.33").startswith(f"{home}.")
    assert len({shown_ip(someone, each) for each in KNOWN.addresses}) == len(KNOWN.addresses) - 1


def test_groups_stay():
    told = b"at 224.0.0.251 and ff02::fb, and " + raw("01:00:5e:00:00:fb")
    assert shown(says(told))[0][0] == told


def test_kept_identifiers_change_nothing():
    recording = recorded(everywhere())
    someone = persona(keep=True, mac=OTHER, ip="10.0.0.9", gateway="10.0.0.1")
    assert pseudonymise(recording, someone).tolist() == recording.frames.tolist()
    assert (someone.device_mac, someone.device_ip) == (DEVICE, "192.168.1.20")
    assert (someone.gateway_mac, someone.gateway_ip) == (ROUTER, "192.168.1.1")
    assert shown_ip(someone, "10.1.1.9") == "10.1.1.9"


def test_the_frames_that_were_given_are_not_written_to():
    recording = recorded(everywhere())
    before = recording.frames.tolist()
    for keep in (False, True):
        someone = persona(recording.identities, keep=keep)
        frames = pseudonymise(recording, someone)
        frames.data[:] = 0
        assert recording.frames.tolist() == before


@given(SEEDS, st.sets(st.integers(0, 60)))
def test_some_frames_are_shown_as_they_are_among_all(seed, places):
    recording = recorded(everywhere())
    some = np.array(sorted(each for each in places if each < len(recording)), np.int64)
    disguise = Disguise(Identified(recording), persona(recording.identities, seed))
    whole = disguise.frames(np.arange(len(recording)))
    assert disguise.frames(some).tolist() == whole.take(some).tolist()


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_a_home_that_is_given_comes_out(seed):
    given_home = {"mac": "02:11:22:AA:44:55", "ip": "10.20.30.40", "gateway": "10.20.30.1"}
    someone = persona(seed=seed, **given_home)
    assert (someone.device_mac, someone.device_ip, someone.gateway_ip) == (
        *("02:11:22:aa:44:55", "10.20.30.40", "10.20.30.1"),
    )
    assert shown_ip(someone, "192.168.1.33").startswith("10.20.30.")
    old = raw(DEVICE), bytes([192, 168, 1, 20]), bytes([192, 168, 1, 1])
    new = raw("02:11:22:aa:44:55"), bytes([10, 20, 30, 40]), bytes([10, 20, 30, 1])
    assert others(someone, *old) == [*new]
    # a text has no room for another length
    frames, _ = shown(everywhere(), seed, **given_home)
    everything = b"\xff\xfe\xfd\xfc".join(frames)
    assert [each for each in spelt(KNOWN) if each in everything] == []


@given(SEEDS)
def test_nobody_else_has_an_address_that_was_asked_for(seed):
    for asked in ({"ip": "10.7.0.1"}, {"gateway": "10.7.0.40"}):
        someone = persona(KNOWN.model_copy(update={"own_addresses": ()}), seed, **asked)
        shown = [shown_ip(someone, each) for each in KNOWN.addresses]
        assert shown.count(*asked.values()) == 1
        assert len({*shown}) == len(shown)


@pytest.mark.parametrize("seed", range(60))
def test_a_device_does_not_get_the_address_that_its_gateway_keeps(seed):
    home = Identities(
        device_mac="00:17:88:24:76:ff",
        device_ip="10.10.10.6",
        gateway_mac="00:b5:6d:06:08:ba",
        gateway_ip="10.10.10.1",
        addresses=("10.10.10.1", "10.10.10.6"),
    )
    shown = Pseudonyms(home, np.random.default_rng(seed))
    assert shown.device_ip != shown.gateway_ip


def test_a_device_without_an_address_has_the_one_that_is_given():
    known = Identities(device_mac=DEVICE, macs=(DEVICE,))
    assert persona(known, ip="10.0.0.9").device_ip == "10.0.0.9"
    assert persona(known).device_ip == "0.0.0.0"
    assert persona(known).gateway_ip == ""


def test_the_gateways_of_several_homes_are_shown_as_one():
    known = {"macs": (*KNOWN.macs, OTHER), "other_gateways": (OTHER,)}
    someone = persona(KNOWN.model_copy(update=known))
    assert shown_mac(someone, OTHER) == shown_mac(someone, ROUTER) == someone.gateway_mac


def test_macs_of_one_product_stay_as_far_apart():
    beside = "00:17:88:3f:2a:1e"
    someone = persona(KNOWN.model_copy(update={"macs": (*KNOWN.macs, beside)}))
    numbers = [int(shown_mac(someone, each).replace(":", ""), 16) for each in (DEVICE, beside)]
    assert numbers[1] - numbers[0] == 2


def test_a_device_that_had_several_addresses_has_one():
    someone = persona()
    assert shown_ip(someone, "10.1.1.9") == someone.device_ip
    # a text of one has no room for the other, and what follows it would move
    texts = b"10.1.1.9", b"192.168.1.20"
    assert [*map(len, others(someone, *texts))] == [*map(len, texts)]
    assert others(someone, texts[1]) == [someone.device_ip.encode()]


def test_the_same_seed_draws_the_same():
    packets = everywhere()
    one, two, other = (shown(packets, seed)[0] for seed in (1, 1, 2))
    assert one == two != other


def everything_shown(paths: list[Path], *, keep: bool) -> bytes:
    recording = record(read_frames(paths, read_captures(paths)), codecs=[])
    assert recording is not None
    frames = pseudonymise(recording, persona(recording.identities, keep=keep))
    assert frames.size.tolist() == recording.frames.size.tolist()
    return b"\xff\xfe\xfd\xfc".join(frames.tolist())


def left_in(data: bytes, found: dict[str, set[bytes]]) -> dict[str, set[bytes]]:
    left = {kind: {each for each in wanted if each in data} for kind, wanted in found.items()}
    return {kind: those for kind, those in left.items() if those}


@pytest.mark.parametrize("sample", ["plug", "camera"])
def test_what_tshark_finds_in_the_samples_is_gone(sample):
    paths = sorted((REPOSITORY / "samples" / sample).iterdir())[:6]
    found = identifiers(paths)
    assert left_in(everything_shown(paths, keep=False), found) == {}
    # the same look finds all kinds where they are kept
    kept = left_in(everything_shown(paths, keep=True), found)
    assert {*kept} >= {"MAC address", "IP address", "name", "UUID"}


@pytest.mark.captures
@pytest.mark.parametrize(
    "device",
    ["Aria", "D-LinkCam", "EdimaxPlug2101W", "HueBridge", "MAXGateway", "WeMoSwitch", "Withings"],
)
def test_what_tshark_finds_in_aalto_devices_is_gone(device, aalto):
    paths = sorted((aalto / device).glob("*.pcap"))[:4]
    assert left_in(everything_shown(paths, keep=False), identifiers(paths)) == {}


def test_a_network_drawn_twice_is_never_the_captured_one():
    home = Identities(
        device_mac="02:00:00:00:00:01",
        device_ip="192.168.4.7",
        gateway_mac="02:00:00:00:00:02",
        gateway_ip="192.168.4.1",
        macs=("02:00:00:00:00:01", "02:00:00:00:00:02"),
        addresses=("192.168.4.1", "192.168.4.7"),
    )
    for seed in range(60):
        kept = Pseudonyms(home, np.random.default_rng([seed, 0])).identities
        shown = Pseudonyms(kept, np.random.default_rng([seed, 1]))
        assert not {*home.addresses} & {*shown.addresses}
        assert shown.device_ip != kept.device_ip
