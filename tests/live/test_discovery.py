"""What a decoy says to who looks for it by mDNS, SSDP, LLMNR and NetBIOS, message by message."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen import load
from iotflowgen.live.answering import dns
from iotflowgen.live.answering.discovery import Mdns, Ssdp, find_sayings
from iotflowgen.live.answering.mdns import Mdns as Speaker
from iotflowgen.live.answering.names import LLMNR, Names
from iotflowgen.live.answering.ssdp import Ssdp as Announcer
from iotflowgen.packets.identity import Disguise, Identified, Pseudonyms

A, PTR, TXT, SRV, ANY = 1, 12, 16, 33, 255
FLUSH = 0x8001
SERVICE, INSTANCE, NODE = "_http._tcp.local", "plug-1._http._tcp.local", "plug-1.local"
S = 10**9


def name(text):
    return tuple(label.encode() for label in text.split("."))


RECORDS = (
    dns.Record(name(SERVICE), PTR, 1, 4500, dns.written(name(INSTANCE))),
    dns.Record(name(INSTANCE), SRV, FLUSH, 120, b"\0\0\0\0\0P" + dns.written(name(NODE))),
    dns.Record(name(INSTANCE), TXT, FLUSH, 4500, b"\x04id=1"),
    dns.Record(name(NODE), A, FLUSH, 120, bytes([192, 168, 20, 31])),
)
SAID = dns.write(dns.Message(0, 0x8400, (), RECORDS), compresses=False)


def speaker(*asked, responses=(SAID,)):
    learnt = Mdns(responses=[each.hex() for each in responses], asked=asked, compresses=False)
    return Speaker(learnt.model_dump(mode="json"))


def question(text=SERVICE, kind=PTR, known=(), number=0, unicast=False):
    asked = dns.Question(name(text), kind, FLUSH if unicast else 1)
    return dns.write(dns.Message(number, 0, [asked], known), compresses=False)


def answered(device, payload, *, port=5353, is_direct=False, now_ns=0):
    found = device.answer(payload, port=port, is_direct=is_direct, now_ns=now_ns)
    return (dns.read(found.payload), found.to_group) if found else None


def kinds(records):
    return [record.type for record in records]


def test_who_browses_is_told_all_that_it_will_ask():
    said, to_group = answered(speaker(), question())
    assert to_group
    assert said.is_response
    assert (said.id, said.questions) == (0, [])
    assert [*said.answers, *said.additionals] == [*RECORDS]
    assert kinds(said.answers) == [PTR]


def test_an_answer_is_laid_out_as_it_was_captured():
    device = speaker((question().hex(), SAID.hex()))
    assert device.answer(question(), port=5353, is_direct=False, now_ns=0).payload == SAID


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        (NODE, A, [A]),
        (NODE.upper(), ANY, [A]),
        (INSTANCE, SRV, [SRV]),
        (INSTANCE, ANY, [SRV, TXT]),
        (NODE, 28, None),
        ("other.local", A, None),
        ("_ipp._tcp.local", PTR, None),
        ("_services._dns-sd._udp.local", PTR, None),
    ],
)
def test_what_the_device_never_said_is_not_answered(text, kind, expected):
    found = answered(speaker(), question(text, kind))
    assert (found and kinds(found[0].answers)) == expected


def test_who_was_left_without_an_answer_is_again():
    device = speaker((question(NODE, A).hex(), ""))
    assert answered(device, question(NODE, A)) is None
    assert answered(device, question()) is not None


def test_known_answers_are_not_said_again():
    known = RECORDS[0]
    assert answered(speaker(), question(known=[known])) is None
    # who knows it for less than half of the time left is told (RFC 6762, section 7.1)
    late = known._replace(ttl=2000)
    assert answered(speaker(), question(known=[late])) is not None
    device = speaker((question().hex(), SAID.hex()))
    assert answered(device, question(known=[known])) is None
    said, _ = answered(device, question(known=[RECORDS[3]._replace(kind=1)]))
    assert kinds(said.answers) == [PTR, SRV, TXT]


def test_no_record_is_said_to_all_twice_in_a_second():
    device = speaker()
    assert answered(device, question(), now_ns=0)
    assert answered(device, question(), now_ns=S // 2) is None
    assert answered(device, question(NODE, A), now_ns=S // 2) is None
    assert answered(device, question(), now_ns=S + 1)
    device.notice(SAID, 10 * S)
    assert answered(device, question(), now_ns=10 * S + S // 2) is None


def test_who_asks_for_unicast_gets_it_unless_others_have_not_heard_for_long():
    device = speaker()
    assert answered(device, question(unicast=True))[1] is True
    assert answered(device, question(unicast=True), now_ns=2 * S)[1] is False
    assert answered(device, question(unicast=True), now_ns=1200 * S)[1] is True
    assert answered(device, question(), is_direct=True, now_ns=1200 * S)[1] is False


def test_who_does_not_speak_mdns_is_answered_as_by_dns():
    said, to_group = answered(speaker(), question(number=77), port=40_000)
    assert not to_group
    assert said.id == 77
    assert [(each.name, each.type) for each in said.questions] == [(name(SERVICE), PTR)]
    for record in (*said.answers, *said.additionals):
        assert record.ttl <= 10
        assert record.kind == 1


def test_what_the_decoy_has_said_since_counts():
    device = speaker()
    moved = dns.Record(name(NODE), A, FLUSH, 120, bytes([192, 168, 20, 99]))
    renamed = dns.Record(name(SERVICE), PTR, 1, 4500, dns.written(name("plug-2." + SERVICE)))
    device.notice(dns.write(dns.Message(0, 0x8400, (), [moved, renamed]), compresses=True), 0)
    said, _ = answered(device, question(NODE, A), now_ns=5 * S)
    assert said.answers == [moved]
    said, _ = answered(device, question(), now_ns=5 * S)
    assert said.answers == [renamed]
    gone = moved._replace(ttl=0)
    device.notice(dns.write(dns.Message(0, 0x8400, (), [gone]), compresses=True), 6 * S)
    assert answered(device, question(NODE, A), now_ns=9 * S) is None


NAMES = st.lists(st.binary(min_size=1, max_size=20), max_size=4).map(tuple)
QUESTIONS = st.builds(dns.Question, NAMES, st.integers(0, 65535), st.integers(0, 65535))
RECORDS_ANY = st.one_of(
    st.builds(
        dns.Record,
        *(NAMES, st.just(TXT), st.integers(0, 65535), st.integers(0, 2**32 - 1), st.binary()),
    ),
    st.builds(
        lambda own, to: dns.Record(own, SRV, 1, 9, b"\0\0\0\0\0P" + dns.written(to)), NAMES, NAMES
    ),
)
MESSAGES = st.builds(
    dns.Message,
    *(st.integers(0, 65535), st.integers(0, 65535), st.lists(QUESTIONS, max_size=3)),
    *(st.lists(RECORDS_ANY, max_size=3), st.lists(RECORDS_ANY, max_size=2)),
    st.lists(RECORDS_ANY, max_size=2),
)


@given(MESSAGES, st.booleans())
def test_messages_come_back(message, compresses):
    assert dns.read(dns.write(message, compresses=compresses)) == message


@given(st.one_of(st.binary(max_size=80), MESSAGES.map(lambda m: dns.write(m, compresses=True))))
def test_nothing_that_arrives_is_believed(payload):
    device = speaker()
    device.notice(payload, 0)
    device.answer(payload, port=5353, is_direct=False, now_ns=0)
    Names([(LLMNR, question().hex(), SAID.hex())]).answer(LLMNR, payload)
    announcer().answer(payload)
    announcer().answer(b"M-SEARCH * HTTP/1.1\r\n" + payload)
    announcer().notice(payload)


def test_names_that_point_in_circles_are_none():
    head = bytes.fromhex("000000000001000000000000")
    for body in (b"\xc0\x0c\0\x0c\0\x01", b"\x01a\xc0\x0c\0\x0c\0\x01", b"\xc0\xff\0\x0c\0\x01"):
        with pytest.raises(ValueError, match="a name"):
            dns.read(head + body)


UUID, LIGHT = "uuid:1", "urn:schemas-upnp-org:device:BinaryLight:1"


def notify(target, usn, what="ssdp:alive", address="192.168.20.31"):
    return (
        "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nCACHE-CONTROL: max-age=1800\r\n"
        f"LOCATION: http://{address}/d.xml\r\nOPT: x\r\nNT: {target}\r\nNTS: {what}\r\n"
        f"SERVER: RTOS/2\r\nUSN: {usn}\r\n\r\n"
    )


RESPONSE = (
    "HTTP/1.1 200 OK\r\nServer: RTOS/2\r\nDATE: Thu, 01 Jan 1970 00:00:00 GMT\r\nEXT:\r\n"
    f"Location: http://192.168.20.31/d.xml\r\nST: {UUID}\r\nUSN: {UUID}\r\n\r\n"
)
SAYS = (notify(UUID, UUID), notify(LIGHT, f"{UUID}::{LIGHT}"))


def announcer(*messages, **asked):
    learnt = Ssdp(messages=messages or SAYS, asked=asked)
    return Announcer(learnt.model_dump(mode="json"))


def search(target, mx="1"):
    lines = ["M-SEARCH * HTTP/1.1", 'MAN: "ssdp:discover"', f"MX: {mx}", f"ST: {target}", "", ""]
    return "\r\n".join(lines).encode()


def test_a_search_is_answered_for_what_was_announced():
    found = announcer().answer(search("ssdp:all", "3"))
    assert found.wait_s == 3
    assert len(found.payloads) == 2
    (said,) = announcer().answer(search(LIGHT)).payloads
    lines = said.decode().split("\r\n")
    names = [line.partition(":")[0] for line in lines[1:-2]]
    # as libupnp has it
    assert names == ["CACHE-CONTROL", "DATE", "EXT", "LOCATION", "OPT", "SERVER", "ST", "USN"]
    assert lines[0] == "HTTP/1.1 200 OK"
    assert f"ST: {LIGHT}" in lines
    assert f"USN: {UUID}::{LIGHT}" in lines


def test_responses_are_laid_out_as_captured():
    device = announcer(*SAYS, RESPONSE)
    device.notice(notify(UUID, UUID, address="192.168.20.99").encode())
    (said,) = device.answer(search(UUID)).payloads
    lines = said.decode().split("\r\n")
    names = [line.partition(":")[0] for line in lines[1:-2]]
    assert names == ["Server", "DATE", "EXT", "Location", "ST", "USN"]
    assert "Location: http://192.168.20.99/d.xml" in lines
    assert "1970" not in said.decode()


@pytest.mark.parametrize(
    "payload",
    [search("urn:other"), search(""), b"M-SEARCH * HTTP/1.1\r\nST: ssdp:all\r\n\r\n", b"", b"\xff"],
)
def test_searches_for_others_are_not_answered(payload):
    assert announcer().answer(payload) is None


def test_who_has_said_goodbye_is_not_found():
    device = announcer()
    device.notice(notify(UUID, UUID, "ssdp:byebye").encode())
    assert device.answer(search(UUID)) is None


def test_a_search_that_was_left_without_an_answer_is_again():
    learnt = Ssdp(messages=SAYS, asked={"ssdp:all": ()}).model_dump(mode="json")
    assert Announcer(learnt).answer(search("ssdp:all")) is None


@pytest.mark.parametrize("port", [LLMNR, 137])
def test_names_are_answered_as_captured(port):
    asked = question("PLUG", A, number=5)
    said = asked[:2] + b"\x80\0" + asked[4:]
    names = Names([(port, asked.hex(), said.hex())])
    assert names.answer(port, question("plug", A, number=9)) == b"\0\x09" + said[2:]
    assert names.answer(port, question("other", A)) is None
    assert names.answer(port + 1, asked) is None


@pytest.mark.parametrize("device", ["plug", "camera"])
def test_what_captures_say_is_said_under_the_names_that_decoys_show(models, device):
    recording = load(models / f"{device}.model").recording
    who = Pseudonyms(recording.identities, np.random.default_rng(3), ip="192.168.20.131")
    found = find_sayings(recording).shown(Disguise(Identified(recording), who))
    assert not found.mdns.compresses
    known = Speaker(found.model_dump(mode="json")["mdns"])
    said, to_group = answered(known, question())
    assert to_group
    assert kinds(said.answers) == [PTR, SRV, TXT, A]
    assert said.answers[3].data == bytes([192, 168, 20, 131])
    suffix = who.device_mac.replace(":", "")
    assert b"id=" + suffix.encode() in said.answers[2].data
    searched = Announcer(found.model_dump(mode="json")["ssdp"]).answer(search("ssdp:all"))
    assert len(searched.payloads) == 3
    for payload in searched.payloads:
        assert b"LOCATION: http://192.168.20.131/description.xml\r\n" in payload
        assert suffix.encode() in payload
