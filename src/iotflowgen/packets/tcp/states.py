"""States of TCP connections, beyond what the features of their packets show.

Shapes: P packets of a capture.
"""

from typing import Final

import numpy as np

from iotflowgen.packets.tcp.sequence import References
from iotflowgen.recording import Groups, Packets
from iotflowgen.wire import FIN, RST, SYN, find_options, tcp_flags
from iotflowgen.wire.arrays import Integers

__all__ = ["agreed_options", "closed_sides", "outstanding"]

_COUNTED: Final = 63
"""Segments without acknowledgment that are told apart, of each side."""
_SIDE: Final = 16  # times what the device has offered
_RESETS: Final = 4  # times the bits of a side whose FIN was sent


def closed_sides(packets: Packets) -> Integers:
    """Which ends have closed the connection of TCP after each packet of one capture (P).

    The sum of 1 if the device has sent a FIN, 2 if its peer has, 4 if the device has sent a RST,
    and 8 if its peer has (RFC 9293, section 3.6); 0 for none, and for other packets.
    """
    is_tcp = packets.layers.is_tcp
    groups = Groups(np.where(is_tcp, packets.flow, -1))
    flags = np.where(is_tcp, tcp_flags(packets.frames, packets.layers), 0)
    side = np.where(packets.outgoing, 1, 2)
    closed = np.zeros(len(packets), dtype=np.int64)
    for flag, scale in ((FIN, 1), (RST, _RESETS)):
        for end in (1, 2):
            sent = groups.latest((flags & flag > 0) & (side == end)) >= 0
            closed += np.where(sent, scale * end, 0)
    return np.where(is_tcp, closed, 0)


def outstanding(packets: Packets, tcp: Integers, references: References) -> Integers:
    """How many segments either side has sent that are not acknowledged yet, after each packet (P).

    It is a number for the device's and for its peer's, each up to a window's, and for keep-alive
    probes that the other side has not answered (RFC 9293, section 3.8.4); 0 for none.

    Args:
        packets: Of one capture.
        tcp: Which of them are segments (T).
        references: Theirs.
    """
    segments = packets.take(tcp)
    own = 2 * segments.flow + segments.outgoing
    line = np.stack([own, own ^ 1], axis=-1).ravel()
    groups = Groups(line)
    sent = groups.sum(references.advances.ravel().astype(np.int64))
    acknowledges = np.stack([np.zeros_like(segments.outgoing), segments.layers.is_tcp], axis=-1)
    taken = np.where(acknowledges.ravel(), sent - references.back.ravel(), 0)
    left = np.clip(sent - groups.greatest(np.maximum(taken, 0)), 0, _COUNTED)
    left = left.reshape(-1, 2)
    device = np.where(segments.outgoing, left[:, 0], left[:, 1])
    peer = np.where(segments.outgoing, left[:, 1], left[:, 0])
    probes = (
        ~references.advances[:, 0] & (references.back[:, 0] == 0) & (references.off[:, 0] == -1)
    )
    both = Groups(segments.flow)
    told = device + (_COUNTED + 1) * peer
    for bit, side in ((1, segments.outgoing), (2, ~segments.outgoing)):
        is_open = both.latest(probes & side) > both.latest(~probes & ~side)
        told += np.where(is_open, bit * (_COUNTED + 1) ** 2, 0)
    column = np.zeros(len(packets), dtype=np.int64)
    column[tcp] = told
    return column


def agreed_options(packets: Packets) -> Integers:
    """Which options the SYNs of a connection of TCP have had, after each packet of one capture (P).

    A number for what each side has said of window scale, SACK and timestamps (RFC 7323, section
    2.2 and 3.2; RFC 2018, section 2); 0 where no SYN was seen, and for other packets.
    """
    frames, layers = packets.frames, packets.layers
    opens = layers.is_tcp & (tcp_flags(frames, layers) & SYN > 0)
    options = find_options(frames, layers)
    groups = Groups(np.where(layers.is_tcp, packets.flow, -1))
    offered = np.ones(len(packets), dtype=np.int64)
    for bit, at in enumerate((options.window_scale, options.sack_permitted, options.timestamps)):
        offered += np.where(at > 0, 2 << bit, 0)
    told = np.zeros(len(packets), dtype=np.int64)
    for scale, side in ((1, packets.outgoing), (_SIDE, ~packets.outgoing)):
        row = groups.latest(opens & side)
        told += np.where(layers.is_tcp & (row >= 0), offered[row] * scale, 0)
    return told
