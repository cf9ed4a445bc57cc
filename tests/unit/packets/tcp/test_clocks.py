"""What the clocks of hosts say in sessions, by what they said in captures."""

import numpy as np
import pytest

from tests import drill
from tests.unit.packets.tcp.connections import recorded, repeated, sequences, stamps

SECOND = 10**9
CONNECTION = """
0.000 > S 0:0(0) win 100 <mss 1460,TS val {own} ecr 0>
+.010 < S. 0:0(0) ack 1 win 100 <mss 1460,TS val {peer} ecr {own}>
+.010 > . 1:1(0) ack 1 win 100 <nop,nop,TS val {own_1} ecr {peer}>
+5.00 > P. 1:11(10) ack 1 win 100 <nop,nop,TS val {own_2} ecr {peer}>
+.010 < . 1:1(0) ack 11 win 100 <nop,nop,TS val {peer_2} ecr {own_2}>
"""


def connection(
    at_s, own, peer, address="192.0.2.3", port=40_000, isns=drill.ISNS, source="10.0.0.2"
):
    """One at some second; the device's clock has 100 ticks a second, and the peer's 1000."""
    script = CONNECTION.format(
        own=own % 2**32,
        own_1=(own + 2) % 2**32,
        own_2=(own + 502) % 2**32,
        peer=peer % 2**32,
        peer_2=(peer + 5020) % 2**32,
    )
    return drill.frames(
        script,
        start_ns=at_s * SECOND,
        addresses=(address, source),
        ports=(80, port),
        isns=isns,
    )


def first_stamps(rows, frames, *, outgoing):
    """What is said first in each connection."""
    said = stamps(frames)[rows.outgoing == outgoing, 0]
    _, first = np.unique(rows.flow[rows.outgoing == outgoing], return_index=True)
    return said[first]


def test_clocks_that_go_on_agree_on_when_a_session_was():
    captures = [
        connection(at, 0, 7_000 + 1000 * at)
        + connection(at + 20, 2000, 90_000 + 1000 * at, "192.0.2.4")
        for at in (100, 400, 700)
    ]
    rows, frames = repeated(recorded(*captures), 0, 1, 1)
    said = first_stamps(rows, frames, outgoing=False).reshape(3, 2)
    # both say the same time between their capture and the next, which is no capture's own
    late = said - np.array([[107_000, 190_000], [407_000, 490_000], [407_000, 490_000]])
    assert (late[:, 0] == late[:, 1]).all()
    assert ((late > 0) & (late < 300_000)).all()
    assert late[1, 0] != late[2, 0]


def test_clocks_of_hosts_that_were_just_started_begin_alike():
    begins = (2**32 - 30_010, 2**32 - 30_000, 2**32 - 29_985)
    captures = [
        connection(300 * i, own, 5000) + connection(300 * i + 10, own + 1000, 5000, port=40_001)
        for i, own in enumerate(begins)
    ]
    rows, frames = repeated(recorded(*captures), 0, 1, 2)
    said = first_stamps(rows, frames, outgoing=True).reshape(3, 2)
    assert (np.abs(said[:, 0] - begins) <= 15).all()
    assert (np.diff(said) == 1000).all()


def test_a_host_that_starts_anew_in_each_capture_has_two_clocks_that_begin_alike():
    captures = [
        [
            frame
            for at, own in enumerate((off, 300 + off, 70 + off, 370 + off))
            for frame in connection(300 * i + 3 * at, own, 5000, port=40_000 + at)
        ]
        for i, off in enumerate((10, 12, 15))
    ]
    rows, frames = repeated(recorded(*captures), 1)
    said = first_stamps(rows, frames, outgoing=True)
    assert (np.diff(said)[[0, 2]] == 300).all()
    assert np.abs(said[[0, 2]] - [12, 82]).max() <= 5


def test_machines_behind_one_address_keep_their_clocks():
    machines = (10_000_000, 900_000_000, 2_000_000_000)
    captures = [
        [
            frame
            for turn in range(6)
            for frame in connection(
                at + 10 * turn,
                1000 * turn,
                machines[turn % 3] + 1000 * (at + 10 * turn),
                port=40_000 + turn,
            )
        ]
        for at in (0, 300, 600)
    ]
    rows, frames = repeated(recorded(*captures), 1)
    said = first_stamps(rows, frames, outgoing=False)
    assert (said[3:] - said[:3] == 30_000).all()
    off = said[:3] - machines
    assert ((off > 0) & (off < 10**6)).all()


def first_sequences(rows, frames):
    """The device's initial sequence numbers, connection by connection."""
    outgoing = np.flatnonzero(rows.outgoing)
    _, first = np.unique(rows.flow[outgoing], return_index=True)
    return sequences(frames)[outgoing[first]]


def test_a_device_that_is_set_to_the_time_of_day_counts_by_it_in_every_capture():
    begins = (0, 700, 1500, 2600)
    captures = [
        [
            frame
            for turn, isn in enumerate((1000, 1001, 40 + at))
            for frame in connection(
                at + (0, 1, 40)[turn], 0, 0, port=40_000 + turn, isns=(5, isn * 10**6)
            )
        ]
        for at in begins
    ]
    rows, frames = repeated(recorded(*captures), 0, 1, 2)
    said = first_sequences(rows, frames).reshape(3, 3) / 10**6
    # some time between the capture and the next
    assert (said[:, 2] > [40, 740, 1540]).all()
    assert (said[:, 2] < [740, 1540, 2640]).all()
    assert (np.abs(said[:, :2] - [1000, 1001]) < 1).all()


def test_who_speaks_through_the_device_does_not_hide_its_clock():
    strangers = np.random.default_rng(0).integers(2**32, size=(3, 6)).tolist()
    captures = [
        [
            frame
            for turn in range(12)
            for frame in connection(
                at + turn,
                0,
                0,
                port=40_000 + turn,
                source="10.0.0.2" if turn % 2 else "10.9.9.9",
                isns=(5, (at + turn) * 10**6 if turn % 2 else strangers[i][turn // 2]),
            )
        ]
        + connection(at + 30, 0, 0, port=41_000, isns=(5, (at + 30) * 10**6))
        for i, at in enumerate((0, 300, 600))
    ]
    rows, frames = repeated(recorded(*captures), 0)
    # flows are in the order of their addresses
    own = first_sequences(rows, frames)[:6]
    assert (np.diff(own) == 2 * 10**6).all()


def test_no_end_goes_back_and_echoes_are_what_was_said_where_a_session_goes_over():
    captures = [
        connection(at, 100_000 * at, 2**31 - 70_000 * at, port=40_000) for at in (0, 300, 600)
    ]
    recording = recorded(*captures)
    # each packet is another capture's
    rows, frames = repeated(recording, [0, 6, 12, 3, 9])
    said = stamps(frames)
    for way in (True, False):
        own, echoed = said[rows.outgoing == way, 0], said[rows.outgoing != way, 1]
        assert (np.diff(own) >= 0).all()
        assert set(echoed.tolist()) <= {0, *own.tolist()}


def long_one():
    """Many segments of a connection, in which both ends speak."""
    lines = []
    own = peer = 1
    for i in range(60):
        if i % 3:
            lines.append(
                f"+.3 > P. {own}:{own + 10}(10) ack {peer} win 9 "
                f"<nop,nop,TS val {502 + 30 * i} ecr {5020 + 300 * (i - i % 3)}>"
            )
            own += 10
        else:
            lines.append(
                f"+.3 < P. {peer}:{peer + 10}(10) ack {own} win 9 "
                f"<nop,nop,TS val {5020 + 300 * i} ecr {502 + 30 * max(0, i - 1)}>"
            )
            peer += 10
    return "\n".join(lines)


@pytest.mark.parametrize("block", [1, 7])
def test_blocks_make_no_difference(block):
    text = (
        "0 > S 0:0(0) win 9 <TS val 500 ecr 0>\n+.1 < S. 0:0(0) ack 1 win 9 <TS val 5000 ecr 500>"
    )
    captures = [
        drill.frames(f"{text}\n{long_one()}", start_ns=at * SECOND)
        + connection(at + 1, 700, 9, port=40_001)
        for at in (0, 250)
    ]
    recording = recorded(*captures)
    count = len(recording) // 2
    # a session that goes to and fro between captures, after one that repeats a capture
    to_and_fro = np.arange(count) + count * (np.arange(count) // 5 % 2)
    _, whole = repeated(recording, 0, to_and_fro)
    _, cut = repeated(recording, 0, to_and_fro, block=block)
    assert cut.tolist() == whole.tolist()


def initial(rows, frames):
    """What the device's connections begin with."""
    own = rows.outgoing
    _, first = np.unique(rows.flow[own], return_index=True)
    return sequences(frames)[own][first]


def numbered(isns_of_captures):
    """Captures of connections ten seconds apart, by their initial sequence numbers."""
    return recorded(
        *(
            [
                frame
                for i, isn in enumerate(isns)
                for frame in connection(
                    1000 * at + 10 * i, 1000 * i, 5000, port=40_000 + i, isns=(5, isn % 2**32)
                )
            ]
            for at, isns in enumerate(isns_of_captures)
        )
    )


def test_initial_numbers_that_a_clock_counts_go_by_it():
    hashes = np.random.default_rng(0).integers(2**23, size=(3, 6))
    begins = np.array([[2_000_000_000], [100], [2_900_000_000]])
    recording = numbered(begins + 2_500_000 * np.arange(6) + hashes)
    rows, frames = repeated(recording, 0, 2)
    said = initial(rows, frames).reshape(2, 6)
    off = (said - said[:, :1] - 2_500_000 * np.arange(6) + 2**31) % 2**32 - 2**31
    assert (np.abs(off) < 2**23).all()


def test_initial_numbers_that_begin_alike_stay_near():
    recording = numbered([[1_000_000], [1_500_000], [2_100_000]])
    rows, frames = repeated(recording, 0, 1, 2, 0)
    said = initial(rows, frames)
    assert ((said > 300_000) & (said < 2_900_000)).all()
    assert len(set(said.tolist())) == 4


def test_initial_numbers_near_the_last_one_stay_so():
    firsts = np.random.default_rng(0).integers(2**32, size=6)
    recording = numbered([[int(each), int(each - 8_000_000) % 2**32] for each in firsts])
    rows, frames = repeated(recording, 3, 0, 5)
    said = initial(rows, frames).reshape(-1, 2)
    assert ((said[:, 0] - said[:, 1]) % 2**32 == 8_000_000).all()


def test_other_initial_numbers_are_random():
    isns = np.random.default_rng(0).integers(2**32, size=(3, 6))
    recording = numbered(isns)
    rows, frames = repeated(recording, 0, 0, 0, 0)
    said = initial(rows, frames)
    assert len(set(said.tolist())) == 24
    assert said.min() < 2**30
    assert said.max() > 3 * 2**30


def test_captures_without_tcp_are_recorded_and_rendered():
    told = [drill.Frame(at, True, b"\xff" * 12 + b"\x08\x06" + bytes(28)) for at in range(3)]
    _, frames = repeated(recorded(told), 0, 0)
    assert frames.tolist() == [each.frame for each in told] * 2


def test_a_connection_that_was_open_before_a_capture_begins_has_other_numbers_each_time():
    recording = recorded(connection(0, 0, 5000)[3:])
    rows, frames = repeated(recording, 0, 0)
    said = initial(rows, frames)
    assert said[0] != said[1]
    echoes = stamps(frames)[:, 1].reshape(2, 2)
    own = stamps(frames)[:, 0].reshape(2, 2)
    assert (echoes[:, 1] == own[:, 0]).all()
