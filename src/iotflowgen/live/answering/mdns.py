"""How a decoy answers questions of mDNS (RFC 6762) and of DNS service discovery (RFC 6763).

Records are those that its device was captured to say, and what the decoy has said since.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from iotflowgen.live.answering.dns import (
    ANY,
    Message,
    Name,
    Question,
    Record,
    read,
    same_name,
    target,
    understood,
    write,
)
from iotflowgen.live.answering.memory import remember

__all__ = ["GROUP", "PORT", "Answer", "Mdns"]

PORT: Final = 5353
GROUP: Final = bytes([224, 0, 0, 251])

_A, _PTR, _TXT, _AAAA, _SRV = 1, 12, 16, 28, 33
_INTERNET: Final = 1
_TOP: Final = 0x8000
"""Of a class: of a record, that others are void; of a question, that it asks for unicast."""
_OPCODE: Final = 0x7800
_AUTHORITATIVE: Final = 0x8400
_OFTEN_NS, _DEFENCE_NS = 10**9, 250 * 10**6
"""A record is not said to all again before so long has passed (section 6); to who tries to take
the name, sooner."""
_LEGACY_TTL: Final = 10
"""Seconds, at most, for who does not follow what is said later (section 6.7)."""

_Key = tuple[Name, int]
"""Name and type of records."""


class Answer(NamedTuple):
    """A message that answers."""

    payload: bytes
    to_group: bool
    """Whether all get it, not only the one who asks."""


class Mdns:
    """What one decoy says.

    Args:
        learnt: `discovery.Mdns` in JSON.
    """

    def __init__(self, learnt: Mapping[str, Any]) -> None:
        self._compresses = bool(learnt["compresses"])
        self._known: dict[_Key, dict[bytes, Record]] = {}
        self._heard: set[_Key] = set()
        self._said_ns: dict[tuple[_Key, bytes], int] = {}
        self._asked: dict[_Key, tuple[list[_Key], list[_Key]]] = {}
        for said in learnt["responses"]:
            self._learn(read(bytes.fromhex(said)))
        for question, response in learnt["asked"]:
            layout: tuple[list[_Key], list[_Key]] = [], []
            if response:
                said = read(bytes.fromhex(response))
                layout = _keys(said.answers), _keys(said.additionals)
            for each in read(bytes.fromhex(question)).questions:
                self._asked[same_name(each.name), each.type] = layout

    def notice(self, payload: bytes, now_ns: int) -> None:
        """Take note of a message that the decoy sends to all by itself: composed, no answer."""
        message = understood(payload)
        if message is not None and message.is_response:
            records = [*message.answers, *message.additionals]
            # what was captured goes when the decoy says otherwise
            for key in {*_keys(records)} - self._heard:
                self._heard.add(key)
                self._known.pop(key, None)
            self._learn(message)
            self._note(records, now_ns)

    def _learn(self, message: Message) -> None:
        renewed: set[_Key] = set()
        for record in (*message.answers, *message.additionals):
            key = _key(record)
            if record.kind & _TOP and key not in renewed:
                self._known.pop(key, None)
                renewed.add(key)
            same = self._known.setdefault(key, {})
            same.pop(record.data, None)
            if record.ttl:
                same[record.data] = record

    def answer(self, payload: bytes, *, port: int, is_direct: bool, now_ns: int) -> Answer | None:
        """The answer to a question, if it gets one.

        Args:
            payload: What somebody has sent.
            port: The source port.
            is_direct: Whether it was sent to the decoy alone.
            now_ns: The time, nanoseconds.
        """
        asked = understood(payload)
        if asked is None or asked.is_response or asked.flags & _OPCODE:
            return None
        answers, more = self._found(asked)
        is_legacy = port != PORT
        wants_unicast = all(each.kind & _TOP for each in asked.questions)
        to_group = not is_legacy and not is_direct
        if to_group and wants_unicast:
            to_group = not all(self._is_fresh(each, now_ns) for each in answers)
        if to_group:
            quiet_ns = _DEFENCE_NS if asked.authorities else _OFTEN_NS
            answers = [each for each in answers if not self._was_said(each, now_ns, quiet_ns)]
            more = [each for each in more if not self._was_said(each, now_ns, quiet_ns)]
        if not answers:
            return None
        if to_group:
            self._note([*answers, *more], now_ns)
        if is_legacy:
            answers, more = ([*map(_for_legacy, each)] for each in (answers, more))
        number, questions = (asked.id, asked.questions) if is_legacy else (0, ())
        said = Message(number, _AUTHORITATIVE, questions, answers, (), more)
        return Answer(write(said, compresses=self._compresses), to_group)

    def _found(self, asked: Message) -> tuple[list[Record], list[Record]]:
        """Records that answer, and additional ones, without what who asks knows (section 7.1)."""
        known = {(_key(each), each.data): each.ttl for each in asked.answers}
        answers: dict[tuple[_Key, bytes], Record] = {}
        more: dict[tuple[_Key, bytes], Record] = {}

        def is_new(record: Record) -> bool:
            return 2 * known.get((_key(record), record.data), 0) < record.ttl

        for question in asked.questions:
            direct, first, then = self._about(question)
            if any(map(is_new, direct)):
                answers |= {(_key(each), each.data): each for each in first if is_new(each)}
                more |= {(_key(each), each.data): each for each in then if is_new(each)}
        return [*answers.values()], [more[each] for each in more if each not in answers]

    def _about(self, question: Question) -> tuple[list[Record], list[Record], list[Record]]:
        """Records that are asked for; those that answer, as captured; and additional ones."""
        if question.kind & ~_TOP not in (_INTERNET, ANY):
            return [], [], []
        name = same_name(question.name)
        layout = self._asked.get((name, question.type))
        direct = [
            record
            for (whose, kind), records in self._known.items()
            if whose == name and question.type in (kind, ANY)
            for record in records.values()
        ]
        if layout is None:
            return direct, direct, [*self._beside(direct)]
        first, then = ([*self._all(keys)] for keys in layout)
        return direct or first, first, then

    def _beside(self, records: Iterable[Record]) -> Iterator[Record]:
        """What who asks will ask for next (RFC 6763, section 12)."""
        for record in records:
            whom = same_name(target(record))
            if record.type == _PTR:
                found = [*self._all([(whom, _SRV), (whom, _TXT)])]
                yield from found
                yield from self._beside(each for each in found if each.type == _SRV)
            elif record.type == _SRV:
                yield from self._all([(whom, _A), (whom, _AAAA)])

    def _all(self, keys: Iterable[_Key]) -> Iterator[Record]:
        for key in keys:
            yield from self._known.get(key, {}).values()

    def _note(self, records: Iterable[Record], now_ns: int) -> None:
        for record in records:
            remember(self._said_ns, (_key(record), record.data), now_ns)

    def _was_said(self, record: Record, now_ns: int, quiet_ns: int) -> bool:
        said_ns = self._said_ns.get((_key(record), record.data))
        return said_ns is not None and now_ns - said_ns < quiet_ns

    def _is_fresh(self, record: Record, now_ns: int) -> bool:
        """Whether all have heard it not long ago (section 5.4)."""
        return self._was_said(record, now_ns, record.ttl * 10**9 // 4)


def _key(record: Record) -> _Key:
    return same_name(record.name), record.type


def _keys(records: Sequence[Record]) -> list[_Key]:
    return [*dict.fromkeys(map(_key, records))]


def _for_legacy(record: Record) -> Record:
    return record._replace(kind=record.kind & ~_TOP, ttl=min(record.ttl, _LEGACY_TTL))
