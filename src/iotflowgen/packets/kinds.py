"""What most packets of a kind are, by the templates of that kind.

Of packets that are still to come only their kinds are known.
"""

from collections import Counter
from collections.abc import Iterable

from iotflowgen.packets.headers import Kind
from iotflowgen.packets.layout import ACK, FIN, SYN
from iotflowgen.packets.mask import HTTP
from iotflowgen.packets.ready import Ready
from iotflowgen.packets.recognition import is_interim
from iotflowgen.packets.segments import HELD_NS, PROBED_NS
from iotflowgen.traffic import protocol_mask

__all__ = ["Kinds"]

_TCP = {protocol_mask(["ip", "tcp"]), protocol_mask(["tcp"])}
_LONGEST_BARE = 78
"""Bytes of a frame that is taken for an acknowledgment where it was not seen: it may carry options,
but hardly more than timestamps and one block of selective acknowledgment."""


class Kinds:
    """The kinds of all templates."""

    def __init__(self, ready: Iterable[Ready]) -> None:
        bare, closing, rests, interim = (Counter[Kind]() for _ in range(4))
        self._opening: set[Kind] = set()
        self._probing: set[Kind] = set()
        for each in ready:
            template, kind = each.template, each.template.kind
            for_it, against = template.count, -template.count
            if each.layout.protocol == 6:
                bare[kind] += for_it if template.probes or not each.size else against
                closing[kind] += for_it if each.flags & FIN else against
            if template.protocols & HTTP and each.size:
                message = each.frame[each.layout.payload : each.layout.end]
                rests[kind] += against if each.begins else for_it
                interim[kind] += for_it if is_interim(message) else against
            if each.flags & (SYN | ACK) == SYN:
                self._opening.add(kind)
            if template.probes:
                self._probing.add(kind)
        self._bare = {kind: balance > 0 for kind, balance in bare.items()}
        self._closing, self._rests, self._interim = map(_mostly, (closing, rests, interim))

    def is_bare(self, kind: Kind) -> bool:
        """Whether packets of a kind are TCP segments without payload."""
        return self._bare.get(kind, kind[0] <= _LONGEST_BARE and kind[2] in _TCP)

    def opens(self, kind: Kind) -> bool:
        """Whether a packet of a kind may open a connection."""
        return kind in self._opening

    def closes(self, kind: Kind) -> bool:
        """Whether most packets of a kind end what their sender says."""
        return kind in self._closing

    def may_probe(self, kind: Kind) -> bool:
        """Whether a packet of a kind may ask whether the other end is alive."""
        return kind in self._probing

    def held_ns(self, kind: Kind) -> int:
        """How long something may be left unacknowledged for a packet of a kind."""
        return PROBED_NS if kind in self._probing else HELD_NS

    def goes_on(self, kind: Kind) -> bool:
        """Whether most packets of a kind go on with a message of HTTP."""
        return kind in self._rests

    def is_interim(self, kind: Kind) -> bool:
        """Whether most packets of a kind are responses of HTTP before the actual one."""
        return kind in self._interim


def _mostly(balances: Counter[Kind]) -> frozenset[Kind]:
    return frozenset(kind for kind, balance in balances.items() if balance > 0)
