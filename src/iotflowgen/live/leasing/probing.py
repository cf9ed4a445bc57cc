"""Probes by ARP: whether somebody has an address already (RFC 5227, section 2.1.1)."""

import secrets
from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import Any, Final

__all__ = ["Probing"]

_ARP: Final = b"\x08\x06"
_ASKS: Final = b"\0\1\x08\0\6\4\0\1"
_ALL, _NOBODY = b"\xff" * 6, bytes(6)
_SECOND: Final = 10**9
_LEAST_NS: Final = _SECOND // 5
"""A host may take so long to answer."""
_PROBES: Final = 3
"""PROBE_NUM; PROBE_WAIT, PROBE_MIN and PROBE_MAX, and ANNOUNCE_WAIT are 1, 1 to 2, and 2 seconds
(RFC 5227, section 1.1)."""


class Probing:
    """The probes for one address.

    They are the device's own where it sends some; otherwise three for a fixed address, and one for
    an address of a server, which has asked around itself (RFC 2131, section 2.2).

    Args:
        mac: Of the decoy.
        address: Which one.
        how: `Probes` in JSON.
        is_leased: A server has given it.

    Attributes:
        waits_ns: How long to wait before each probe, and after the last one.
        frame: A probe.
    """

    def __init__(
        self,
        mac: bytes,
        address: IPv4Address,
        how: Mapping[str, Any],
        *,
        is_leased: bool,
    ) -> None:
        self._mac, self._address = mac, address.packed
        asked = _ASKS + mac + bytes(4) + _NOBODY + self._address
        self.frame = (_ALL + mac + _ARP + asked).ljust(how["size"], b"\0")
        if how["count"]:
            waits = [0, *[how["apart_ns"]] * (how["count"] - 1), how["wait_ns"]]
        elif is_leased:
            waits = [0, _SECOND]
        else:
            apart = [_SECOND + secrets.randbelow(_SECOND) for _ in range(_PROBES - 1)]
            waits = [secrets.randbelow(_SECOND), *apart, 2 * _SECOND]
        self.waits_ns = [*waits[:-1], max(waits[-1], _LEAST_NS)]

    def rival(self, frame: bytes) -> bytes | None:
        """The MAC address of who shows in a frame to have the address, or to want it as well."""
        if frame[12:14] != _ARP or frame[22:28] == self._mac:
            return None
        has = frame[28:32] == self._address
        wants = frame[20:22] == _ASKS[-2:] and frame[28:32] == bytes(4)
        return frame[22:28] if has or (wants and frame[38:42] == self._address) else None
