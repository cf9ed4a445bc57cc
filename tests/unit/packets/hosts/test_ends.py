"""Ends of flows, times to live and identifications go out of frames and come back."""

from dataclasses import replace

import numpy as np
import pytest

from iotflowgen.packets.hosts import Endpoints, IpIds, TimesToLive
from iotflowgen.packets.rows import Rows
from iotflowgen.packets.tcp.numbers import SequenceNumbers
from iotflowgen.recording import Identities, Recording, find_flows
from iotflowgen.wire import Frames, find_layers
from tests import drill
from tests.unit.packets.shown import as_captured

CODECS = (SequenceNumbers, Endpoints, TimesToLive, IpIds)
EXCHANGE = """
0.000 > S 0:0(0) win 29200
+.010 < S. 0:0(0) ack 1 win 28960
+.010 > . 1:1(0) ack 1 win 229
+.100 < P. 1:101(100) ack 1 win 227
+.010 > . 1:1(0) ack 101 win 229
"""
SIZE = 5
HERE, THERE = "10.0.0.2", "10.0.0.9"
DEVICE_MAC, PEER_MAC = bytes.fromhex("020000000002"), bytes.fromhex("020000000003")


def recorded(*captures):
    """Captures, each a list of frames, with the fields taken out."""
    told = [each for capture in captures for each in capture]
    capture = np.repeat(np.arange(len(captures)), [len(each) for each in captures])
    frames = Frames.of([each.frame for each in told])
    outgoing = np.array([each.outgoing for each in told])
    recording = Recording(
        frames=frames,
        length=frames.size.astype(np.int32),
        time_ns=np.array([each.time_ns for each in told]),
        outgoing=outgoing,
        protocols=np.zeros(len(told), dtype=np.uint16),
        capture=capture,
        flow=find_flows(frames, find_layers(frames), capture, outgoing),
        references={},
        identities=Identities(device_mac=DEVICE_MAC.hex(":")),
    )
    references = {}
    for codec in CODECS:
        found = codec.encode(recording.packets)
        references |= {f"{codec.name}.{name}": column for name, column in found.items()}
    return replace(recording, references=references)


def rendered(recording, source, session=0, flow=0, block=None):
    """Frames of packets that repeat captured ones, in blocks."""
    source = np.asarray(source)
    frames, layers = recording.frames.take(source), recording.layers.take(source)
    whole = np.zeros(len(source), dtype=np.int64)
    rows = Rows(
        number=np.arange(len(source)),
        session=whole + session,
        flow=(whole + session << 32) + np.asarray(flow),
        time_ns=np.arange(len(source)) * 10**6,
        length=recording.length[source],
        outgoing=recording.outgoing[source],
        src_port=frames.number(layers.transport, 2).astype(np.int32),
        dst_port=frames.number(layers.transport + 2, 2).astype(np.int32),
        protocols=recording.protocols[source],
        source=source,
    )
    renderer = as_captured(recording, CODECS, 0)
    step = block or len(rows)
    return [
        frame
        for begin in range(0, len(rows), step)
        for frame in renderer.render(rows.take(slice(begin, begin + step))).tolist()
    ]


def addresses(frame):
    return tuple(".".join(map(str, frame[at : at + 4])) for at in (26, 30))


def ids(frames):
    return [int.from_bytes(frame[18:20], "big") for frame in frames]


def test_a_capture_comes_back():
    """But for the sequence numbers, and where identifications that were met once begin."""
    capture = drill.frames(EXCHANGE, ids=(7, 900), ttls=(50, 64))
    made = rendered(recorded(capture), range(SIZE))
    for frame, each in zip(made, capture, strict=True):
        assert frame[:14] == each.frame[:14]
        assert (frame[22], frame[26:34]) == (each.frame[22], each.frame[26:34])
    for way in (True, False):
        of = [i for i, each in enumerate(capture) if each.outgoing == way]
        assert set(np.diff([ids(made)[i] for i in of]) % 2**16) == {1}


def test_a_flow_of_two_captures_has_the_ends_of_its_first_packet():
    """Also where the device had another address, and the peer another distance."""
    one = drill.frames(EXCHANGE, addresses=("192.0.2.3", HERE), ttls=(50, 64))
    other = drill.frames(EXCHANGE, addresses=("192.0.2.99", THERE), ttls=(40, 64))
    made = rendered(recorded(one, other), [0, 1, 2, SIZE + 3, SIZE + 4])
    assert {frozenset(addresses(frame)) for frame in made} == {frozenset({HERE, "192.0.2.3"})}
    assert [frame[22] for frame in made] == [64, 50, 64, 50, 64]


def test_identifications_begin_where_all_captures_do():
    """As those of a device that is started for each of them."""
    captures = [drill.frames(EXCHANGE, ids=(7000 * i, 10 + i)) for i in (1, 3, 8)]
    made = rendered(recorded(*captures), range(SIZE))
    own = [number for number, each in zip(ids(made), captures[0], strict=True) if each.outgoing]
    assert 11 <= own[0] <= 18
    assert own[1] == own[0] + 1


def test_a_host_is_known_by_its_service_whichever_port_is_the_lower_one():
    """A client that counts on from capture to capture, of which only its ephemeral port is low."""
    captures = [
        drill.frames(EXCHANGE, ids=(3000 + 500 * i, 7000 * i), ports=(50_000 + i, 62_910))
        for i in range(1, 5)
    ]
    made = rendered(recorded(*captures), range(SIZE))
    peers = [n for n, each in zip(ids(made), captures[0], strict=True) if not each.outgoing]
    assert 3500 <= peers[0] <= 4000
    assert peers[1] == peers[0] + 1


def test_time_wait_counts_by_host():
    """As Linux does: a socket has numbers of its own, and what it leaves behind has the host's."""
    closing = (
        EXCHANGE
        + """
    +.010 > F. 1:1(0) ack 101 win 229
    +.010 < F. 101:101(0) ack 2 win 227
    +.010 > . 2:2(0) ack 102 win 229
    """
    )
    captures, by_host = [], 49_000
    for capture in range(4):
        told = []
        for connection in range(6):
            first = 7919 * (6 * capture + connection) % 2**16
            ports = (50_000 + connection, 443)
            *frames, last = drill.frames(closing, ids=(first, 900), ports=ports)
            by_host += 1
            frame = last.frame[:18] + by_host.to_bytes(2) + last.frame[20:]
            told += [*frames, last._replace(frame=frame)]
        captures.append(told)
    recording, size = recorded(*captures), SIZE + 3
    # the first connection of a capture, then its last
    made = ids(
        rendered(
            recording, [*range(size), *range(5 * size, 6 * size)], flow=[0] * size + [1] * size
        )
    )
    ends = made[size - 1 :: size]
    assert 49_000 < ends[0] < 49_050
    assert ends[1] == ends[0] + 1


@pytest.mark.parametrize("block", [1, 2, 7])
def test_blocks_make_no_difference(block):
    """Whatever is remembered."""
    one = drill.frames(EXCHANGE, addresses=("192.0.2.3", HERE))
    other = drill.frames(EXCHANGE, addresses=("192.0.2.99", THERE))
    recording, source = recorded(one, other), [0, 1, SIZE + 2, SIZE + 3, 4]
    assert rendered(recording, source, block=block) == rendered(recording, source)


def test_a_later_session_has_another_peer_of_the_same_network():
    """So that no connection seems to go on from one session to the next."""
    recording = recorded(drill.frames(EXCHANGE, addresses=("198.51.100.3", HERE)))
    peers = {addresses(rendered(recording, range(SIZE), session=i)[0])[1] for i in range(20)}
    assert len(peers) == 20
    assert {peer.rpartition(".")[0] for peer in peers} == {"198.51.100"}


def test_whoever_answers_what_a_group_was_asked_has_an_address_of_its_own():
    """Also where both are packets of one flow, as a session that goes by ports has it."""
    asked = drill.frames(EXCHANGE, addresses=("192.0.2.3", HERE))[3]
    group = bytes.fromhex("01005e7ffffa") + asked.frame[6:30] + bytes([239, 255, 255, 250])
    asked = asked._replace(frame=group + asked.frame[34:])
    answers = drill.frames(EXCHANGE, addresses=("192.0.2.3", HERE))
    made = rendered(recorded([asked], answers), [0, 5])
    assert addresses(made[0]) == ("192.0.2.3", "239.255.255.250")
    assert addresses(made[1]) == (HERE, "192.0.2.3")
    assert made[1][6:12] == DEVICE_MAC


@pytest.mark.parametrize("last", [7, 23, 123])
def test_texts_name_the_other_peer_of_a_later_session(last):
    said = f"GET / HTTP/1.1\r\nHost: 198.51.100.{last}\r\n\r\n".encode()
    script = EXCHANGE.replace("< P. 1:101(100)", f"> P. 1:{1 + len(said)}({len(said)})")
    capture = drill.frames(script, addresses=(f"198.51.100.{last}", HERE), streams=(b"", said))
    recording = recorded(capture)
    for session in range(4):
        made = rendered(recording, range(SIZE), session=session)
        _, peer = addresses(made[0])
        assert made[3].endswith(f"Host: {peer}\r\n\r\n".encode())
        assert (peer == f"198.51.100.{last}") == (session == 0)


@pytest.mark.parametrize("hosts", [50, 200, 254])
def test_many_peers_of_one_network_never_share_an_address(hosts):
    peers = [f"198.51.100.{i}" for i in range(1, hosts + 1)]
    capture = [each for peer in peers for each in drill.frames(EXCHANGE, addresses=(peer, HERE))]
    recording = recorded(capture)
    source, flow = np.arange(len(capture)), np.repeat(np.arange(hosts), SIZE)
    for session in (1, 2):
        made = rendered(recording, source, session=session, flow=flow)
        shown = {addresses(frame)[1] for frame in made[::SIZE]}
        assert len(shown) == hosts
        assert {peer.rpartition(".")[0] for peer in shown} == {"198.51.100"}
