"""Ports that have been used, so that another connection between them goes to another address.

What begins in the middle, or anew, would be taken for a piece of the earlier connection.
"""

import random
from collections import OrderedDict
from collections.abc import Container, Iterator

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
        self._known: OrderedDict[tuple[Flow, bytes], Iterator[bytes]] = OrderedDict()
        """Networks in which ports were used, and the addresses that are left there."""

    def note(self, flow: Flow, ip: bytes) -> None:
        """Note that a peer had a connection of these ports."""
        self._known.setdefault((flow, ip[:-1]), self._others(ip))
        if len(self._known) > _MOST:
            self._known.popitem(last=False)

    def another(self, flow: Flow, ip: bytes) -> bytes:
        """Another address of a peer's network, if this one has had a connection of these ports."""
        return next(self._known.get((flow, ip[:-1]), iter(())), b"")

    def _others(self, ip: bytes) -> Iterator[bytes]:
        """Each address once of an IPv4 network that no host has."""
        first = self._draws.randrange(252)
        for i in range(252 if len(ip) == 4 else 0):
            other = ip[:-1] + bytes([2 + (first + i) % 252])
            if other not in self._hosts:
                yield other
