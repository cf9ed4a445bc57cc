"""Relations between packets: roles of addresses, and increments of fields.

Shapes: P packets, A addresses.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ROLES", "Columns", "Numbers", "roles", "steps"]

ROLES = ("device", "gateway", "other", "group", "everybody", "nobody")
"""What an address is: the device's, the host's that it talks with most (for IP: of its own
network), another host's, multicast, broadcast, or none."""

Numbers = NDArray[np.float64]
Columns = dict[str, Numbers]
"""Fields (P) by name, NaN where a packet lacks them."""
Places = NDArray[np.int64]

_DEVICE, _GATEWAY, _OTHER, _GROUP, _EVERYBODY, _NOBODY = map(float, range(len(ROLES)))
_FIN, _SYN = 1, 2
_LEAST_SECONDS = 0.01
"""Between two timestamps, for their rate to be more than rounding."""


def roles(
    found: Mapping[str, Numbers], sender: str, outgoing: NDArray[np.bool_]
) -> dict[str, tuple[Places, Numbers]]:
    """Of each packet's addresses: which (P), as a number, and its role (P).

    Args:
        found: Bytes of addresses (P, 6 of Ethernet or 16 of IP) by name, NaN where there are none.
        sender: The name of those that send.
        outgoing: Which packets the device sends (P).
    """
    rows = np.concatenate([*found.values()])
    known_A, which, times_A = np.unique(
        np.where(np.isnan(rows), -1, rows).astype(np.int16),
        axis=0,
        return_inverse=True,
        return_counts=True,
    )
    which = which.reshape(len(found), -1)
    is_ip = known_A.shape[1] > 6
    is_ip4 = is_ip & (known_A[:, 4] < 0)
    first, last = known_A[:, 0], np.where(is_ip4, known_A[:, 3], known_A[:, -1])
    if is_ip:
        group = np.where(is_ip4, (first >= 224) & (first < 240), first == 255)
        everybody = is_ip4 & (last == 255)
    else:
        everybody = (known_A == 255).all(axis=1)
        group = (first % 2 == 1) & ~everybody
    nobody = (known_A <= 0).all(axis=1)
    host = ~(group | everybody | nobody)
    sent_A = np.bincount(which[[*found].index(sender)][outgoing], minlength=len(known_A))
    own = host & (sent_A > 0)
    near = host & ~own
    if is_ip:
        home = known_A[np.argmax(np.where(own & is_ip4, sent_A, 0)), :3]
        near &= is_ip4 & (known_A[:, :3] == home).all(axis=1)
    gateway = near & (np.arange(len(known_A)) == np.argmax(np.where(near, times_A, 0)))
    role_A = np.select(
        [first < 0, nobody, everybody, group, own, gateway],
        [np.nan, _NOBODY, _EVERYBODY, _GROUP, _DEVICE, _GATEWAY],
        _OTHER,
    )
    return {name: (which[i], role_A[which[i]]) for i, name in enumerate(found)}


def steps(columns: Columns, hosts: tuple[Places, Places], time_ns: NDArray[np.int64]) -> Columns:
    """What fields add to those of packets before.

    Args:
        columns: Of all packets of a capture.
        hosts: Which address sends and which receives each (P).
        time_ns: When, nanoseconds (P).
    """
    carriers = [np.nan_to_num(columns[name], nan=-1) for name in ("ip.protocol", "ip6.next")]
    ports = [np.nan_to_num(columns[f"port.{end}"], nan=-1) for end in ("source", "destination")]
    ways = [*hosts, *ports, *carriers], [*hosts[::-1], *ports[::-1], *carriers]
    flow, reverse = np.split(_rows(np.hstack([np.vstack(way) for way in ways])), 2)
    mine, others = _last(flow, flow), _last(flow, reverse)
    host = _last(hosts[0], hosts[0])
    service = _rows(np.vstack([hosts[0], ports[1], *carriers]))
    alike = _last(service, service)

    sequence, acknowledgment = columns["tcp.sequence"], columns["tcp.acknowledgment"]
    flags = np.nan_to_num(columns["tcp.flags"]).astype(np.int64)
    taken = columns["payload.size"] + ((flags & _SYN) > 0) + ((flags & _FIN) > 0)
    end = sequence + taken
    _, first, which = np.unique(flow, return_index=True, return_inverse=True)
    begun = sequence[first[which]]
    seconds = time_ns / 1e9 - _at(time_ns / 1e9, host)
    ticks = _less(columns["tcp.stamp"], _at(columns["tcp.stamp"], host), 32)
    number = columns["payload.id"]
    return {
        "port.step": _less(columns["port.source"], _at(columns["port.source"], alike), 16),
        "ip.id.of_host": _less(columns["ip.id"], _at(columns["ip.id"], host), 16),
        "ip.id.of_flow": _less(columns["ip.id"], _at(columns["ip.id"], mine), 16),
        "tcp.sequence.ahead": _less(sequence, _at(end, mine), 32),
        "tcp.sequence.so_far": _less(sequence, begun, 32),
        "tcp.acknowledgment.new": _less(acknowledgment, _at(acknowledgment, mine), 32),
        "tcp.acknowledgment.behind": _less(_at(end, others), acknowledgment, 32),
        "tcp.window.step": columns["tcp.window"] - _at(columns["tcp.window"], mine),
        "tcp.stamp.step": ticks,
        "tcp.stamp.rate": ticks / np.where(seconds > _LEAST_SECONDS, seconds, np.nan),
        "tcp.echo.behind": _less(_at(columns["tcp.stamp"], others), columns["tcp.echo"], 32),
        "payload.id.step": _less(number, _at(number, alike), 16),
        "payload.id.answer": _less(number, _at(number, others), 16),
    }


def _less(value: Numbers, last: Numbers, bits: int) -> Numbers:
    """The difference of numbers that wrap around, from -2^(bits-1) on."""
    half = 2.0 ** (bits - 1)
    return (value - last + half) % (2 * half) - half


def _at(values: Numbers, place: Places) -> Numbers:
    """The values (P) at places (P), NaN at -1."""
    return np.where(place >= 0, values[place], np.nan)


def _rows(rows: NDArray[Any]) -> Places:
    """A number for each different column of rows."""
    return np.unique(rows, axis=1, return_inverse=True)[1].ravel()


def _last(key: Places, wanted: Places) -> Places:
    """The place of the last packet before each that has the wanted key (P); -1 without."""
    seen: dict[int, int] = {}
    places = np.full(len(key), -1)
    for place, (own, sought) in enumerate(zip(key.tolist(), wanted.tolist(), strict=True)):
        places[place] = seen.get(sought, -1)
        seen[own] = place
    return places
