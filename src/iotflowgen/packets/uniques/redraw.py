"""Values of single captures drawn anew, the same wherever the capture has them.

Shapes: M messages, those of a capture one after another.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np

from iotflowgen.packets.fuzz.ports import claimed_port
from iotflowgen.packets.uniques.draws import draw
from iotflowgen.packets.uniques.shingles import recurring_bytes
from iotflowgen.packets.uniques.values import Kind, Value, decimals_in, values_in
from iotflowgen.recording import Recording
from iotflowgen.wire import dst_port, payload_size, src_port
from iotflowgen.wire.arrays import Bytes, Flags

__all__ = ["redraw"]

_Message = tuple[int, int, bool, bytes]
"""Of which capture, with which protocols, whether a dissector expects it, and what it says."""
_Key = tuple[int, Kind, bytes]
"""A value of a capture."""


def redraw(
    recording: Recording,
    keep: Flags,
    rng: np.random.Generator,
    known: Callable[[bytes], bytes] = bytes,
) -> None:
    """Draw values anew that one capture alone has, in the frames of a recording, in place.

    With one capture alone, it is connections that are compared instead.

    Args:
        recording: Of which the codecs have taken out what they write.
        keep: Bytes of its frames' data that are to stay (B).
        rng: Draws.
        known: What has been drawn already for a text; the same where nothing has.
    """
    places = _messages(recording)
    messages = sorted(places, key=lambda each: each[0])
    uniques = list(_uniques(messages))
    free: dict[_Key, Flags] = {}
    for (of, _, _, text), value, own in uniques:
        key = of, value.kind, text[value.first : value.last]
        free[key] = free.get(key, False) | own
    drawn: dict[_Key, Bytes] = {}
    for key, own in free.items():
        new = known(key[-1])
        is_new = new == key[-1]
        drawn[key] = draw(*key[1:], own, rng) if is_new else np.frombuffer(new, np.uint8)
    data = recording.frames.data
    for message, value, _ in uniques:
        of, _, _, text = message
        other = drawn[of, value.kind, text[value.first : value.last]]
        for at in places[message]:
            where = slice(at + value.first, at + value.last)
            if not keep[where].any():
                data[where] = other


def _messages(recording: Recording) -> dict[_Message, list[int]]:
    """Payloads, and where in the data they stand."""
    layers, frames = recording.layers, recording.frames
    size = payload_size(layers)
    has = np.flatnonzero(layers.has_ports & (size > 0))
    capture = recording.capture if recording.capture.any() else recording.flow
    start = (frames.start + layers.payload)[has]
    columns = (capture[has], recording.protocols[has], _expected(recording)[has], start, size[has])
    found: dict[_Message, list[int]] = {}
    view = frames.data.data
    for *known, at, count in zip(*(each.tolist() for each in columns), strict=True):
        found.setdefault((*known, bytes(view[at : at + count])), []).append(at)
    return found


def _expected(recording: Recording) -> Flags:
    """Whether a dissector expects payload on one of its ports, whatever it is (P)."""
    layers, frames = recording.layers, recording.frames
    ports = np.stack([src_port(frames, layers), dst_port(frames, layers)], axis=-1)
    found = np.zeros(len(recording), dtype=bool)
    for transport, has in (("tcp", layers.is_tcp), ("udp", layers.is_udp)):
        pairs, of = np.unique(ports[has], axis=0, return_inverse=True)
        claimed = [claimed_port(transport, pair) is not None for pair in pairs.tolist()]
        found[has] = np.array(claimed, dtype=bool)[of.ravel()]
    return found


def _uniques(messages: list[_Message]) -> Iterator[tuple[_Message, Value, Flags]]:
    """Values of single captures, and which bytes of them no other capture has."""
    data = np.frombuffer(b"".join(text for *_, text in messages), np.uint8)
    size = np.array([len(text) for *_, text in messages], dtype=np.int64)
    capture = np.array([of for of, *_ in messages], dtype=np.int64)
    own = ~recurring_bytes(data, size, capture)
    begins = np.cumsum(size) - size
    seen = _in_captures(messages)
    alone = [any(len(seen[each]) == 1 for each in decimals_in(text)) for *_, text in messages]
    where = np.add.reduceat(own, begins) > 0 if len(own) else np.zeros(0, dtype=bool)
    for row in np.flatnonzero(where | np.array(alone, dtype=bool)).tolist():
        begin = int(begins[row])
        _, protocols, is_expected, text = messages[row]
        for value in values_in(text, protocols, is_expected=is_expected):
            flags = own[begin + value.first : begin + value.last]
            # each digit of a number may recur by chance, beside the one before and the one after
            number = text[value.first : value.last] if value.kind is Kind.DECIMAL else b""
            if flags.any() or len(seen.get(number, ())) == 1:
                yield messages[row], value, flags


def _in_captures(messages: list[_Message]) -> dict[bytes, set[int]]:
    """Which captures have each number with a point."""
    found: defaultdict[bytes, set[int]] = defaultdict(set)
    for of, *_, text in messages:
        for number in decimals_in(text):
            found[number].add(of)
    return found
