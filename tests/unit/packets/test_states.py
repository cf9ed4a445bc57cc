"""What connections have come to after each packet, for exchanges told as packetdrill scripts."""

import numpy as np

from iotflowgen.packets.states import closed_sides
from iotflowgen.wire import Frames, find_layers
from tests import drill

OPENED = """
0.000 > S 0:0(0) win 29200 <mss 1460>
+.010 < S. 0:0(0) ack 1 win 28960 <mss 1460>
+.010 > . 1:1(0) ack 1 win 29200
"""


def closed_after(script):
    told = drill.frames(OPENED + script)
    frames = Frames.of([each.frame for each in told])
    outgoing = np.array([each.outgoing for each in told])
    protocols = np.zeros(len(told), dtype=np.uint16)
    return closed_sides(frames, find_layers(frames), outgoing, protocols)[3:].tolist()


def test_each_side_closes_with_its_fin():
    script = """
    +.010 > F. 1:1(0) ack 1 win 29200
    +.010 < . 1:1(0) ack 2 win 28960
    +.010 < F. 1:1(0) ack 2 win 28960
    +.010 > . 2:2(0) ack 2 win 29200
    """
    assert closed_after(script) == [1, 1, 3, 3]


def test_a_reset_tells_its_sender_from_the_other_side():
    assert closed_after("+.010 > R. 1:1(0) ack 1 win 0") == [4]
    assert closed_after("+.010 < R. 1:1(0) ack 1 win 0") == [8]


def test_another_connection_between_the_same_ports_is_open():
    script = """
    +.010 > R. 1:1(0) ack 1 win 0
    1.000 > S 5000:5000(0) win 29200 <mss 1460>
    """
    assert closed_after(script) == [4, 0]
