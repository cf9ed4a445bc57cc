"""Ports that have been used, so that another connection between them goes to another address.

What begins in the middle, or anew, would be taken for a piece of the earlier connection.
"""

import random
from collections import OrderedDict
from collections.abc import Container

from iotflowgen.packets.lookahead import Flow

__all__ = ["Occupied"]

_MOST = 20_000


class Occupied:
    """The TCP connections that there were, the latest of very many.

    Args:
        hosts: Addresses of hosts, which stand for nobody else.
        draws: Draws other addresses.
    """

    def __init__(self, hosts: Container[bytes], draws: random.Random) -> None:
        self._hosts = hosts
        self._draws = draws
        self._known: OrderedDict[tuple[Flow, bytes], None] = OrderedDict()

    def note(self, flow: Flow, ip: bytes) -> None:
        """Note that a peer had a connection of these ports."""
        self._known[flow, ip] = None
        if len(self._known) > _MOST:
            self._known.popitem(last=False)

    def another(self, flow: Flow, ip: bytes) -> bytes:
        """Another address of a peer's network, if this one has had a connection of these ports."""
        if (flow, ip) not in self._known or len(ip) != 4:
            return b""
        first = self._draws.randrange(252)
        others = (ip[:-1] + bytes([2 + (first + i) % 252]) for i in range(252))
        free = (
            each for each in others if each not in self._hosts and (flow, each) not in self._known
        )
        return next(free, b"")
