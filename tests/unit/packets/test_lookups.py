import random
from collections import defaultdict
from pathlib import Path

from iotflowgen.packets.choices import Choices
from iotflowgen.packets.lookups import Lookups, answered
from tests.unit.packets.conftest import Learnt
from tests.unit.packets.owners import dissect
from tests.unit.packets.test_template import apart, stream

NEAR, FAR = bytes([192, 168, 1, 5]), bytes([93, 184, 216, 34])
OTHER = bytes([151, 101, 1, 69])


def answer(*ips: bytes) -> bytearray:
    """A message of DNS: a question, and records that point to its name (RFC 1035)."""
    name = b"\x04time\x07example\0\0\x01\0\x01"
    records = (b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04" + ip for ip in ips)
    return bytearray(b"\1\1\x81\x80\0\1\0\1\0\0\0\0" + name + b"".join(records))


def test_who_was_looked_up_last_comes_first() -> None:
    lookups = Lookups([NEAR, FAR, OTHER], [], Choices([]), random.Random(0))
    assert [*lookups] == []
    lookups.note(answer(OTHER), 0)
    lookups.note(answer(bytes(4), FAR), 0)
    assert [*lookups] == [1, 2]
    assert lookups.address(1) == FAR
    assert lookups.address(0) == b""
    lookups.forget()
    assert [*lookups] == []


def test_later_sessions_have_addresses_of_their_own() -> None:
    lookups = Lookups([NEAR, FAR, OTHER], [], Choices([]), random.Random(0))
    lookups.note(answer(FAR), 0)
    lookups.forget()
    for _ in range(2):
        lookups.note(message := bytearray(b"***") + answer(FAR, NEAR), 3)
        told, home = answered(message)
        assert told == lookups.address(1) != FAR
        assert told[:3] == FAR[:3]
        assert home == NEAR


def test_whom_the_device_contacts_was_looked_up(learnt: Learnt, tmp_path: Path) -> None:
    path = tmp_path / "honeydata.pcap"
    device = stream(learnt.headers, apart(learnt.traces), path).device_mac
    asked: dict[str, str] = {}
    known: defaultdict[int, set[str]] = defaultdict(set)
    fields = ("frame.time_epoch", "eth.src", "ip.dst", "tcp.flags", "dns.id", "dns.a")
    names = ("dns.qry.name", "dns.flags.response")
    opened = 0
    for values in dissect(path, (*fields, *names), "!mdns"):
        time, source, destination, flags, number, ips, name, answers = values
        # sessions are a day apart
        day = int(float(time[0]) // 86_400)
        if number and answers[0] in ("0", "False"):
            asked[number[0]] = name[0]
        elif number:
            assert asked[number[0]] == name[0]
            known[day] |= {*ips}
        elif flags and int(flags[0], 16) & 0x12 == 2 and source == [device]:
            opened += 1
            assert destination[0] in known[day], (time, destination, known[day])
    assert opened
