"""What is sent when: by the clock, within the rate, and only what may be."""

import os
import random
import time
from ipaddress import IPv4Network

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.live.emitting.due import MOST_BYTES, DueFrame, decode, encode, mark_of
from iotflowgen.live.emitting.guard import Guard, Host
from iotflowgen.live.emitting.lateness import Lateness
from iotflowgen.live.emitting.process import Emitter
from iotflowgen.live.emitting.queue import Queue
from iotflowgen.live.emitting.sent import Sent, ring

MAC, IP = bytes.fromhex("021122334455"), bytes([192, 168, 20, 31])
GATEWAY = bytes.fromhex("02005e100001")
OWN = bytes.fromhex("02aaaaaaaaaa")
GUARD = Guard(IPv4Network("192.168.20.0/24"), [Host(MAC, IP)], [OWN, bytes([192, 168, 20, 7])])


def ip_frame(to_mac, from_mac, source, target):
    header = b"\x45" + bytes(11) + bytes(source) + bytes(target)
    return to_mac + from_mac + b"\x08\x00" + header


def arp_frame(to_mac, from_mac, sender):
    return to_mac + from_mac + b"\x08\x06" + bytes(8) + from_mac + bytes(sender) + bytes(10)


OUTSIDE = [203, 0, 114, 9]


@pytest.mark.parametrize(
    ("far", "frame"),
    [
        (False, ip_frame(GATEWAY, MAC, IP, OUTSIDE)),
        (False, ip_frame(b"\xff" * 6, MAC, [0] * 4, [255] * 4)),
        (False, arp_frame(b"\xff" * 6, MAC, [0] * 4)),
        (True, ip_frame(MAC, GATEWAY, OUTSIDE, IP)),
        (True, ip_frame(MAC, GATEWAY, [192, 168, 20, 1], [192, 168, 20, 255])),
        (True, arp_frame(MAC, GATEWAY, [192, 168, 20, 1])),
        (True, ip_frame(b"\x01\x00\x5e\0\0\x01", GATEWAY, [192, 168, 20, 1], [224, 0, 0, 1])),
    ],
)
def test_what_belongs_to_a_decoy_passes_with_a_vlan_tag_as_well(far, frame):
    assert GUARD.complaint(DueFrame(0, 0, far, frame)) == ""
    tagged = frame[:12] + b"\x81\x00\x00\x14" + frame[12:]
    assert GUARD.complaint(DueFrame(0, 0, far, tagged)) == ""


@pytest.mark.parametrize(
    ("far", "frame"),
    [
        (False, ip_frame(GATEWAY, GATEWAY, IP, OUTSIDE)),
        (False, ip_frame(GATEWAY, MAC, [192, 168, 20, 32], OUTSIDE)),
        (False, ip_frame(GATEWAY, MAC, OUTSIDE, OUTSIDE)),
        (False, arp_frame(b"\xff" * 6, MAC, [192, 168, 20, 1])),
        (True, ip_frame(GATEWAY, GATEWAY, OUTSIDE, IP)),
        (True, ip_frame(MAC, GATEWAY, OUTSIDE, [192, 168, 20, 32])),
        (True, ip_frame(MAC, MAC, OUTSIDE, IP)),
        (True, ip_frame(MAC, OWN, OUTSIDE, IP)),
        (True, ip_frame(MAC, GATEWAY, [192, 168, 20, 7], IP)),
        (True, arp_frame(MAC, GATEWAY, [10, 0, 0, 1])),
    ],
)
def test_what_does_not_belong_to_a_decoy_is_withheld(far, frame):
    sent, said = [], []
    emitter = Emitter([sent.append] * 2, GUARD, 1000, said.append)
    tagged = frame[:12] + b"\x81\x00\x00\x14" + frame[12:]
    for each in (frame, tagged):
        emitter.emit(DueFrame(time.monotonic_ns(), 0, far, each))
    assert sent == []
    assert sum(emitter.withheld.values()) == 2
    assert len(said) == 1


def own(due_ns):
    return DueFrame(due_ns, 0, False, ip_frame(GATEWAY, MAC, IP, OUTSIDE))


def emitted(dues_ns, rate=1000):
    """When frames were sent, of those due so much later than now, and by whom."""
    sent_ns, said = [], []
    send = [lambda _: sent_ns.append(time.monotonic_ns())] * 2
    emitter = Emitter(send, GUARD, rate, said.append)
    now_ns = time.monotonic_ns()
    for due_ns in dues_ns:
        emitter.emit(own(now_ns + due_ns))
    return np.array(sent_ns) - now_ns, emitter, said


def test_frames_are_sent_when_they_are_due_and_never_before():
    dues_ns = np.cumsum([0, 5_000_000, 100_000, 30_000_000])
    sent_ns, emitter, said = emitted(dues_ns.tolist())
    assert (sent_ns >= dues_ns).all()
    assert emitter.sent == [4, 0]
    assert emitter.lateness.packets == 4
    assert said == []


def test_who_is_far_behind_goes_on_from_now_without_a_burst():
    dues_ns = np.array([-5_000_000_000, -4_980_000_000, -4_950_000_000])
    sent_ns, emitter, said = emitted(dues_ns.tolist())
    assert emitter.shift_ns >= 5_000_000_000
    assert len(said) == 1
    assert "s behind; going on from now" in said[0]
    # each as much later as the first
    assert (sent_ns >= dues_ns + emitter.shift_ns).all()


def test_who_is_a_little_behind_catches_up():
    _, emitter, said = emitted([-500_000_000, -400_000_000, 0])
    assert (emitter.shift_ns, said) == (0, [])
    assert emitter.lateness.most_ns >= 500_000_000


def test_the_rate_is_a_limit():
    sent_ns, _, _ = emitted([0] * 260, rate=200)
    assert sent_ns[-1] >= 250_000_000


@given(
    st.lists(
        st.builds(
            DueFrame,
            st.integers(0, 2**62),
            st.integers(0, 2**16 - 1),
            st.booleans(),
            st.binary(min_size=14, max_size=9000),
        )
    )
)
def test_due_frames_come_out_as_they_went_in(frames):
    messages = [*encode(frames)]
    found = [*map(decode, messages)]
    assert sum(each.length for each in found) == len(frames)
    assert [each for message in found for each in every(message)] == frames
    assert all(len(message) <= MOST_BYTES for message in messages)


def every(message):
    """All frames of a message."""
    at, found = 0, []
    while at < len(message.frames):
        frame, at = message.next(at)
        found.append(frame)
    return found


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=300))
def test_percentiles_of_lateness_are_right_to_a_sixteenth(late_ns):
    lateness = Lateness()
    for each in late_ns:
        lateness.add(each)
    for share in (0.5, 0.99, 1.0):
        exact = np.percentile(late_ns, 100 * share, method="inverted_cdf")
        assert exact <= lateness.percentile_ns(share) <= exact * 17 / 16 + 1
    assert lateness.percentile_ns(1.0) == max(late_ns)


@given(st.lists(st.one_of(st.none(), st.booleans(), st.lists(st.integers(0, 20), max_size=6))))
def test_frames_leave_the_queue_as_they_are_due_however_they_came(steps):
    queue, expected, number = Queue(), [], 0
    for step in steps:
        if step is None:
            if expected:
                first = queue.first
                assert first is queue.pop()
                assert first == expected.pop(0)
        elif isinstance(step, bool):
            queue.drop(int(step))
            expected = [each for each in expected if each.decoy != step]
        else:
            frames = []
            for due_ns in sorted(step):
                frames.append(DueFrame(due_ns, number % 2, False, b"%d" % number))
                number += 1
            for message in encode(frames):
                queue.put(decode(message))
            expected = sorted([*expected, *frames], key=lambda each: each.due_ns)
    assert [queue.pop() for _ in range(len(expected))] == expected
    assert len(queue) == 0


def test_what_is_sent_is_read_in_order_also_after_the_ring_begins_anew():
    file = ring()
    writer, reader = Sent(file), Sent(file)
    os.close(file)
    rng = random.Random(1)
    for turn in range(40):
        frames = [bytes([turn, i]) * rng.randrange(30, 757) for i in range(256)]
        for i, frame in enumerate(frames):
            writer.add(frame, far=i % 3 == 0)
        expected = [
            (i % 3 == 0, frame if i % 3 else mark_of(frame)) for i, frame in enumerate(frames)
        ]
        assert [tuple(each) for each in reader.read()] == expected


def test_who_reads_too_late_goes_on_with_what_comes():
    file = ring()
    writer, reader = Sent(file), Sent(file)
    os.close(file)
    said = [i.to_bytes(2) * 750 for i in range(5000)]
    for frame in said:
        writer.add(frame, far=False)
    found = [each.frame for each in reader.read()]
    assert len(found) < len(said)
    assert found == said[len(said) - len(found) :]
    writer.add(b"new" * 20, far=False)
    assert [each.frame for each in reader.read()] == [b"new" * 20]
