"""Transaction ids: what a question makes up, and its answers repeat; as a codec.

Of an id it is kept how many others were made up since in its exchange, so an answer has that of its
question whatever captures the two come from. New ones are random, or count on from the one before
of who asks, or are what every capture has there.

Shapes: P captured packets; M mentions of ids; E packets of a block.
"""

from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.datagrams.exchanges import count_on, recurring, refer, resolve
from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise, mixed
from iotflowgen.packets.ranges import Shift, begins_of, expand
from iotflowgen.packets.transactions import connections, protocols
from iotflowgen.packets.transactions.counting import counts_on, steps, swapped
from iotflowgen.packets.transactions.fingerprints import set_fingerprints
from iotflowgen.packets.transactions.learnt import learn_ids
from iotflowgen.packets.transactions.payloads import (
    DIGITS,
    LETTERS,
    RAW,
    Mentions,
    Payloads,
)
from iotflowgen.packets.transactions.written import put_ids, read_id_values, take_out
from iotflowgen.recording import Groups, Packets, Recording
from iotflowgen.wire import dst_port, src_port
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["Transactions", "find_ids", "open_transactions", "read_ids"]

_RANDOM, _COUNTED, _KEPT = range(3)
_FEW: Final = 16
"""From less on a program counts when it starts."""
_HEAD: Final = 24
_FINDERS: Final = (*protocols.FINDERS, *connections.FINDERS)


class Transactions:
    """Ids by what they answer, or count on from."""

    name: ClassVar[str] = "transactions"

    def __init__(self, recording: Recording) -> None:
        """Take the ids of all packets (P)."""
        told = recording.of("random")
        start = "id_"
        self._told = {
            name.removeprefix(start): column.astype(np.int64)
            for name, column in told.items()
            if name.startswith(start)
        }
        self._begin = begins_of(self._told["packet"], len(recording))
        self._size, self._spot = recording.frames.size, told["spot"].astype(np.int64)

    @staticmethod
    def encode(packets: Packets) -> dict[str, NDArray[Any]]:  # noqa: ARG004
        """Nothing: `read_ids` reads it before what is random is taken out."""
        return {}

    def decode(self, packets: Packets, memory: Memory, noise: Noise) -> None:
        """Write the ids of new packets, and the fingerprints over them."""
        news = packets.news
        which, row = expand(self._begin, news.source)
        if not len(which):
            return
        told = {name: column[row] for name, column in self._told.items()}
        at = Shift.of(news, self._spot, self._size).firsts(which, told["at"])
        some = news.take(which)
        scope = _scope(some)
        key = mixed(told["kind"], told["asker"], scope)
        drawn = noise.words(self.name, some.number, told["at"]).view(np.int64)
        shown = read_id_values(some.frames, at, told["size"], told["form"])
        fresh = np.where(told["law"] == _KEPT, shown, drawn)
        own = np.flatnonzero((told["law"] == _COUNTED) & (told["back"] < 0))
        if len(own):
            fresh[own] = self._counted(memory, some, scope, told, own, shown, drawn)
        asks = np.ones(len(key), dtype=bool)
        value = resolve(self.name, memory, key, asks, told["back"].astype(np.int32), fresh)
        put_ids(some.frames, at, told["size"], told["form"], value)
        set_fingerprints(news, np.unique(which[told["kind"] == protocols.STUN]))

    def _counted(
        self,
        memory: Memory,
        some: Packets,
        scope: Integers,
        told: dict[str, Integers],
        own: Integers,
        shown: Integers,
        drawn: Integers,
    ) -> Integers:
        """Ids that count on, of those mentions that are their `own`."""
        width, little = told["size"][own], told["little"][own] > 0
        first = np.where(told["keeps"][own] > 0, shown[own], drawn[own])
        first = _turned(_cut(first, width), width, little)
        line = np.where(told["by_session"][own] > 0, some.session[own], scope[own])
        line = mixed(told["kind"][own], line, some.outgoing[own])
        step = told["step"][own]
        number = count_on(f"{self.name}.last", memory, line, step, step == 0, first)
        return _turned(_cut(number, width), width, little)


def _cut(value: Integers, width: Integers) -> Integers:
    """The last bytes of numbers, as many as they have."""
    mask = np.where(width < 8, (1 << 8 * np.minimum(width, 7)) - 1, -1)
    cut: Integers = value & mask
    return cut


def _turned(value: Integers, width: Integers, little: Flags) -> Integers:
    """Numbers in the other order of bytes, where they are `little`."""
    turned = value.copy()
    for each in np.unique(width[little]).tolist():
        of = little & (width == each)
        turned[of] = swapped(value[of], min(each, 8))
    return turned


def _scope(packets: Packets) -> Integers:
    """What ids of each packet (M) are unique in: a connection, or all between two ports."""
    frames, layers = packets.frames, packets.layers
    ends = src_port(frames, layers), dst_port(frames, layers)
    device, peer = (np.where(packets.outgoing, *each) for each in (ends, ends[::-1]))
    return np.where(layers.is_tcp, packets.flow, mixed(packets.session, device, peer))


def find_ids(packets: Packets) -> Mentions:
    """Where ids stand in packets (P)."""
    payloads = Payloads.of(packets)
    found = [each for finder in _FINDERS for each in finder(payloads)]
    known = np.isin(payloads.row, np.concatenate([each.packet for each in found]))
    return Mentions.joined([*found, *learn_ids(payloads, known)])


def _exchanges(packets: Packets, ids: Mentions) -> tuple[Integers, Integers, Integers]:
    """For each id (M) a number for its exchange, its value, and how often that came up again."""
    some = packets.take(ids.packet)
    key = mixed(ids.kind, ids.asker, _scope(some))
    value = read_id_values(some.frames, some.layers.payload + ids.at, ids.size, ids.form)
    groups = Groups(mixed(key, value))
    first = groups.latest(groups.is_first)
    by_asker = some.outgoing == some.outgoing[first]
    # who asks with an id that was answered asks something new
    again = by_asker & ~groups.previous(by_asker, first=True) & ~ids.stays
    return key, value, groups.sum(again.astype(np.int64))


def read_ids(packets: Packets) -> dict[str, NDArray[Any]]:
    """Columns of the ids in captured packets (M), by names that begin with `id_`.

    What differs from capture to capture becomes 0 in their frames, which are written to.
    """
    ids = find_ids(packets)
    key, value, use = _exchanges(packets, ids)
    some = packets.take(ids.packet)
    told_apart = mixed(ids.kind, value)
    constant = recurring(told_apart, some.session) & (
        (ids.form == LETTERS) | (ids.size > 8) | ids.stays
    )
    constant &= ~np.isin(ids.kind, protocols.RANDOM)
    if constant.any():
        ids = Mentions(**{k: v[~constant] for k, v in vars(ids).items()})
        some = packets.take(ids.packet)
        key, value, use = (column[~constant] for column in (key, value, use))
    back = refer(key, mixed(value, use), np.ones(len(ids), dtype=bool))
    laws = _laws(some, ids, value, back < 0)
    at = some.layers.payload + ids.at
    kept = ((laws["law"] == _KEPT) | (laws["keeps"] > 0)) & (back < 0)
    take_out(some.frames, at, ids.size, ids.form, ~kept)
    columns = {"packet": ids.packet, "at": at, "size": ids.size, "kind": ids.kind}
    columns |= {"asker": ids.asker, "form": ids.form, "back": back, **laws}
    narrow = {"law", "keeps", "by_session", "little", "asker", "form"}
    return {
        f"id_{name}": column.astype(
            np.int8 if name in narrow else np.int64 if name == "step" else np.int32
        )
        for name, column in columns.items()
    }


def _laws(some: Packets, ids: Mentions, value: Integers, own: Flags) -> dict[str, Integers]:
    """How ids are made up (M): by which law, and if they count, how."""
    zeros = np.zeros(len(ids), np.int64)
    law, names = zeros.copy(), ("step", "keeps", "by_session", "little")
    told = {name: zeros.copy() for name in names}
    scope = _scope(some)
    for kind in np.unique(ids.kind).tolist():
        rows = np.flatnonzero((ids.kind == kind) & own)
        form, width = (
            int(ids.form[rows[0]]) if len(rows) else RAW,
            int(ids.size[rows].max(initial=1)),
        )
        if form == DIGITS:
            law[rows] = _KEPT
            continue
        if form == LETTERS or width > 8:
            continue
        number, sender = value[rows], some.outgoing[rows]
        lines = mixed(scope[rows], sender), mixed(some.session[rows], sender)
        far = {"near": 2**31} if kind == connections.TIMESTAMPS else {}
        by = next((i for i in (0, 1) if counts_on(number, lines[i], width, **far)), None)
        again = recurring(number, some.session[rows])
        if by is None:
            repeats = 2 * len(np.unique(number)) <= len(number)
            law[rows] = np.where(again | (number == 0) | repeats | (width == 1), _KEPT, _RANDOM)
            continue
        law[rows] = _COUNTED
        told["by_session"][rows] = by
        groups = Groups(lines[by])
        little = _is_little(number, lines[by], width)
        turned = np.where(little, swapped(number, width), number)
        step, has = steps(turned, lines[by], width, **far)
        told["little"][rows] = little
        told["step"][rows] = np.where(has, np.maximum(step, 1), 0)
        told["keeps"][rows] = groups.is_first & (again | (turned < _FEW) & (turned >= 0))
    return {"law": law, **told}


def _is_little(number: Integers, line: Integers, width: int) -> Flags:
    """Whether the line of each id (M) counts in the other order of bytes."""
    if width == 1:
        return np.zeros(len(number), dtype=bool)
    _, of = np.unique(line, return_inverse=True)
    near = [
        np.bincount(of, weights=steps(each, line, width)[0] > 0)
        for each in (number, swapped(number, width))
    ]
    mostly = near[1].sum() > near[0].sum()
    little: Flags = np.where(near[1] == near[0], mostly, near[1] > near[0])[of]
    return little


def open_transactions(packets: Packets) -> Integers:
    """Which questions are open in the flow of each packet of one capture (P), as a number.

    0 for none; a question counts if it is answered.
    """
    ids = find_ids(packets)
    change = np.zeros(len(packets), dtype=np.int64)
    if not len(ids):
        return change
    key, value, use = _exchanges(packets, ids)
    some = packets.take(ids.packet)
    groups = Groups(mixed(key, value, use))
    first = groups.latest(groups.is_first)
    is_answer = (some.outgoing != some.outgoing[first]) & (some.flow == some.flow[first])
    answers = is_answer & (groups.sum(is_answer.astype(np.int64)) == 1) & ~ids.stays
    # the ids themselves do not say what is asked
    frames = packets.frames
    heads = frames.take(ids.packet).bytes_at(some.layers.payload, _HEAD)
    place = np.arange(_HEAD)
    heads[(place >= ids.at[:, None]) & (place < (ids.at + ids.size)[:, None])] = 0
    words = heads.view("<i8")
    asked = mixed(ids.kind, frames.size[ids.packet], *words.T) >> 24
    np.add.at(change, ids.packet[first[answers]], asked[first[answers]])
    np.add.at(change, ids.packet[answers], -asked[first[answers]])
    flow = packets.flow
    return np.where(flow >= 0, -np.abs(Groups(flow).sum(change)), 0)
