"""The connections of a file: those that may go on, and the ports of those that there were.

What begins in the middle, or anew, would be taken for a piece of an earlier connection between the
same ports. So it goes to another address.
"""

import random
from collections import OrderedDict
from collections.abc import Container, Sequence
from typing import Final

from iotflowgen.packets.connections import Conversation
from iotflowgen.packets.lookahead import Flow
from iotflowgen.traffic import protocol_mask

__all__ = ["Conversations"]

_TCP: Final = protocol_mask(["tcp"])
_MOST: Final = 5000
"""That may go on; of more the one is forgotten that was silent for longest."""
_MOST_OCCUPIED: Final = 20_000


class Conversations:
    """All connections, and what goes on like one without TCP.

    Args:
        ips: The addresses of all hosts, which stand for nobody else.
        draws: Draws the sequence numbers that connections begin with, and other addresses.
    """

    def __init__(self, ips: Sequence[bytes], draws: random.Random) -> None:
        self._ips = ips
        self._draws = draws
        self._known: OrderedDict[Flow, Conversation] = OrderedDict()
        self._occupied: OrderedDict[Flow, set[bytes]] = OrderedDict()
        """Addresses that have had connections between the same ports."""
        self._stand_ins: dict[bytes, bytes] = {}
        """Addresses that peers have in this run, by their own."""

    def __contains__(self, flow: object) -> bool:
        return flow in self._known

    def get(self, flow: Flow) -> Conversation | None:
        """The conversation that a packet goes on with; None where it begins one."""
        return self._known.get(flow)

    def take_up(self, flow: Flow) -> Conversation:
        """The conversation of a packet that is written now."""
        conversation = self._known.get(flow) or self.begin(flow)
        self._known.move_to_end(flow)
        return conversation

    def begin(self, flow: Flow) -> Conversation:
        """A new conversation, in the place of the one that there may be."""
        if before := self._known.pop(flow, None):
            self._occupy(flow, before)
        elif len(self._known) >= _MOST:
            self._occupy(*self._known.popitem(last=False))
        draw = self._draws.getrandbits
        conversation = self._known[flow] = Conversation((draw(32), draw(32)))
        return conversation

    def forget(self) -> None:
        """None of them goes on."""
        for flow, conversation in self._known.items():
            self._occupy(flow, conversation)
        self._known.clear()
        self._stand_ins.clear()

    def vacant(self, flow: Flow, ip: bytes, *, is_known: bool = False) -> bytes:
        """An address for a peer: its own, or if that has had such a connection, one beside it.

        So have its connections that begin later in the run, unless DNS has made the own one known.
        """
        address = ip if is_known else self._stand_ins.get(ip, ip)
        if address in (occupied := self._occupied.get(flow, set())):
            address = self._stand_ins[ip] = self._beside(ip, occupied)
        return address

    def _occupy(self, flow: Flow, conversation: Conversation) -> None:
        """Note the ports of a connection that is over."""
        if not flow[0] & _TCP or conversation.peer < 0:
            return
        ip = conversation.address or self._ips[conversation.peer]
        self._occupied.setdefault(flow, set()).add(ip)
        if len(self._occupied) > _MOST_OCCUPIED:
            self._occupied.popitem(last=False)

    def _beside(self, ip: bytes, occupied: Container[bytes]) -> bytes:
        """An address of the same IPv4 network that nobody has; the same if none is left."""
        first, taken = self._draws.randrange(252), {*self._stand_ins.values()}
        for i in range(252 if len(ip) == 4 else 0):
            other = ip[:-1] + bytes([2 + (first + i) % 252])
            if other not in self._ips and other not in occupied and other not in taken:
                return other
        return ip
