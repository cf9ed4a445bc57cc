"""Ids and counters of what is asked and answered agree, whatever captures a session is made of.

tshark reads them, from honeydata that was learnt from the captures of `dialogues`.
"""

import re
import subprocess
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.end_to_end.dialogues import DEVICE, DIALOGUES, Home, save
from tests.end_to_end.invoke import invoke

VERIFY = [word for name in ("ip", "udp", "tcp") for word in ("-o", f"{name}.check_checksum:TRUE")]
STATUSES = [f"{name}.checksum.status" for name in ("ip", "udp", "tcp")]
MALFORMED = "_ws.malformed"

# few captures are warned of
pytestmark = pytest.mark.filterwarnings("ignore")


class Made(NamedTuple):
    captures: list[Path]
    generated: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    known = {}

    def make(kind: str) -> Made:
        if kind not in known:
            folder = tmp_path_factory.mktemp(kind)
            captures = folder / "captures"
            captures.mkdir()
            for number in range(5):
                home = Home(number)
                DIALOGUES[kind](home)
                save(home, captures / f"{number}.pcap")
            model, generated = folder / "m.model", folder / "x.pcap"
            fit = invoke("fit", captures, "--device", DEVICE, "--window", 8, "--out", model)
            assert fit.returncode == 0, fit.stderr
            done = invoke("generate", model, "--sessions", 5, "--seed", 3, "--out", generated)
            assert done.returncode == 0, done.stderr
            known[kind] = Made(sorted(captures.iterdir()), generated)
        return known[kind]

    return make


def told(path: Path, *fields: str, only: str) -> list[list[str]]:
    """What tshark says of packets, a field a column."""
    wanted = [word for field in fields for word in ("-e", field)]
    command = ["tshark", "-r", str(path), *VERIFY, "-Y", only, "-T", "fields", *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def count_on(numbers, span, steps=(0, 1)):
    """Whether each of the lines of numbers counts on."""
    pairs = [pair for line in numbers.values() for pair in pairwise(line)]
    assert len(pairs) > 10
    return {(b - a) % span for a, b in pairs} <= {*steps}


@pytest.mark.parametrize("kind", DIALOGUES)
def test_nothing_is_malformed_and_all_checksums_are_right(made, kind):
    rows = told(made(kind).generated, MALFORMED, *STATUSES, only="frame")
    assert len(rows) > 150
    assert not [row for row in rows if row[0] or "0" in ",".join(row[1:]).split(",")]


def test_snmp_answers_what_was_asked_and_counts_on(made):
    captures, generated = made("snmp")
    fields = "udp.srcport", "udp.dstport", "snmp.request_id", "snmp.msgID"
    asked, answered, lines = set(), set(), defaultdict(list)
    for source, to, *ids in told(generated, *fields, only="snmp"):
        if to == "161":
            asked.add((source, *ids))
            lines[source].append(int(ids[0]))
        else:
            answered.add((to, *ids))
    assert answered <= asked
    assert any(version_3 for *_, version_3 in answered)
    assert count_on(lines, 2**32)
    before = {row[0] for path in captures for row in told(path, fields[2], only="snmp")}
    assert not before & {number for _, number, _ in asked}


def test_sip_answers_within_the_call_and_acknowledges_it(made):
    captures, generated = made("sip")
    fields = "ip.src", "sip.Method", "sip.Call-ID", "sip.CSeq.seq", "sip.Via.branch", "sip.from.tag"
    rows = told(generated, *fields, "sip.to.tag", only="sip")
    asked = {tuple(row[2:6]) for row in rows if row[1]}
    assert {tuple(row[2:6]) for row in rows if not row[1]} <= asked
    invited = {(row[2], row[3]) for row in rows if row[1] == "INVITE"}
    acknowledged = {(row[2], row[3]) for row in rows if row[1] == "ACK"}
    assert acknowledged
    assert acknowledged <= invited
    numbers, tags = defaultdict(list), defaultdict(set)
    for source, method, call, number, _, *ends in rows:
        tags[call] |= {*ends} - {""}
        if method and method != "ACK":
            numbers[call, source].append(int(number))
    assert count_on(numbers, 2**31)
    assert all(len(each) <= 2 for each in tags.values())
    before = {row[0] for path in captures for row in told(path, "sip.Call-ID", only="sip")}
    assert not {each.partition("@")[0] for each in before} & {
        each.partition("@")[0] for each in tags
    }


def test_sip_registers_with_what_the_server_gave(made):
    rows = told(made("sip").generated, "sip.Method", "sip.auth.nonce", only="sip.auth.nonce")
    given = {nonce for method, nonce in rows if not method}
    used = {nonce for method, nonce in rows if method}
    assert used
    assert used <= given


def test_rtsp_answers_by_number_and_keeps_its_session(made):
    asked, numbers, sessions = set(), defaultdict(list), {}
    for stream, source, payload in told(
        made("rtsp").generated, "tcp.stream", "tcp.srcport", "tcp.payload", only="rtsp"
    ):
        text = bytes.fromhex(payload).decode()
        number = int(re.search(r"CSeq: (\d+)", text)[1])
        session = re.search(r"Session: (\w+)", text)
        if source == "554":
            assert (stream, number) in asked
            sessions |= {stream: session[1]} if session else {}
        else:
            assert not session or session[1] == sessions[stream]
            asked.add((stream, number))
            numbers[stream].append(number)
    assert count_on(numbers, 2**31)
    assert len({*sessions.values()}) == len(sessions) > 5


def test_s7_answers_by_reference(made):
    fields = "tcp.stream", "tcp.srcport", "s7comm.header.pduref"
    asked, numbers = set(), defaultdict(list)
    for stream, source, number in told(made("s7").generated, *fields, only="s7comm"):
        if source == "102":
            assert (stream, number) in asked
        else:
            asked.add((stream, number))
            numbers[stream].append(int(number))
    assert count_on(numbers, 2**16)
    fields = "tcp.stream", "cotp.type", "cotp.srcref", "cotp.destref"
    rows = told(made("s7").generated, *fields, only="cotp.srcref")
    called = {(stream, caller) for stream, kind, caller, _ in rows if int(kind, 16) == 0xE}
    confirmed = {(stream, caller) for stream, kind, _, caller in rows if int(kind, 16) == 0xD}
    assert called == confirmed
    assert len(called) > 5


def test_dnp3_counts_on_in_each_layer_and_its_checksums_are_right(made):
    wrong = "dnp3.hdr.CRC.incorrect || dnp3.data_chunk.CRC.incorrect"
    assert not told(made("dnp3").generated, "frame.number", only=wrong)
    fields = (
        "tcp.stream",
        "tcp.srcport",
        "dnp3.tr.seq",
        "dnp3.al.seq",
        "dnp3.al.func",
        "dnp3.al.uns",
    )
    segments, asked, unasked = (defaultdict(list) for _ in range(3))
    for stream, source, numbers, number, kind, is_unasked in told(
        made("dnp3").generated, *fields, only="dnp3"
    ):
        segments[stream, source].append(int(numbers))
        if kind == "1":
            asked[stream].append(int(number))
        elif kind == "130":
            unasked[stream].append(int(number))
        elif kind == "129" or not int(is_unasked):
            assert asked[stream][-1:] == [int(number)]
        else:
            assert unasked[stream][-1:] == [int(number)]
    assert count_on(segments, 64, (1,))
    assert count_on(asked, 16, (1,))
    assert count_on(unasked, 16, (1,))


def test_modbus_answers_each_of_several_questions_that_are_under_way(made):
    asked, numbers, most = set(), defaultdict(list), 1
    fields = "tcp.stream", "tcp.srcport", "mbtcp.trans_id"
    for stream, source, ids in told(made("modbus").generated, *fields, only="mbtcp"):
        most = max(most, ids.count(",") + 1)
        for number in map(int, ids.split(",")):
            if source == "502":
                assert (stream, number) in asked
            else:
                asked.add((stream, number))
                numbers[stream].append(number)
    assert most == 3
    assert count_on(numbers, 2**16)
    # one master begins at 1, the other anywhere, and both as they did
    firsts = [line[0] for line in numbers.values()]
    assert firsts.count(1) == len(firsts) / 2
    assert len({*firsts}) == 1 + len(firsts) / 2


@pytest.mark.parametrize(("kind", "by"), [("rtsp", "RTSP"), ("sip", "SDP")])
def test_media_come_by_the_ports_that_were_announced(made, kind, by):
    made_of = made(kind)
    for path in (*made_of.captures, made_of.generated):
        # of all streams with packets as long as those of media
        streams = {each for (each,) in told(path, "udp.stream", only="udp.length == 180")}
        rows = told(path, "udp.stream", "rtp.setup-method", only="rtp.setup-method")
        assert streams
        assert {stream for stream, how in rows if how.startswith(by)} == streams, path
