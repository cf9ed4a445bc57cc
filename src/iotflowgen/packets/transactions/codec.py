"""Transaction ids: what a question makes up, and its answers repeat; as a codec.

Of an id it is kept how many others were made up since in its exchange, so an answer has that of its
question whatever captures the two come from. New ones are random, or count on from the one before
of who asks, or are what every capture has there.

Shapes: P captured packets; M mentions of ids; E packets of a block.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.datagrams.exchanges import count_on, recurring, refer, resolve
from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise, mixed
from iotflowgen.packets.ranges import Shift, begins_of, expand
from iotflowgen.packets.transactions import connections, industry, protocols, texts
from iotflowgen.packets.transactions.checks import set_crcs, set_fingerprints
from iotflowgen.packets.transactions.counting import counts_on, span_of, steps, swapped
from iotflowgen.packets.transactions.learnt import learn_ids
from iotflowgen.packets.transactions.payloads import (
    ALWAYS_NEW,
    ANYONE,
    DIGITS,
    FOR_ONE,
    LETTERS,
    RAW,
    STAYS,
    Mentions,
    Payloads,
)
from iotflowgen.packets.transactions.written import (
    fitted,
    in_alphabets,
    put_ids,
    read_id_values,
    take_out,
)
from iotflowgen.recording import Groups, Packets, Recording
from iotflowgen.wire import dst_port, src_port
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["Transactions", "find_ids", "open_transactions", "read_ids"]

_RANDOM, _COUNTED, _KEPT = range(3)
_FEW: Final = 16
"""From less on a program counts when it starts."""
_HEAD: Final = 24
_FINDERS: Final = tuple(
    finder for each in (protocols, industry, texts, connections) for finder in each.FINDERS
)


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
        drawn = noise.words(self.name, some.number, told["at"]).view(np.int64)
        shown = read_id_values(some.frames, at, told["size"], told["form"])
        value = np.where(told["law"] == _KEPT, shown, drawn)
        # ids of dialogs say which one it is that others are known in
        inner = told["inner"] > 0
        for is_inner in (False, True):
            of = np.flatnonzero(inner == is_inner)
            if is_inner and len(of):
                scope = _in_dialogs(scope, which, value, told["kind"], of)
            rows = {name: column[of] for name, column in told.items()}
            value[of] = self._resolved(memory, some.take(of), scope[of], rows, shown[of], value[of])
        put_ids(some.frames, at, told["size"], told["form"], value)
        set_fingerprints(news, np.unique(which[told["kind"] == protocols.STUN]))
        set_crcs(news, np.unique(which[np.isin(told["kind"], industry.WITH_CRCS)]))

    def _resolved(
        self,
        memory: Memory,
        some: Packets,
        scope: Integers,
        told: dict[str, Integers],
        shown: Integers,
        fresh: Integers,
    ) -> Integers:
        """Ids of mentions (M): their own, which count on or are `fresh`, or those referred to."""
        key = mixed(told["kind"], told["asker"], scope)
        # where a walk goes over to what is under way, whoever speaks first makes an id up
        had = memory.recall(f"{self.name}.count", key, np.zeros_like(key))
        begins = (had == 0) & Groups(key).is_first
        back = np.where(begins, -1, told["back"]).astype(np.int32)
        own = np.flatnonzero((told["law"] == _COUNTED) & (back < 0))
        if len(own):
            of_own = {name: column[own] for name, column in told.items()}
            first = _with_room(fresh[own], of_own["size"], of_own["form"])
            first = np.where(of_own["keeps"] > 0, shown[own], first)
            fresh[own] = self._counted(memory, some.take(own), scope[own], of_own, first)
        return resolve(self.name, memory, key, np.ones(len(key), dtype=bool), back, fresh)

    def _counted(
        self,
        memory: Memory,
        some: Packets,
        scope: Integers,
        told: dict[str, Integers],
        first: Integers,
    ) -> Integers:
        """Ids (M) that count on from those before, or from `first` ones."""
        size, form, little = told["size"], told["form"], told["little"] > 0
        first = _turned(fitted(first, size, form), size, little)
        line = np.where(told["by_session"] > 0, some.session, scope)
        line = mixed(told["kind"], line, _side(some, told["asker"]))
        never = np.zeros(len(line), dtype=bool)
        number = count_on(f"{self.name}.last", memory, line, told["step"], never, first)
        return _turned(fitted(number, size, form), size, little)


def _with_room(value: Integers, size: Integers, form: Integers) -> Integers:
    """Numbers (M) that may be counted on from, where more would need another digit."""
    least = 10 ** np.minimum(size - 1, 17)
    low = least + (fitted(value, size, form) - least) // 3
    return np.where(form == DIGITS, low, value)


def _in_dialogs(
    scope: Integers, which: Integers, value: Integers, kind: Integers, of: Integers
) -> Integers:
    """What ids are unique in (M), for those `of` dialogs: the one that their packet names."""
    dialog = np.zeros(int(which.max()) + 1, np.int64)
    names = kind >= texts.DIALOGS
    dialog[which[names]] = value[names]
    scope = scope.copy()
    scope[of] = mixed(scope[of], dialog[which[of]])
    return scope


def _side(some: Packets, asker: Integers) -> Integers:
    """Who counts ids (M): who asks, or where no message says so, who sends."""
    return np.where(asker == ANYONE, some.outgoing, asker)


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
    scope = _scope(some)
    key = mixed(ids.kind, ids.asker, np.where(ids.dialog > 0, mixed(scope, ids.dialog), scope))
    value = read_id_values(some.frames, some.layers.payload + ids.at, ids.size, ids.form)
    groups = Groups(mixed(key, value))
    first = groups.latest(groups.is_first)
    asks = (some.outgoing == some.outgoing[first]) & (ids.use == FOR_ONE)
    # who asks with an id that was answered asks something new
    again = asks & ~groups.previous(asks, first=True)
    again |= ids.use == ALWAYS_NEW
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
        (ids.form == LETTERS) | (ids.size > 8) | (ids.use == STAYS)
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
    form = in_alphabets(some.frames, at, ids.size, ids.form, ids.kind)
    take_out(some.frames, at, ids.size, form, ~kept)
    columns = {"packet": ids.packet, "at": at, "size": ids.size, "kind": ids.kind}
    columns |= {"asker": ids.asker, "form": form, "back": back.astype(np.int64), **laws}
    columns["inner"] = (ids.dialog > 0).astype(np.int64)
    narrow = {"law", "keeps", "by_session", "little", "asker", "form", "inner"}
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
    scope, side = mixed(_scope(some), ids.dialog), _side(some, ids.asker)
    for kind, form in np.unique(np.stack([ids.kind, ids.form])[:, own], axis=1).T.tolist():
        rows = np.flatnonzero((ids.kind == kind) & (ids.form == form) & own)
        width = int(ids.size[rows].max())
        if form == LETTERS or width > 8:
            continue
        number = value[rows]
        lines = mixed(scope[rows], side[rows]), mixed(some.session[rows], side[rows])
        far = {"near": 2**31} if kind == connections.TIMESTAMPS else {}
        by = next((i for i in (0, 1) if counts_on(number, lines[i], width, form=form, **far)), None)
        again = recurring(number, some.session[rows])
        if by is None:
            repeats = 2 * len(np.unique(number)) <= len(number)
            is_short = width == 1 and form == RAW
            law[rows] = np.where(again | (number == 0) | repeats | is_short, _KEPT, _RANDOM)
            continue
        law[rows] = _COUNTED
        told["by_session"][rows] = by
        groups, span = Groups(lines[by]), span_of(width, form)
        little = _is_little(number, lines[by], width) & (form == RAW)
        turned = np.where(little, swapped(number, width), number)
        step, has = steps(turned, lines[by], span, **far)
        told["little"][rows] = little
        # where a walk goes over to a capture that begins there, it counts on as usual
        usual = int(np.median(step[step > 0]))
        told["step"][rows] = np.where(has, np.maximum(step, 1), usual)
        told["keeps"][rows] = groups.is_first & (again | (turned < _FEW) & (turned >= 0))
    return {"law": law, **told}


def _is_little(number: Integers, line: Integers, width: int) -> Flags:
    """Whether the line of each id (M) counts in the other order of bytes."""
    if width == 1:
        return np.zeros(len(number), dtype=bool)
    _, of = np.unique(line, return_inverse=True)
    near = [
        np.bincount(of, weights=steps(each, line, span_of(width, RAW))[0] > 0)
        for each in (number, swapped(number, width))
    ]
    mostly = near[1].sum() > near[0].sum()
    little: Flags = np.where(near[1] == near[0], mostly, near[1] > near[0])[of]
    return little


def open_transactions(packets: Packets) -> Integers:
    """Which questions, and calls, are open in the flow of each packet of one capture (P).

    It is a number, 0 for none; a question counts if it is answered.
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
    answers = is_answer & (groups.sum(is_answer.astype(np.int64)) == 1)
    answers &= ids.use < STAYS
    # the ids themselves do not say what is asked
    frames = packets.frames
    heads = frames.take(ids.packet).bytes_at(some.layers.payload, _HEAD)
    place = np.arange(_HEAD)
    heads[(place >= ids.at[:, None]) & (place < (ids.at + ids.size)[:, None])] = 0
    words = heads.view("<i8")
    asked = mixed(ids.kind, frames.size[ids.packet], *words.T) >> 24
    # of texts, an answer has the digits that its question has
    asked = np.where(ids.form == DIGITS, mixed(asked, ids.size) >> 24, asked)
    np.add.at(change, ids.packet[first[answers]], asked[first[answers]])
    np.add.at(change, ids.packet[answers], -asked[first[answers]])
    for begin, end in _calls(ids, mixed(key, value)):
        of_call = mixed(ids.kind[[begin]])[0] >> 24
        change[ids.packet[begin]] += of_call
        change[ids.packet[end]] -= of_call
    flow = packets.flow
    return np.where(flow >= 0, -np.abs(Groups(flow).sum(change)), 0)


def _calls(ids: Mentions, value: Integers) -> Iterator[tuple[int, int]]:
    """Where ids (M) of calls, which differ by `value` (M), are mentioned first, and last."""
    rows = np.flatnonzero(texts.is_call(ids.kind))
    first = np.unique(value[rows], return_index=True)[1]
    last = len(rows) - 1 - np.unique(value[rows][::-1], return_index=True)[1]
    yield from zip(rows[first].tolist(), rows[last].tolist(), strict=True)
