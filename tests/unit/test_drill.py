"""The helper that turns packetdrill scripts into frames, and back."""

import subprocess
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from tests.drill import ISNS, frames, read, save, script

WHOLE = """\
0.000 < S 0:0(0) win 29200 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>
+0.010 > S. 0:0(0) ack 1 win 28960 <mss 1460,sackOK,TS val 7 ecr 100,nop,wscale 4>
+0.010 < . 1:1(0) ack 1 win 229 <nop,nop,TS val 101 ecr 7>
+0.000250001 > P. 1:1001(1000) ack 1 win 1810
+0.000 > . 2001:3001(1000) ack 1 win 1810
+0.100 < . 1:1(0) ack 1001 win 257 <sack 2001:3001>
+0.000 < . 1:1(0) ack 1001 win 257 <nop,nop,sack 2001:2101 2001:3001>
+12.000 > . 0:1(1) ack 1 win 1810
+0.000 < FP. 1:101(100) ack 1001 win 257
+0.000 > R 1001:1001(0) win 0
"""


def test_a_script_becomes_frames_and_a_script_again() -> None:
    assert script(frames(WHOLE)) == WHOLE


def test_the_initial_numbers_are_found_in_the_frames_and_may_wrap() -> None:
    assert script(frames(WHOLE, isns=(2**32 - 1, 2**32 - 500))) == WHOLE


def test_a_connection_without_its_beginning_begins_with_one() -> None:
    made = frames("1.000 < . 501:601(100) ack 9001 win 5\n2.000 > . 9001:9001(0) ack 601 win 5")
    told = "< . 1:101(100) ack 1 win 5\n> . 1:1(0) ack 101 win 5\n"
    assert script(made, times=False) == told
    assert "501:601(100) ack 9001" in script(made, isns=ISNS)


def test_what_need_not_be_said_is_added() -> None:
    short = """
        // times of packetdrill's own look
        .5 > S 0:0(0)   // a SYN
        < S. 0:0(0) ack 1 <mss 9>
        +.25 > . 1:1(0) ack 1
    """
    assert script(frames(short)) == (
        "0.500 > S 0:0(0) win 65535\n"
        "+0.000 < S. 0:0(0) ack 1 win 65535 <mss 9>\n"
        "+0.250 > . 1:1(0) ack 1 win 65535\n"
    )


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("> S 0:1(0)", "1 bytes, not 0"),
        ("> . 1:1(0)", "need each other"),
        ("> P 1:1(0) ack 1", "need each other"),
        ("> X 1:1(0)", "no segment"),
        ("> S 0:0(0) <fast>", "no option"),
        ("> S 0:0(0) <sack 1:2 1:2 1:2 1:2 1:2>", "more than a segment holds"),
    ],
)
def test_what_is_no_script_is_refused(line: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        frames(line)


def test_scapy_reads_what_the_script_says() -> None:
    made = frames(
        WHOLE,
        macs=("02:00:00:00:00:0a", "02:00:00:00:00:0b"),
        addresses=("192.0.2.9", "10.0.0.9"),
        ports=(80, 50_000),
        ids=(300, 65_535),
        ttls=(57, 64),
        streams=(b"hello", b""),
        start_ns=10**9,
    )
    packets = [Ether(each.frame) for each in made]
    opening, answer, last = packets[0], packets[1], packets[8]
    assert (opening.src, opening.dst) == ("02:00:00:00:00:0a", "02:00:00:00:00:0b")
    assert (opening[IP].src, opening[IP].dst) == ("192.0.2.9", "10.0.0.9")
    assert (opening[IP].ttl, answer[IP].ttl, opening[IP].flags) == (57, 64, "DF")
    assert (opening.sport, opening.dport, opening.seq, opening[TCP].flags) == (
        80,
        50_000,
        1000,
        "S",
    )
    assert opening[TCP].options == [
        ("MSS", 1460),
        ("SAckOK", b""),
        ("Timestamp", (100, 0)),
        ("NOP", None),
        ("WScale", 7),
    ]
    assert (answer.seq, answer.ack, answer.window, answer[TCP].flags) == (5000, 1001, 28960, "SA")
    assert packets[5][TCP].options[0] == ("SAck", (7001, 8001))
    assert last[TCP].flags == "FPA"
    assert bytes(last[TCP].payload)[:6] == b"hello\x05"
    assert [each[IP].id for each in packets if each.sport == 80] == [*range(300, 305)]
    assert [each[IP].id for each in packets if each.sport != 80] == [65_535, 0, 1, 2, 3]
    assert made[0].time_ns == 10**9
    assert made[-1].time_ns == 10**9 + 12_120_250_001
    for each, packet in zip(made, packets, strict=True):
        del packet[IP].chksum, packet[TCP].chksum
        assert bytes(packet) == each.frame


def test_tshark_finds_the_checksums_right_and_the_connection_as_told(tmp_path) -> None:
    path = tmp_path / "drill.pcap"
    save(path, frames(WHOLE))
    assert read(path) == frames(WHOLE)
    fields = ("ip.checksum.status", "tcp.checksum.status", "tcp.seq", "tcp.ack", "tcp.len")
    words = [word for name in fields for word in ("-e", name)]
    checks = [word for name in ("ip", "tcp") for word in ("-o", f"{name}.check_checksum:TRUE")]
    done = subprocess.run(
        ["tshark", "-n", "-r", path, *checks, "-T", "fields", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[:2] for row in rows] == [["1", "1"]] * len(rows)
    assert rows[3][2:] == ["1", "1", "1000"]
    assert rows[5][2:] == ["1", "1001", "0"]
    assert rows[8][2:] == ["1", "1001", "100"]


OPTIONS = st.lists(
    st.sampled_from(["nop", "mss 536", "wscale 3", "sackOK", "TS val 9 ecr 4294967295"])
    | st.sampled_from(["sack -5:7", "sack 1:2 4:9", "option 34", "option 253 0a0b"]),
    max_size=2,
)


@st.composite
def lines(draw: st.DrawFn) -> str:
    flags = "".join(f for f in "FSRP.UEW" if draw(st.booleans())) or "."
    start, size = draw(st.integers(-(2**31), 2**31 - 1)), draw(st.integers(0, 1460))
    words = [draw(st.sampled_from("<>")), flags, f"{start}:{start + size}({size})"]
    if "." in flags:
        words.append(f"ack {draw(st.integers(-(2**31), 2**31 - 1))}")
    words.append(f"win {draw(st.integers(0, 65535))}")
    if options := draw(OPTIONS):
        words.append(f"<{','.join(options)}>")
    return " ".join(words)


ISN = st.integers(0, 2**32 - 1)


@given(
    said=st.lists(st.tuples(st.integers(0, 10**11), lines()), min_size=1, max_size=8),
    isns=st.tuples(ISN, ISN),
    start_ns=st.integers(0, 2**60),
)
def test_any_script_comes_back_from_its_frames(said, isns, start_ns) -> None:
    bare = "".join(line + "\n" for _, line in said)
    assert script(frames(bare, isns=isns), isns=isns, times=False) == bare
    pauses = [pause for pause, _ in said]
    timed = "".join(f"+{pause // 10**9}.{pause % 10**9:09} {line}\n" for pause, line in said)
    made = frames(timed, isns=isns, start_ns=start_ns)
    assert [each.time_ns - start_ns for each in made] == [*accumulate(pauses)]
    again = frames(script(made, isns=isns), isns=isns)
    assert [each.frame for each in again] == [each.frame for each in made]
    assert [each.time_ns for each in again] == [each.time_ns for each in made]
