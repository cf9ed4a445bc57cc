"""Payload that looks random and is not: the same in several captures, or in messages of one kind.

Nobody encrypts a thing twice to the same bytes. So payload that is in several captures was sent as
it is, firmware above all. And a byte that takes few values in messages of one kind, and of one
length if that is not too rare to tell, is part of their head: a type, a length, a number that
counts.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

__all__ = ["HEAD", "Plain"]

HEAD = 16
"""Bytes of a message in which a head is looked for; further on a byte may say who sends."""
_LEAST = 4
"""Messages of one kind that it takes to tell."""

Kind = tuple[int, ...]
"""The length first."""


class Plain:
    """What is plain in captures.

    Args:
        captures: Of each the payloads, with the kind of the message that they begin.
    """

    def __init__(self, captures: Iterable[Sequence[tuple[Kind, bytes]]]) -> None:
        whole: Counter[bytes] = Counter()
        heads: defaultdict[Kind, list[bytes]] = defaultdict(list)
        for payloads in captures:
            whole.update({payload for _, payload in payloads})
            for kind, payload in payloads:
                for known in (kind, kind[1:]):
                    heads[known].append(payload[:HEAD])
        self._recurring = frozenset(payload for payload, count in whole.items() if count > 1)
        self._heads = {kind: _told(seen) for kind, seen in heads.items() if len(seen) >= _LEAST}

    def recurs(self, payload: bytes) -> bool:
        """Whether it is in more captures than one."""
        return payload in self._recurring

    def head(self, kind: Kind) -> frozenset[int]:
        """Which of the first bytes of a kind of message are not random.

        If that length is too rare to tell, those of its like at any length.
        """
        return self._heads.get(kind, self._heads.get(kind[1:], frozenset()))


def _told(heads: Sequence[bytes]) -> frozenset[int]:
    """Places where there are at most half as many values as messages that reach so far."""
    columns = [[head[place] for head in heads if place < len(head)] for place in range(HEAD)]
    return frozenset(
        place
        for place, values in enumerate(columns)
        if len(values) >= max(_LEAST, 2 * len({*values}))
    )
