import numpy as np

from iotflowgen.recording import find_flows
from iotflowgen.wire import Frames, find_layers
from tests import drill

CONNECTION = """
0.0 > S 0:0(0) win 100 <mss 1460>
+.1 < S. 0:0(0) ack 1 win 100 <mss 1460>
+.1 > . 1:1(0) ack 1 win 100
"""


def flows(*captures):
    told = [each for capture in captures for each in capture]
    capture = np.repeat(np.arange(len(captures)), [len(each) for each in captures])
    frames = Frames.of([each.frame for each in told])
    outgoing = np.array([each.outgoing for each in told])
    return find_flows(frames, find_layers(frames), capture, outgoing).tolist()


def test_both_directions_are_one_flow_and_other_ports_another():
    one, other = drill.frames(CONNECTION), drill.frames(CONNECTION, ports=(9999, 40_001))
    assert flows([*one, *other]) == [0, 0, 0, 1, 1, 1]


def test_the_same_endpoints_in_another_capture_are_another_flow():
    one = drill.frames(CONNECTION)
    assert flows(one, one) == [0, 0, 0, 1, 1, 1]


def test_a_connection_that_opens_on_ports_used_again_is_another_flow():
    one, again = drill.frames(CONNECTION), drill.frames(CONNECTION, isns=(7, 77))
    assert flows([*one, *again]) == [0, 0, 0, 1, 1, 1]


def test_a_syn_sent_again_opens_nothing():
    one = drill.frames(CONNECTION)
    assert flows([one[0], *one]) == [0, 0, 0, 0]


def test_what_has_no_ports_is_of_no_flow():
    one = drill.frames(CONNECTION)
    arp = one[0]._replace(frame=bytes(12) + b"\x08\x06" + bytes(28))
    assert flows([arp, *one]) == [-1, 0, 0, 0]
