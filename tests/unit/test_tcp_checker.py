"""The checker of TCP connections: silent about a right exchange, and not about any wrong one."""

import gzip
import struct

import pytest
from tcp_checker import RULES, check, check_frames, rates

from tests.drill import Frame, frames, save

RIGHT = """\
0.000 > S 0:0(0) win 29200 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>
+.010 < S. 0:0(0) ack 1 win 2000 <mss 1000,sackOK,TS val 900 ecr 100,nop,wscale 1>
+.001 > . 1:1(0) ack 1 win 229 <nop,nop,TS val 101 ecr 900>
+.001 > P. 1:101(100) ack 1 win 229 <nop,nop,TS val 102 ecr 900>
+.010 < . 1:1(0) ack 101 win 1000 <nop,nop,TS val 901 ecr 102>
+.001 < P. 1:501(500) ack 101 win 1000 <nop,nop,TS val 902 ecr 102>
+.001 < P. 1001:1501(500) ack 101 win 1000 <nop,nop,TS val 903 ecr 102>
+.001 < P. 501:1001(500) ack 101 win 1000 <nop,nop,TS val 903 ecr 102>
+.001 > . 101:101(0) ack 501 win 229 <nop,nop,TS val 103 ecr 902>
+.000 > . 101:101(0) ack 501 win 229 <nop,nop,TS val 103 ecr 902,nop,nop,sack 1001:1501>
+.300 < P. 1001:1501(500) ack 101 win 1000 <nop,nop,TS val 910 ecr 103>
+.001 > . 101:101(0) ack 1501 win 229 <nop,nop,TS val 108 ecr 903>
+.001 > . 101:101(0) ack 1501 win 229 <nop,nop,TS val 109 ecr 903,nop,nop,sack 1001:1501>
+9.00 < . 1500:1500(0) ack 101 win 1000 <nop,nop,TS val 920 ecr 109>
+.001 > . 101:101(0) ack 1501 win 229 <nop,nop,TS val 119 ecr 920>
+1.00 > . 101:1089(988) ack 1501 win 229 <nop,nop,TS val 130 ecr 920>
+.001 > . 1089:2077(988) ack 1501 win 229 <nop,nop,TS val 130 ecr 920>
+.001 > P. 2077:2101(24) ack 1501 win 229 <nop,nop,TS val 130 ecr 920>
+.010 < . 1501:1501(0) ack 2101 win 0 <nop,nop,TS val 930 ecr 130>
+.010 > . 2101:2102(1) ack 1501 win 229 <nop,nop,TS val 131 ecr 930>
+.100 < . 1501:1501(0) ack 2102 win 900 <nop,nop,TS val 940 ecr 131>
+.001 > F. 2102:2102(0) ack 1501 win 229 <nop,nop,TS val 140 ecr 940>
+.001 < F. 1501:1501(0) ack 2103 win 900 <nop,nop,TS val 941 ecr 140>
+.001 > . 2103:2103(0) ack 1502 win 229 <nop,nop,TS val 141 ecr 941>
"""
PLAIN = """\
0.000 > S 0:0(0) win 5840
+.001 < S. 0:0(0) ack 1 win 5840
+.001 > . 1:1(0) ack 1 win 5840
+.001 > P. 1:11(10) ack 1 win 5840
+.001 < R 1:1(0) win 0
+.100 > P. 11:21(10) ack 1 win 5840
"""
REFUSED = """\
0.000 > S 0:0(0) win 5840
+.001 < R. 0:0(0) ack 1 win 0
+1.00 > S 0:0(0) win 5840
+.001 < R. 0:0(0) ack 1 win 0
+1.00 > S 9:9(0) win 5840
"""
HALF_OPEN = """\
0.000 > S 0:0(0) win 5840
+.001 < . 777:777(0) ack -9000 win 5840
+.001 > R -9000:-9000(0) win 0
+1.00 > S 0:0(0) win 5840
+.001 < S. 0:0(0) ack 1 win 5840
"""


def found(made: list[Frame]) -> list[tuple[int, str]]:
    report = check_frames((each.time_ns, each.frame) for each in made)
    return [(finding.packet, finding.rule) for finding in report.findings]


@pytest.mark.parametrize("text", [RIGHT, PLAIN, REFUSED, HALF_OPEN])
@pytest.mark.parametrize("isns", [(1000, 5000), (2**32 - 700, 2**32 - 1)])
def test_nothing_is_wrong_with_a_right_exchange(text, isns) -> None:
    assert found(frames(text, isns=isns)) == []


@pytest.mark.parametrize("cut", range(1, RIGHT.count("\n")))
def test_a_capture_may_begin_amid_a_connection(cut) -> None:
    assert found(frames(RIGHT)[cut:]) == []


WRONG = [
    # rule, script, line from 1 on, what stands there, what shall
    ("ack-beyond-sent", RIGHT, 5, "ack 101", "ack 102"),
    ("ack-inside", RIGHT, 5, "ack 101", "ack 51"),
    ("ack-of-hole", RIGHT, 8, "< P. 501:1001(500) ack 101", "> . 101:101(0) ack 1501"),
    ("ack-went-back", RIGHT, 15, "ack 1501", "ack 501"),
    ("after-fin", RIGHT, 24, "2103:2103(0)", "2103:2113(10)"),
    ("after-fin", RIGHT, 24, "2103:2103(0)", "2104:2104(0)"),
    ("after-fin", RIGHT, 24, ". 2103:2103(0)", "F. 2101:2101(0)"),
    ("after-rst", PLAIN, 6, "+.100", "+1.5"),
    ("after-rst", PLAIN, 6, "> P. 11:21(10) ack 1", "< P. 1:11(10) ack 11"),
    ("after-rst", PLAIN, 6, "> P. 11:21(10) ack 1", "< S. 0:0(0) ack 1"),
    ("beyond-window", RIGHT, 18, "2077:2101(24)", "2077:2102(25)"),
    ("beyond-window", RIGHT, 20, "2101:2102(1)", "2101:2103(2)"),
    ("beyond-window", PLAIN, 4, "1:11(10)", "6000:6000(0)"),
    ("mss", RIGHT, 16, "101:1089(988)", "101:1090(989)"),
    ("mss", PLAIN, 4, "1:11(10)", "1:538(537)"),
    ("never-sent", RIGHT, 17, "1089:2077(988)", "1090:2077(987)"),
    ("no-ack", PLAIN, 4, "P. 1:11(10) ack 1", "P 1:11(10)"),
    ("old", RIGHT, 16, "101:1089(988)", "1:101(100)"),
    ("old", RIGHT, 15, "101:101(0)", "99:99(0)"),
    ("old", RIGHT, 24, "2103:2103(0)", "2102:2102(0)"),
    ("options", PLAIN, 2, "win 5840", "win 5840 <sackOK>"),
    ("options", PLAIN, 4, "win 5840", "win 5840 <mss 1460>"),
    ("options", PLAIN, 4, "win 5840", "win 5840 <TS val 1 ecr 0>"),
    ("options", PLAIN, 4, "win 5840", "win 5840 <sack 1:1>"),
    ("options", RIGHT, 5, "<nop,nop,TS val 901 ecr 102>", ""),
    ("rst-sequence", PLAIN, 5, "R 1:1(0)", "R 0:0(0)"),
    ("rst-sequence", PLAIN, 5, "R 1:1(0)", "R 9000:9000(0)"),
    ("rst-sequence", REFUSED, 2, "ack 1", "ack 2"),
    ("rst-sequence", REFUSED, 2, "R. 0:0(0) ack 1", "R 0:0(0)"),
    ("sack", RIGHT, 10, "1001:1501", "1001:1502"),
    ("sack", RIGHT, 10, "1001:1501", "1501:1001"),
    ("sack", RIGHT, 10, "1001:1501", "501:1501"),
    ("sack", RIGHT, 10, "1001:1501", "1:101"),
    ("sack", RIGHT, 13, "1001:1501", "1000:1501"),
    ("sack", RIGHT, 13, "1001:1501", "501:1001"),
    ("syn-ack", PLAIN, 2, "ack 1", "ack 2"),
    ("timestamp-echo", RIGHT, 5, "ecr 102", "ecr 99"),
    ("timestamp-old", RIGHT, 4, "TS val 102", "TS val 99"),
    ("unopened", HALF_OPEN, 2, "777:777(0) ack -9000", "777:787(10) ack -9000"),
    ("unopened", HALF_OPEN, 5, "S. 0:0(0) ack 1", ". 1:1(0) ack 1"),
    ("unopened", HALF_OPEN, 2, "< . 777:777(0) ack -9000", "> . 1:1(0) ack 1"),
]


@pytest.mark.parametrize(("rule", "text", "line", "right", "wrong"), WRONG)
def test_each_rule_is_seen_to_be_broken_where_it_is(rule, text, line, right, wrong) -> None:
    lines = text.splitlines()
    assert right in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(right, wrong)
    broken = found(frames("\n".join(lines)))
    assert (line, rule) in broken
    assert all(at >= line or why == "never-sent" for at, why in broken)


def test_other_bytes_under_the_same_numbers_are_seen() -> None:
    made = frames(RIGHT)
    made[10:11] = [
        each._replace(time_ns=made[10].time_ns)
        for each in frames(RIGHT.splitlines()[10], streams=(b"x" * 1002, b""))
    ]
    assert found(made) == [(11, "data-changed")]


def test_a_second_syn_ack_has_the_number_of_the_first() -> None:
    lines = PLAIN.splitlines()
    again = "\n".join([*lines[:2], lines[1], *lines[2:]])
    assert found(frames(again)) == []
    assert found(frames(again.replace("< S. 0:0(0)", "< S. 7:7(0)", 1)))[0] == (3, "syn-ack")


def test_no_rule_goes_untested() -> None:
    assert {rule for rule, *_ in WRONG} | {"data-changed"} == set(RULES)


def tagged(frame: bytes) -> bytes:
    return frame[:12] + b"\x81\0\0\x0a" + frame[12:]


def in_ipv6(frame: bytes) -> bytes:
    ends = b"".join(bytes(12) + frame[at : at + 4] for at in (26, 30))
    header = struct.pack("!IHBB", 6 << 28, len(frame) - 34, 6, 64)
    return frame[:12] + b"\x86\xdd" + header + ends + frame[34:]


@pytest.mark.parametrize("change", [tagged, in_ipv6])
def test_the_frame_around_a_segment_does_not_matter(change) -> None:
    wrong = RIGHT.replace("sack 1001:1501", "sack 1001:1502", 1)
    assert found([e._replace(frame=change(e.frame)) for e in frames(wrong)]) == [(10, "sack")]


def test_captures_are_read_and_their_findings_set_against_their_segments(tmp_path) -> None:
    path, zipped = tmp_path / "drill.pcap", tmp_path / "drill.pcap.gz"
    save(path, frames(PLAIN.replace("+.100", "+1.001")))
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    reports = [check(path), check(zipped)]
    assert [each.segments for each in reports] == [6, 6]
    assert [each.connections for each in reports] == [1, 1]
    (late,) = reports[1].findings
    assert late[:3] == ("10.0.0.2.40000 > 192.0.2.3.9999", 6, "after-rst")
    assert rates(reports) == {"after-rst": 166.67}
