"""Substitute addresses of hosts, for each session of a file but the first.

Sessions open the same ports. Between the same addresses a connection would seem to continue one of
an earlier session, or its ports to be reused.

Shapes: H hosts that have others; G groups of these; E packets.
"""

import numpy as np

from iotflowgen.packets.noise import Noise
from iotflowgen.recording import Groups
from iotflowgen.wire.arrays import Integers

__all__ = ["SubstituteAddresses"]

_LAST = 254
"""Hosts of a network of IPv4 whose last byte counts them, from 1 on."""


class SubstituteAddresses:
    """Addresses of IPv4, others of the same network: free ones, as long as there are enough."""

    def __init__(self, hosts: Integers, taken: Integers, named: Integers) -> None:
        """Find addresses.

        Args:
            hosts: Whose address is to be another one in each session (H); all different, rising.
            taken: Addresses that stay somebody's.
            named: Addresses that stand in texts. There all hosts of a network that has such keep
                the number of their digits, so that texts have room.
        """
        self.hosts = hosts
        digits = np.where(np.isin(hosts >> 8, named >> 8), _digits(hosts & 255), 0)
        self._keys, self._group = np.unique((hosts >> 8) * 4 + digits, return_inverse=True)
        self._rank = Groups(self._group).sum(np.ones(len(hosts), dtype=np.int64)) - 1
        self._together = np.bincount(self._group)
        last = np.arange(256)
        some = (self._keys[:, None] >> 2 << 8) + last
        fits = (self._keys[:, None] & 3 == 0) | (self._keys[:, None] & 3 == _digits(last))
        is_own = np.isin(some, hosts) & fits
        is_free = fits & ~np.isin(some, taken) & ~is_own & (last > 0) & (last <= _LAST)
        # in no order, free ones first, then those of the hosts themselves
        shuffled = np.pad(np.random.default_rng(0).random((len(some), _LAST)), ((0, 0), (1, 1)))
        order = np.argsort(np.select([is_free, is_own], [shuffled, 1 + shuffled], 2), axis=1)
        self._others = np.take_along_axis(some, order, axis=1)
        free, own = is_free.sum(axis=1), is_own.sum(axis=1)
        self._count = np.where(free < self._together, free + own, free)

    def of(self, address: Integers, session: Integers, noise: Noise) -> Integers:
        """What stands in for addresses (E) in sessions (E); themselves where nothing does.

        Hosts of one session have different ones. Where F addresses are free for H hosts of a
        network, they come again after F / H sessions.
        """
        has = np.flatnonzero((session > 0) & np.isin(address, self.hosts))
        host = np.searchsorted(self.hosts, address[has])
        group = self._group[host]
        begin = noise.below(_LAST, "stand-in", self._keys[group] >> 2)
        turn = begin + self._rank[host] + session[has] * self._together[group]
        other = address.copy()
        other[has] = self._others[group, turn % self._count[group]]
        return other


def _digits(last: Integers) -> Integers:
    """How many digits last bytes have."""
    return 1 + (last > 9) + (last > 99)
