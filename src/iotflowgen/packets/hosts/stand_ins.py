"""Other addresses for hosts in each session of a file but the first.

Sessions begin with the same ports. Between the same addresses, a connection would seem to be one of
an earlier session that goes on, or its ports to be used again.

Shapes: H hosts that have others; E packets.
"""

import numpy as np

from iotflowgen.packets.noise import Noise
from iotflowgen.recording import Groups
from iotflowgen.recording.arrays import Integers

__all__ = ["StandIns"]

_LAST = 254
"""Hosts of a network of IPv4 whose last byte counts them, from 1 on."""


class StandIns:
    """Addresses of IPv4, free ones of the same network."""

    def __init__(self, hosts: Integers, taken: Integers) -> None:
        """Find free addresses.

        Args:
            hosts: Whose address is to be another one in each session (H); all different, rising.
            taken: Addresses that stay somebody's.
        """
        self._hosts = hosts
        self._networks, self._network = np.unique(hosts >> 8, return_inverse=True)
        self._rank = Groups(self._network).sum(np.ones(len(hosts), dtype=np.int64)) - 1
        self._together = np.bincount(self._network)
        some = (self._networks[:, None] << 8) + np.arange(1, _LAST + 1)
        is_taken = np.isin(some, taken) | np.isin(some, hosts)
        # in no order, free ones first
        shuffled = np.random.default_rng(0).random(some.shape)
        order = np.argsort(np.where(is_taken, 1, shuffled), axis=1)
        self._free = np.take_along_axis(some, order, axis=1)
        self._count = np.maximum((~is_taken).sum(axis=1), 1)

    def of(self, address: Integers, session: Integers, noise: Noise) -> Integers:
        """What stands in for addresses (E) in sessions (E); themselves where nothing does.

        Where F addresses are free for H hosts of a network, they come again after F / H sessions.
        """
        has = np.flatnonzero((session > 0) & np.isin(address, self._hosts))
        host = np.searchsorted(self._hosts, address[has])
        network = self._network[host]
        begin = noise.below(_LAST, "stand-in", self._networks[network])
        turn = begin + self._rank[host] + session[has] * self._together[network]
        other = address.copy()
        other[has] = self._free[network, turn % self._count[network]]
        return other
