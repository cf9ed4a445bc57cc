"""One device behind one gateway, whatever addresses they had in each capture.

A device gets another IPv4 address with each lease. As sessions combine captures, the captured
frames are first made to agree on the addresses of the device and its gateway.

Shapes: P captured packets.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.identity.fields import PLAIN, header_fields
from iotflowgen.packets.identity.messages import Messages
from iotflowgen.recording import Packets
from iotflowgen.wire import Frames
from iotflowgen.wire.arrays import Integers
from iotflowgen.wire.internet import is_outside

__all__ = ["unify_addresses", "usual_addresses"]

Fields = dict[int, tuple[Integers, Integers]]


def unify_addresses(packets: Packets) -> None:
    """Give the device, and its gateway, the same addresses in the frames of all captures, in place.

    Those that each had most often in a capture are replaced by the ones it had most often of all,
    in headers and parsed messages. A host that has these in another capture gets the replaced ones.
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
    fields = cache(partial(_fields_of, packets))
    for width, usual in (
        (6, usual_addresses(packets, from_mac, outgoing & has_bytes)),
        (6, gateways),
        (4, usual_addresses(packets, src, is_own)),
        (4, usual_addresses(packets, src, near)),
        (8, usual_addresses(packets, interface, is_own6)),
    ):
        _make_one(packets, width, usual, fields)


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


def _make_one(
    packets: Packets, width: int, usual: Mapping[int, int], fields: Callable[[], Fields]
) -> None:
    """Replace in each capture the usual address by that of most captures."""
    one = _most_common(usual)
    for capture, address in usual.items():
        if address != one:
            packet, at = fields()[width]
            inside = packets.session[packet] == capture
            _swap(packets.frames.take(packet[inside]), at[inside], width, (address, one))


def _swap(frames: Frames, at: Integers, width: int, pair: tuple[int, int]) -> None:
    """Replace one number by another in fields (any number), and the other way round, in place."""
    number = frames.number(at, width)
    for one, other in (pair, pair[::-1]):
        frames.put(at, width, other, number == one)


def _fields_of(packets: Packets) -> Fields:
    """Where addresses are, by their width: which packets, and where in these."""
    found: dict[int, list[tuple[Integers, Integers]]] = {4: [], 6: [], 8: []}
    messages = Messages.of(packets)
    spans = [(a, b) for a, b, notation in messages.fields() if notation == PLAIN]
    begin, end = np.array(spans, np.int64).reshape(-1, 2).T
    row, packet, at = messages.in_packets(begin)
    size = (end - begin)[row]
    parsed = ((packet[size == each], at[size == each], each) for each in (4, 6, 16))
    for packets_of, place, each in (*header_fields(packets), *parsed):
        # of an address of IPv6 the interface
        found[min(each, 8)].append((packets_of, place + 8 if each == 16 else place))
    return {
        width: (np.concatenate([p for p, _ in each]), np.concatenate([a for _, a in each]))
        for width, each in found.items()
    }
