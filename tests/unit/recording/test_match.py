import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.recording import Identities, Recording, find_flows, match
from iotflowgen.recording.kinds import find_services
from iotflowgen.traffic import Windows, protocol_mask
from iotflowgen.wire import Frames, dst_port, find_layers, src_port
from tests import drill

TCP, TLS, DNS = (protocol_mask(names.split()) for names in ("ip tcp", "ip tcp https", "ip tcp dns"))
STAMPED = "<mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>"
# the first data of the device is as long as its SYN
CONNECTION = f"""
0.0 > S 0:0(0) win 100 {STAMPED}
+.1 < S. 0:0(0) ack 1 win 100 {STAMPED}
+.1 > . 1:1(0) ack 1 win 100
+.1 > P. 1:21(20) ack 1 win 100
+.1 < P. 1:101(100) ack 21 win 100
+.1 > . 21:21(0) ack 101 win 100
+.1 > F. 21:21(0) ack 101 win 100
+.1 < . 101:101(0) ack 22 win 100
"""
SYN, SYN_ACK, ACK, ASK, ANSWER, ACK_2, FIN, LAST = range(8)


def recording(*captures, protocols=TCP, empty=()):
    told = [each for capture in captures for each in capture]
    frames = Frames.of([each.frame for each in told])
    capture = np.repeat(np.arange(len(captures)), [len(each) for each in captures])
    outgoing = np.array([each.outgoing for each in told])
    flow = find_flows(frames, find_layers(frames), capture, outgoing)
    kept = Frames.of([b"" if i in empty else each.frame for i, each in enumerate(told)])
    return Recording(
        frames=kept,
        length=frames.size.astype(np.int32),
        time_ns=np.array([each.time_ns for each in told]),
        outgoing=outgoing,
        protocols=np.full(len(told), protocols, dtype=np.uint16),
        capture=capture,
        flow=flow,
        references={},
        identities=Identities(),
    )


def windows(of, *rows, ports=None, longer=0):
    """Windows with the features of captured packets, and maybe with other ports."""
    source = np.array(rows)
    layers = find_layers(of.frames)
    src = src_port(of.frames, layers)[source]
    dst = dst_port(of.frames, layers)[source]
    outgoing = of.outgoing[source]
    if ports:
        device, peer = ports
        src, dst = np.where(outgoing, device, peer), np.where(outgoing, peer, device)
    return Windows(
        duration_ns=np.ones(source.shape, dtype=np.int64),
        length=of.length[source] + np.int32(longer),
        outgoing=outgoing,
        src_port=src.astype(np.int32),
        dst_port=dst.astype(np.int32),
        protocols=of.protocols[source],
    )


def two_connections():
    """To one service: from a port each, so that it is known for one."""
    return drill.frames(CONNECTION), drill.frames(CONNECTION, ports=(9999, 40_001), isns=(7, 77))


def matched(of, asked, seed=0):
    return match(of, asked, np.random.default_rng(seed))


def test_a_connection_is_followed_from_packet_to_packet():
    of = recording(*two_connections())
    found = matched(of, windows(of, range(8), ports=(50_000, 9999)))
    source = found.windows.source[0]
    np.testing.assert_array_equal(source % 8, np.arange(8))
    assert len(set(source // 8)) == 1
    assert found.counts == {"successor": 7, "sequel": 1}
    np.testing.assert_array_equal(found.windows.flow, 0)


@pytest.mark.parametrize("seed", range(5))
def test_what_follows_tells_data_from_a_syn_of_its_length(seed):
    of = recording(*two_connections())
    assert of.length[SYN] == of.length[ASK]
    asked = windows(of, [SYN, SYN_ACK], [ASK, ANSWER], ports=(50_000, 9999))
    opened, talks = matched(of, asked, seed).windows.source % 8
    assert opened.tolist() == [SYN, SYN_ACK]
    assert talks.tolist() == [ASK, ANSWER]


@pytest.mark.parametrize("seed", range(5))
def test_without_what_follows_the_stage_decides(seed):
    of = recording(*two_connections())
    found = matched(of, windows(of, [ACK, ASK], [ASK, ACK], ports=(50_000, 9999)), seed)
    opened, begun = found.windows.source % 8
    assert opened.tolist() == [ACK, ASK]
    assert begun[0] == SYN


def test_two_flows_of_a_window_each_go_on_by_themselves():
    of = recording(*two_connections())
    one, two = np.arange(8), np.arange(8, 16)
    asked = windows(of, np.stack([one, two], axis=1).ravel())
    source = matched(of, asked).windows.source[0].reshape(8, 2)
    assert (source % 8 == one[:, None]).all()
    assert (np.diff(source // 8, axis=0) == 0).all()


def test_the_nearest_length_is_taken_where_a_payload_can_have_it():
    of = recording(*two_connections(), protocols=TLS)
    asked = windows(of, [ANSWER, ACK, SYN_ACK], ports=(50_000, 9999), longer=7)
    found = matched(of, asked)
    # what has no payload has nothing to lengthen, so another packet is shortened, or none
    assert found.windows.source[0, 0] % 8 == ANSWER
    assert found.windows.source[0, 1] % 8 == ASK
    assert found.counts["nearest length"] >= 2


def test_a_payload_is_not_cut_to_nothing():
    of = recording(*two_connections())
    asked = windows(of, [ASK], ports=(50_000, 9999), longer=-20)
    asked.length[:] = 53
    assert matched(of, asked).windows.source.tolist() == [[-1]]
    assert matched(of, asked).counts == {"none": 1}


def test_messages_of_a_fixed_form_keep_their_length():
    of = recording(*two_connections(), protocols=DNS)
    asked = windows(of, [ANSWER], ports=(50_000, 9999), longer=1)
    assert matched(of, asked).windows.source.tolist() == [[-1]]


def test_packets_without_a_frame_are_not_taken():
    of = recording(*two_connections())
    asked = windows(of, range(8))
    lost = recording(*two_connections(), empty=range(8))
    source = matched(lost, asked).windows.source
    assert (source >= 8).all()
    nothing = recording(*two_connections(), empty=range(16))
    assert (matched(nothing, asked).windows.source == -1).all()


def test_windows_that_have_their_packets_stay_as_they_are():
    of = recording(*two_connections())
    asked = matched(of, windows(of, range(8))).windows
    found = matched(of, asked, seed=1)
    assert found.windows is asked
    assert found.counts == {}


@given(
    st.lists(st.lists(st.integers(0, 15), min_size=6, max_size=6), min_size=1, max_size=5),
    st.integers(0, 9),
)
def test_what_is_taken_is_of_the_kind_asked_for(rows, seed):
    of = recording(*two_connections())
    asked = windows(of, *rows)
    found = matched(of, asked, seed)
    source = found.windows.source
    assert (source >= 0).all()
    for name in ("length", "outgoing", "protocols"):
        np.testing.assert_array_equal(getattr(of, name)[source], getattr(asked, name))
    assert sum(found.counts.values()) == source.size


def test_services_have_more_others_than_these_have():
    src, dst = (
        np.array([40_000, 443, 40_001, 40_002, 5000, 0]),
        np.array([443, 40_000, 443, 53, 5001, 0]),
    )
    assert find_services(src, dst).tolist() == [53, 443]


@pytest.mark.parametrize(("captured", "empty"), [(SYN, ()), (ASK, ()), (FIN, ()), (SYN, (0,))])
def test_a_recording_of_one_packet(captured, empty):
    whole = recording(*two_connections())
    of = recording(drill.frames(CONNECTION)[captured : captured + 1], empty=empty)
    found = matched(of, windows(whole, range(8)))
    source = found.windows.source[0]
    assert (source <= 0).all()
    assert (source[captured] == 0) == (not empty)
