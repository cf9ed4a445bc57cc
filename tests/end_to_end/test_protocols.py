"""Devices that speak other protocols than TLS: tshark reads what is generated as what was captured.

The captures are real programs' (`samples/protocols`).
"""

import subprocess
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import REPOSITORY
from tests.end_to_end.invoke import invoke

SAMPLES = REPOSITORY / "samples" / "protocols"
KINDS = "mqtt", "coap", "coaps", "modbus", "rtsp", "quic", "ipv6"
PROTOCOLS = {
    "mqtt": ("mqtt",),
    "coap": ("coap",),
    "coaps": ("dtls",),
    "modbus": ("mbtcp",),
    "rtsp": ("rtsp", "rtp"),
    "quic": ("quic",),
    "ipv6": ("coap", "syslog", "icmpv6"),
}
CHECKED = ("ip", "udp", "tcp", "icmp", "icmpv6")
SUMMED = [f"{name}.checksum.status" for name in CHECKED]
VERIFY = [word for name in ("ip", "udp", "tcp") for word in ("-o", f"{name}.check_checksum:TRUE")]
DEVICE = "5e:cf:7f:51:40:01"

# few captures are warned of
pytestmark = pytest.mark.filterwarnings("ignore")


class Made(NamedTuple):
    captures: list[Path]
    generated: Path


@pytest.fixture(scope="module", params=KINDS)
def made(request, tmp_path_factory) -> tuple[str, Made]:
    folder = tmp_path_factory.mktemp(request.param)
    model, generated = folder / "m.model", folder / "x.pcap"
    captures = SAMPLES / request.param
    fit = invoke("fit", captures, "--device", DEVICE, "--window", 8, "--out", model)
    assert fit.returncode == 0, fit.stderr
    done = invoke("generate", model, "--sessions", 12, "--seed", 3, "--out", generated)
    assert done.returncode == 0, done.stderr
    return request.param, Made(sorted(captures.iterdir()), generated)


def told(path: Path, *fields: str, only: str = "frame") -> list[list[str]]:
    """What tshark says of packets, a field a column."""
    wanted = [word for field in fields for word in ("-e", field)]
    heuristic = ["--enable-heuristic", "rtp_udp"]
    command = ["tshark", "-r", str(path), *VERIFY, *heuristic, "-Y", only, "-T", "fields", *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def protocols_in(path: Path) -> Counter[str]:
    return Counter(
        name for (names,) in told(path, "frame.protocols") for name in {*names.split(":")}
    )


def test_nothing_is_malformed_and_all_checksums_are_right(made) -> None:
    kind, (_, generated) = made
    rows = told(generated, "_ws.malformed", *SUMMED, "udp.length")
    assert len(rows) > 100
    # what the client opens the way of RTP with is random in captures, too, and 200 bytes long
    opens = "208" if kind == "rtsp" else ""
    assert not [row for row in rows if row[0] and row[-1] != opens]
    assert not [row for row in rows if any("0" in each.split(",") for each in row[1:-1])]


def test_protocols_have_the_share_that_they_had(made) -> None:
    kind, (captures, generated) = made
    captured, now = sum(map(protocols_in, captures), Counter()), protocols_in(generated)
    for name in PROTOCOLS[kind]:
        before = captured[name] / captured["frame" if "frame" in captured else "eth"]
        after = now[name] / now["eth"]
        assert 0.6 * before < after < 1.6 * before + 0.05, name


ANSWERS = {
    # of answers the id and who sends them, of questions the same
    "mqtt": ("mqtt.msgtype==4 || mqtt.msgtype==9", "mqtt.msgtype==3 || mqtt.msgtype==8"),
    "coap": ("coap.type==2", "coap.type==0"),
    "ipv6": ("coap.type==2", "coap.type==0"),
}
IDS = {"mqtt": "mqtt.msgid", "coap": "coap.mid", "ipv6": "coap.mid"}


def test_answers_have_the_transaction_id_of_a_question(made) -> None:
    kind, (_, generated) = made
    if kind == "modbus":
        rows = told(generated, "modbus.request_frame", only="modbus && tcp.srcport==502")
        assert len(rows) > 20
        assert all(frame for (frame,) in rows)
    elif kind in ANSWERS:
        answers, questions = (
            {each for (ids,) in told(generated, IDS[kind], only=only) for each in ids.split(",")}
            for only in ANSWERS[kind]
        )
        assert len(answers) > 10
        assert answers <= questions


def test_tokens_and_ids_of_connections_are_new_and_those_of_the_connection(made) -> None:
    kind, (captures, generated) = made
    if kind == "quic":
        fields = ("udp.stream", "quic.dcid", "quic.scid")
        rows = told(generated, *fields, only="quic && quic.long.packet_type != 0")
        known = {
            (stream, each)
            for stream, *ids in told(generated, *fields, only="quic")
            for each in ",".join(ids).split(",")
        }
        assert all((row[0], each) in known for row in rows for each in row[1].split(","))
        before = {row[2] for path in captures for row in told(path, *fields, only="quic")} - {""}
        assert before
        assert not before & {each for _, each in known}
    elif kind in ("coap", "ipv6"):
        before = {row[0] for path in captures for row in told(path, "coap.token", only="coap")}
        now = {row[0] for row in told(generated, "coap.token", only="coap")}
        assert len(now) > 5
        assert not (before & now) - {""}


def test_a_device_on_ipv6_alone_shows_the_address_that_is_asked_for(tmp_path) -> None:
    model, asked, drawn = (tmp_path / name for name in ("m.model", "a.pcap", "b.pcap"))
    fit = invoke("fit", SAMPLES / "ipv6", "--device", DEVICE, "--window", 8, "--out", model)
    assert fit.returncode == 0, fit.stderr
    command = "generate", model, "--sessions", 2, "--seed", 3, "--out"
    assert invoke(*command, asked, "--ip6", "2001:db8:7::0:31").returncode == 0
    sent = {source for (source,) in told(asked, "ipv6.src", only="coap.code == 69")}
    assert sent == {"2001:db8:7::31"}
    # the others are of its network, and errors quote it
    ends = {each for row in told(asked, "ipv6.src", "ipv6.dst", only="coap") for each in row}
    assert all(each.startswith("2001:db8:7:") for each in ends)
    quoted = {row[0].split(",")[-1] for row in told(asked, "ipv6.src", only="icmpv6.type == 1")}
    assert quoted == {"2001:db8:7::31"}
    assert not told(asked, "frame.number", only="_ws.malformed || icmpv6.checksum.status == 0")
    for wrong in ("fe80::1", "ff02::1", "10.0.0.1", "::1"):
        done = invoke(*command, drawn, "--ip6", wrong)
        assert done.returncode == 2
        assert f"{wrong} is no IPv6 address" in " ".join(done.stderr.split())


def test_rtp_counts_on_and_has_one_source(made) -> None:
    kind, (_, generated) = made
    if kind != "rtsp":
        return
    # what the client opens the way with is random, and may look like RTP of any other type
    only = "rtp.p_type == 8"
    rows = told(generated, "udp.stream", "ip.src", "rtp.ssrc", "rtp.seq", only=only)
    flows = {}
    for stream, source, ssrc, number in rows:
        flows.setdefault((stream, source), []).append((ssrc, int(number)))
    assert flows
    for packets in flows.values():
        numbers = [number for _, number in packets]
        steps = {(b - a) % 2**16 for a, b in pairwise(numbers)}
        assert steps <= {1}
        assert len({ssrc for ssrc, _ in packets}) == 1
