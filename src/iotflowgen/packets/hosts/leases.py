"""One device behind one gateway, whatever addresses they had in each capture.

A device gets another IPv4 address with each lease. As sessions combine captures, the captured
frames are first made to agree on the addresses of the device and its gateway.

Shapes: P captured packets.
"""

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from iotflowgen.recording import Packets
from iotflowgen.wire import Frames
from iotflowgen.wire.internet import is_outside

__all__ = ["unify_addresses", "usual_addresses"]


def unify_addresses(packets: Packets) -> None:
    """Give the device, and its gateway, the same addresses in the frames of all captures, in place.

    Those that each had most often in a capture are replaced by the ones it had most often of all,
    wherever their bytes stand. A host that has these in another capture gets the replaced ones.
    """
    frames, layers, outgoing = packets.frames, packets.layers, packets.outgoing
    src, dst = (frames.number(layers.network + at, 4) for at in (12, 16))
    from_mac, to_mac = frames.number(6, 6), frames.number(0, 6)
    peer_mac = np.where(outgoing, to_mac, from_mac)
    has_bytes = frames.size > 0
    behind = layers.is_ip4 & is_outside(np.where(outgoing, dst, src))
    gateways = usual_addresses(packets, peer_mac, behind)
    gateway = np.array([gateways.get(each, -1) for each in range(_captures(packets))])
    near = layers.is_ip4 & ~outgoing & ~is_outside(src) & (src > 0)
    near &= peer_mac == gateway[packets.session]
    is_own = outgoing & layers.is_ip4 & (src > 0)
    is_own6 = outgoing & layers.is_ip6 & (frames.number(layers.network + 8, 1) > 0)
    interface = frames.number(layers.network + 16, 8)
    for width, usual in (
        (6, usual_addresses(packets, from_mac, outgoing & has_bytes)),
        (6, gateways),
        (4, usual_addresses(packets, src, is_own)),
        (4, usual_addresses(packets, src, near)),
        (8, usual_addresses(packets, interface, is_own6)),
    ):
        _make_one(packets, width, usual)


def _captures(packets: Packets) -> int:
    return int(packets.session.max(initial=-1)) + 1


def usual_addresses(
    packets: Packets, address: NDArray[np.int64], where: NDArray[np.bool_]
) -> dict[int, int]:
    """The address that a host has in each capture in which it has any.

    In most captures it is the one that is the most frequent; in others this one where it has it,
    too, and the most frequent one where not.
    """
    found: dict[int, dict[int, int]] = {}
    for capture in np.unique(packets.session[where]).tolist():
        values, count = np.unique(address[where & (packets.session == capture)], return_counts=True)
        found[capture] = dict(zip(values.tolist(), count.tolist(), strict=True))
    usual = {capture: max(seen, key=seen.__getitem__) for capture, seen in found.items()}
    one = _most_common(usual)
    return {capture: one if one in found[capture] else each for capture, each in usual.items()}


def _most_common(usual: Mapping[int, int]) -> int:
    """The address of most captures; -1 without any."""
    return max(Counter(usual.values()).items(), key=lambda each: each[1], default=(-1, 0))[0]


def _make_one(packets: Packets, width: int, usual: Mapping[int, int]) -> None:
    """Replace in each capture the usual address by that of most captures."""
    one = _most_common(usual)
    for capture, address in usual.items():
        if address != one:
            frames = packets.frames.take(packets.session == capture)
            _swap(frames, width, address, one)


def _swap(frames: Frames, width: int, one: int, other: int) -> None:
    """Replace one number by another wherever it stands, and the other way round, in place."""
    low, high = int(frames.start.min()), int((frames.start + frames.size).max())
    data = frames.data[low:high]
    places = []
    for number in (one, other):
        first = (number >> (8 * width - 8)) & 0xFF
        at = np.flatnonzero(data[: len(data) - width + 1] == first)
        words = Frames(data, at, np.full(len(at), width))
        places.append(words.take(words.number(0, width) == number))
    places[0].put(0, width, other)
    places[1].put(0, width, one)
