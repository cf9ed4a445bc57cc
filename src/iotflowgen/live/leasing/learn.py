"""How a device gets an address, learnt from its captures: what it says, and how soon.

Shapes: P captured packets.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from statistics import median
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict

from iotflowgen.live.leasing.messages import (
    DECLINE,
    DISCOVER,
    RELEASE,
    REQUEST,
    REQUESTED,
    SERVER,
    TYPE,
)
from iotflowgen.recording import Recording
from iotflowgen.traffic import protocol_mask
from iotflowgen.wire import dst_port
from iotflowgen.wire.arrays import Integers
from iotflowgen.wire.layers import ARP
from iotflowgen.wire.messages import dhcp_options

__all__ = ["Asking", "Probes", "learn_asking"]

_DHCP: Final = protocol_mask(["dhcp"])
_SERVER_PORT: Final = 67
_KINDS: Final = {DISCOVER: "discover", DECLINE: "decline", RELEASE: "release"}
_SOON_NS: Final = 10**10
"""What belongs to one exchange, or to the probes for one address, is no farther apart."""
_MOST_DELAYS: Final = 64
_LINK: Final = 14
"""Bytes of Ethernet's header."""


class Probes(BaseModel):
    """How a device finds out whether somebody has its address already (RFC 5227, section 2.1.1)."""

    model_config = ConfigDict(frozen=True)

    size: int = 42
    """Bytes of a frame."""
    count: int = 0
    """How many it sends; 0 where it was never seen to send any."""
    apart_ns: int = 0
    """From one to the next."""
    wait_ns: int = 0
    """From the last until it uses the address."""


class Asking(BaseModel):
    """What a device says to get an address."""

    model_config = ConfigDict(frozen=True)

    packets: dict[str, int] = {}
    """A captured packet of each kind that captures show: `discover`; requests of what was offered
    (`select`), of what it had before (`reboot`), of more time (`renew`); `decline`, `release`."""
    number: int | None = None
    """Its IP ID where that is always the same; otherwise it is drawn."""
    xid: str | None = None
    """Its transaction id in hexadecimal where that is always the same."""
    reboots: bool = False
    """Switched on again, it asks for the address that it had."""
    remembers: bool = False
    """What it says first names the address that it had."""
    delays_ns: tuple[int, ...] = ()
    """From an offer to its request, as often as that was seen."""
    probes: Probes = Probes()


def learn_asking(recording: Recording) -> Asking:
    """Learn how a device gets its address from its captured packets."""
    packets = recording.packets
    layers, is_dhcp = packets.layers, packets.protocols & _DHCP > 0
    asks = packets.outgoing & is_dhcp & layers.is_ip4 & layers.is_udp
    asks &= (layers.network == _LINK) & (dst_port(packets.frames, layers) == _SERVER_PORT)
    rows = np.flatnonzero(asks & (layers.end <= packets.frames.size)).tolist()
    messages = {row: packets.frames[row][int(layers.payload[row]) :] for row in rows}
    kinds = {row: kind for row in messages if (kind := _kind(messages[row]))}
    alike: dict[str, dict[bytes, list[int]]] = {}
    for row, kind in kinds.items():
        same = alike.setdefault(kind, {})
        same.setdefault(_without(messages[row]), []).append(row)
    begins = recording.references["ip_ids.begin"][[*kinds]]
    kept = {messages[row][4:8] for row in kinds if recording.references["bootp.keeps"][row]}
    firsts = Counter(
        kinds[row]
        for before, row in pairwise([None, *kinds])
        if before is None or packets.session[before] != packets.session[row]
    )
    return Asking(
        packets={kind: max(same.values(), key=len)[0] for kind, same in alike.items()},
        number=int(begins[0]) if len({*begins.tolist()}) == 1 else None,
        xid=kept.pop().hex() if len(kept) == 1 else None,
        reboots=firsts["reboot"] > firsts["discover"],
        remembers=_remembers(recording, messages, kinds),
        delays_ns=tuple(_delays(recording, kinds))[:_MOST_DELAYS],
        probes=_probes(recording),
    )


def _kind(message: bytes) -> str:
    """Which of a client's messages it is; empty for others."""
    options = {code: message[at : at + size] for code, at, size in dhcp_options(message)}
    kind = int.from_bytes(options.get(TYPE, b""))
    if kind != REQUEST:
        return _KINDS.get(kind, "")
    if SERVER in options:
        return "select"
    return "reboot" if REQUESTED in options else "renew"


def _without(message: bytes) -> bytes:
    """A message without what differs from one exchange to the next: xid, secs and own address."""
    return message[:4] + message[10:12] + message[16:]


def _remembers(recording: Recording, messages: dict[int, bytes], kinds: dict[int, str]) -> bool:
    own = recording.identities.device_ip
    asked = [_option(messages[row], REQUESTED) for row in kinds if kinds[row] == "discover"]
    return sum(own == ".".join(map(str, each)) for each in asked) > len(asked) / 2


def _option(message: bytes, code: int) -> bytes:
    return next(
        (message[at : at + n] for each, at, n in dhcp_options(message) if each == code), b""
    )


def _delays(recording: Recording, kinds: dict[int, str]) -> Iterator[int]:
    """From offers to requests; where no answers were captured, from discoveries."""
    packets = recording.packets
    said = np.flatnonzero(packets.protocols & _DHCP > 0).tolist()
    for before, row in pairwise(said):
        passed_ns = int(packets.time_ns[row] - packets.time_ns[before])
        is_next = not packets.outgoing[before] or kinds.get(before) == "discover"
        same = packets.session[before] == packets.session[row]
        if kinds.get(row) == "select" and is_next and same and 0 < passed_ns < _SOON_NS:
            yield passed_ns


def _probes(recording: Recording) -> Probes:
    """How the device probes for its own address."""
    packets = recording.packets
    frames, at = packets.frames, packets.layers.network
    is_arp = packets.outgoing & (packets.layers.ethertype == ARP)
    sender, target = frames.number(at + 14, 4), frames.number(at + 24, 4)
    is_own = np.isin(target, np.unique(sender[is_arp & (sender > 0)]))
    rows = np.flatnonzero(is_arp & (sender == 0) & is_own)
    uses = np.flatnonzero(packets.outgoing & is_arp & (sender > 0))
    bursts = _bursts(recording, rows)
    if not bursts:
        return Probes()
    gaps = [b - a for burst in bursts for a, b in pairwise(packets.time_ns[burst].tolist())]
    waits = [wait for burst in bursts for wait in _after(recording, int(burst[-1]), uses)]
    return Probes(
        size=int(median(frames.size[rows].tolist())),
        count=int(median(map(len, bursts))),
        apart_ns=int(median(gaps or [0])),
        wait_ns=int(median(waits or [0])),
    )


def _bursts(recording: Recording, rows: Integers) -> list[Integers]:
    """Packets that belong together, of one capture and soon after each other."""
    time_ns, capture = recording.time_ns[rows], recording.capture[rows]
    apart = (np.diff(time_ns) > _SOON_NS) | (np.diff(capture) != 0)
    return [each for each in np.split(rows, 1 + np.flatnonzero(apart)) if len(each)]


def _after(recording: Recording, row: int, uses: Integers) -> Iterator[int]:
    """How long after a packet the next of others comes in the same capture, if that is soon."""
    later = uses[np.searchsorted(uses, row) :]
    if len(later) and recording.capture[later[0]] == recording.capture[row]:
        passed_ns = int(recording.time_ns[later[0]] - recording.time_ns[row])
        if 0 < passed_ns < _SOON_NS:
            yield passed_ns
