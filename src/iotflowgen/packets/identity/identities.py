"""The identifiers of a device, its home and its peers, learnt from packets, and where they are.

Addresses are read from fields of headers and messages, and from text; words from payload other than
TLS: in a certificate the bytes beside a text are structure, and may look like a part of it.

Shapes: P packets.
"""

import ipaddress
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.identity.finder import Finder
from iotflowgen.packets.identity.identifiers import is_host
from iotflowgen.packets.identity.messages import Messages
from iotflowgen.packets.identity.places import Places
from iotflowgen.recording import Identities, Packets
from iotflowgen.wire import Frames, Layers
from iotflowgen.wire.arrays import Bytes
from iotflowgen.wire.layers import ARP, IP4, IP6

__all__ = ["learn_identities"]

_IP: Final = ((IP4, 12, 4, 4), (IP6, 8, 16, 16))
_IP4_SIZE: Final = 4
_ARP: Final = ((ARP, 14, 4, 10),)
"""EtherType, where a header has the first address, bytes of it, and from there to the second."""


def learn_identities(packets: Packets) -> tuple[Identities, Places]:
    """Learn from all captured packets of a device.

    Their frames are to be those that are to be pseudonymised: where bytes of them were set to 0,
    there is nothing to find.

    Raises:
        ValueError: The device sent no packet.
    """
    frames, layers, outgoing = packets.frames, packets.layers, packets.outgoing
    if not outgoing.any():
        raise ValueError("the device sent no packet")
    macs, ends = _macs(frames), _addresses(frames, layers, _IP)
    device_mac, device_ip, own = _device(macs[outgoing, 0], ends[outgoing, 0])
    # of source and destination the other one
    peer = np.arange(len(frames)), outgoing.astype(np.int64)
    peers = Counter(_rows(ends[peer], macs[peer], ~outgoing[:, None]))
    gateway_mac, gateway_ip, others = _gateway(peers, device_ip, own)
    said = {_text(row) for row in {*_rows(ends.reshape(-1, 17))}}
    said |= {_text(row) for row in {*_rows(_addresses(frames, layers, _ARP).reshape(-1, 17))}}
    heard = {device_mac, *_hosts(_rows(macs.reshape(-1, 6)))}
    finder = Finder(Messages.of(packets), heard, {*own, *filter(is_host, said)})
    places = finder.places()
    known = Identities(
        device_mac=device_mac,
        device_ip=device_ip,
        own_addresses=own,
        gateway_mac=gateway_mac,
        gateway_ip=gateway_ip,
        other_gateways=tuple(sorted(others - {gateway_mac, device_mac})),
        macs=tuple(sorted(finder.macs)),
        addresses=tuple(sorted(finder.addresses)),
        words=tuple(sorted(finder.words)),
    )
    return known, places


def _device(macs: Bytes, ends: Bytes) -> tuple[str, str, tuple[str, ...]]:
    """MAC and IP address that the device mostly sends from, and all of its IP addresses.

    The IP address is of IPv4, if it has one.

    Args:
        macs: Where packets come from (P, 6) that the device sent.
        ends: Their sources as `_addresses` gives them (P, 17).
    """
    sent = Counter(_rows(ends, macs))
    named = [row for row in sent if is_host(_text(row[:17]))]
    device = max(named or sent, key=sent.__getitem__)
    own = dict.fromkeys(_text(row[:17]) for row in named)
    of_mac = [row for row in named if row[17:] == device[17:]]
    usual = max(of_mac, key=lambda row: (row[0] == _IP4_SIZE, sent[row]), default=b"\0")
    return device[17:].hex(":"), _text(usual[:17]), tuple(own)


def _macs(frames: Frames) -> Bytes:
    """Source and destination (P, 2, 6); zeros where a frame ends before."""
    found = frames.bytes_at(0, 12)
    found[frames.size < 12] = 0
    return found.reshape(-1, 2, 6)[:, ::-1]


def _addresses(frames: Frames, layers: Layers, kinds: Iterable[tuple[int, int, int, int]]) -> Bytes:
    """Source and destination (P, 2, 17): how many bytes, 0 for none, and these."""
    found = np.zeros((len(frames), 2, 17), np.uint8)
    for ethertype, first, size, step in kinds:
        for end in (0, 1):
            at = layers.network + first + end * step
            has = np.flatnonzero((layers.ethertype == ethertype) & (at + size <= frames.size))
            found[has, end, 0] = size
            found[has, end, 1 : 1 + size] = frames.take(has).bytes_at(at[has], size)
    return found


def _rows(*parts: NDArray[Any]) -> list[bytes]:
    """What columns (P, any) of bytes have side by side, as bytes of each row."""
    rows = np.concatenate(parts, axis=1, dtype=np.uint8, casting="unsafe")
    found: list[bytes] = rows.view(f"V{rows.shape[1]}").ravel().tolist()
    return found


def _text(row: bytes) -> str:
    """An IP address as a text, of how many bytes it has and these; empty for none."""
    return str(ipaddress.ip_address(row[1 : 1 + row[0]])) if row[0] else ""


def _hosts(macs: Iterable[bytes]) -> set[str]:
    """MAC addresses that are no group's."""
    return {mac.hex(":") for mac in {*macs} if any(mac) and not mac[0] & 1}


def _gateway(
    peers: Mapping[bytes, int], home: str, own: Collection[str]
) -> tuple[str, str, set[str]]:
    """The MAC address behind which most far hosts are, who has it, and what else that one had.

    Args:
        peers: By the address of the other end, its MAC address and whether it sent, how many
            packets; in the order in which they were first seen.
        home: IP address of the device.
        own: All of its IP addresses.
    """
    macs: dict[str, dict[str, None]] = {}
    heard: Counter[str] = Counter()
    for row, count in peers.items():
        ip, mac, sent = _text(row[:17]), row[17:23], row[23]
        is_peer = "." in ip and is_host(ip) and not ip.endswith(".255") and ip not in own
        if is_peer and _hosts([mac]):
            macs.setdefault(ip, {})[mac.hex(":")] = None
            heard[ip] += count * sent
    first = {ip: next(iter(seen)) for ip, seen in macs.items()}
    network = home.rpartition(".")[0]
    far = Counter(mac for ip, mac in first.items() if ip.rpartition(".")[0] != network)
    gateway = max(far, key=far.__getitem__, default="")
    near = [ip for ip in first if first[ip] == gateway and ip.rpartition(".")[0] == network]
    ip = max(near, key=heard.__getitem__, default="")
    return gateway, ip, {*macs.get(ip, ())}
