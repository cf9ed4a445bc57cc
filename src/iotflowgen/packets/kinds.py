"""What most packets of a kind are, by the templates of that kind.

Of packets that are still to come only their kinds are known.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from iotflowgen.packets.headers import Kind
from iotflowgen.packets.layout import ACK, FIN, SYN
from iotflowgen.packets.lookahead import Carries
from iotflowgen.packets.mask import HTTP
from iotflowgen.packets.ready import Ready
from iotflowgen.packets.recognition import is_interim
from iotflowgen.packets.segments import HELD_NS, PROBED_NS
from iotflowgen.traffic import protocol_mask

__all__ = ["Kinds", "Usual"]

_TCP: Final = {protocol_mask(["ip", "tcp"]), protocol_mask(["tcp"])}
_LONGEST_BARE: Final = 78
"""Bytes of a frame that is taken for an acknowledgment where it was not seen: it may carry options,
but hardly more than timestamps and one block of selective acknowledgment."""


@dataclass
class Usual:
    """What most packets of a kind are."""

    carries: int
    """Of those without TCP, payload."""
    is_bare: bool
    """They are TCP segments without payload."""
    opens: bool = False
    """One of them may open a connection."""
    may_open: bool = False
    """Some of them do, and others do not."""
    accepts: bool = False
    """One of them may be the answer to what opens a connection."""
    held_ns: int = HELD_NS
    """How long something may be left unacknowledged for one of them."""
    goes_on: bool = False
    """They go on with a message of HTTP."""
    is_interim: bool = False
    """They are responses of HTTP before the actual one."""


_BARE: Final = Usual(Carries.NOTHING, is_bare=True)
_WITH_PAYLOAD: Final = Usual(Carries.PAYLOAD, is_bare=False)


class Kinds:
    """The kinds of all templates."""

    def __init__(self, ready: Iterable[Ready]) -> None:
        bare, closing, rests, interim = (Counter[Kind]() for _ in range(4))
        opening: set[Kind] = set()
        going_on: set[Kind] = set()
        accepting: set[Kind] = set()
        probing: set[Kind] = set()
        kinds: set[Kind] = set()
        for each in ready:
            template, kind = each.template, each.template.kind
            for_it, against = template.count, -template.count
            kinds.add(kind)
            if each.layout.protocol == 6:
                bare[kind] += for_it if template.probes or not each.size else against
                closing[kind] += for_it if each.flags & FIN else against
            if template.protocols & HTTP and each.size:
                message = each.frame[each.layout.payload : each.layout.end]
                rests[kind] += against if each.begins else for_it
                interim[kind] += for_it if is_interim(message) else against
            (opening if each.flags & (SYN | ACK) == SYN else going_on).add(kind)
            if each.flags & (SYN | ACK) == SYN | ACK:
                accepting.add(kind)
            if template.probes:
                probing.add(kind)
        bare_ones = {
            kind for kind in kinds if (bare[kind] > 0 if kind in bare else _is_short(kind))
        }
        self._seen = {
            kind: Usual(
                _carries(kind in bare_ones, kind in probing, closing[kind] > 0),
                is_bare=kind in bare_ones,
                opens=kind in opening,
                may_open=kind in opening and kind in going_on,
                accepts=kind in accepting,
                held_ns=PROBED_NS if kind in probing else HELD_NS,
                goes_on=rests[kind] > 0,
                is_interim=interim[kind] > 0,
            )
            for kind in kinds
        }

    def usual(self, kind: Kind) -> Usual:
        """What most packets of a kind are, seen or not."""
        seen = self._seen.get(kind)
        if seen is not None:
            return seen
        return _BARE if _is_short(kind) else _WITH_PAYLOAD

    def is_bare(self, kind: Kind) -> bool:
        """Whether packets of a kind are TCP segments without payload."""
        return self.usual(kind).is_bare


def _is_short(kind: Kind) -> bool:
    return kind[0] <= _LONGEST_BARE and kind[2] in _TCP


def _carries(is_bare: bool, may_probe: bool, closes: bool) -> int:
    if is_bare:
        return Carries.A_PROBE if may_probe else Carries.NOTHING
    return Carries.THE_END if closes else Carries.PAYLOAD
