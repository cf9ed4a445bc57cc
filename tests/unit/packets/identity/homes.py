"""Homes whose packets are made here, byte by byte, and how their identifiers may be spelt."""

import ipaddress
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from iotflowgen.packets.identity import Pseudonyms, learn_identities, pseudonymise
from iotflowgen.recording import Identities, Recording, find_flows
from iotflowgen.traffic import protocol_mask
from iotflowgen.wire import Frames, find_layers

DEVICE, ROUTER, PHONE = "00:17:88:3f:2a:1c", "50:c7:bf:10:20:30", "a4:5e:60:aa:bb:cc"

Packet = tuple[bytes, bool, int, int]
"""Frame, whether the device sent it, protocols, and its capture."""


def raw(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def udp(source: tuple[str, str], target: tuple[str, str], payload: bytes, port: int = 9) -> bytes:
    """A frame between two MAC and IP addresses."""
    ends = [ipaddress.ip_address(ip).packed for _, ip in (source, target)]
    body = np.array([50000, port, 8 + len(payload), 0], ">u2").tobytes() + payload
    if len(ends[0]) == 4:
        header = b"\x45\0" + (20 + len(body)).to_bytes(2) + bytes(4) + b"\x40\x11\0\0"
        kind = b"\x08\0"
    else:
        header, kind = b"\x60\0\0\0" + len(body).to_bytes(2) + b"\x11\x40", b"\x86\xdd"
    return raw(target[0]) + raw(source[0]) + kind + header + b"".join(ends) + body


def recorded(packets: list[Packet]) -> Recording:
    """Packets as a model has them, with identities and where these are."""
    frames = Frames.of([packet[0] for packet in packets])
    columns = zip(*(packet[1:] for packet in packets), strict=True)
    outgoing, protocols, capture = (
        np.array(column, kind)
        for column, kind in zip(columns, (bool, np.uint16, np.int64), strict=True)
    )
    recording = Recording(
        frames=frames,
        length=frames.size.astype(np.int32),
        time_ns=np.arange(len(frames)),
        outgoing=outgoing,
        protocols=protocols,
        capture=capture,
        flow=find_flows(frames, find_layers(frames), capture, outgoing),
        references={},
        identities=Identities(),
    )
    identities, places = learn_identities(recording.packets)
    return replace(recording, identities=identities, references=places.columns())


def learn(packets: list[Packet]) -> Identities:
    return recorded(packets).identities


def shown(packets: list[Packet], seed: int = 0, **asked: Any) -> tuple[list[bytes], Pseudonyms]:
    """What packets say behind 42 bytes of headers when others are shown, and who these are."""
    recording = recorded(packets)
    someone = Pseudonyms(recording.identities, np.random.default_rng(seed), **asked)
    frames = pseudonymise(recording, someone)
    assert frames.size.tolist() == recording.frames.size.tolist()
    return [frame[42:] for frame in frames.tolist()], someone


def says(*payloads: bytes, kinds: tuple[str, ...] = ("ip", "udp"), port: int = 9) -> list[Packet]:
    """A home in which the device says this, in the packets that come first."""
    device = DEVICE, "192.168.1.20"
    told = [udp(device, (ROUTER, "172.217.16.142"), each, port) for each in payloads]
    return [*((frame, True, protocol_mask(kinds), 0) for frame in told), *a_home()]


def a_home(text: bytes = b"", protocols: tuple[str, ...] = ("ip", "udp")) -> list[Packet]:
    """A device at 192.168.1.20 that asks two servers far away, and hears a router and a phone."""
    kinds = protocol_mask(["ip", "udp"])
    device = DEVICE, "192.168.1.20"
    return [
        (udp(device, (ROUTER, "172.217.16.142"), text), True, protocol_mask(protocols), 0),
        (udp((ROUTER, "52.94.233.131"), device, b""), False, kinds, 0),
        (udp((ROUTER, "192.168.1.1"), device, b""), False, kinds, 0),
        (udp((PHONE, "192.168.1.33"), device, b""), False, kinds, 0),
        (udp(device, ("01:00:5e:00:00:fb", "224.0.0.251"), b""), True, kinds, 0),
    ]


def spelt(identities: Identities) -> Iterator[bytes]:
    """Every identifier as text, or in so many bytes that they stand nowhere by chance."""
    yield from (word.encode("latin-1") for word in identities.words)
    for mac in identities.macs:
        start, end = raw(mac)[:3], raw(mac)[3:]
        forms = raw(mac), start + b"\xff\xfe" + end
        for form in (*forms, bytes([start[0] ^ 2]) + forms[1][1:]):
            texts = form.hex(":"), form.hex("-"), form.hex(), form.hex(" "), form.hex(".", 2)
            yield from (
                form,
                form[::-1],
                *(case.encode() for t in texts for case in (t, t.upper())),
            )
        yield from (b"\x33\x33\xff" + end, b"\xff\x02" + bytes(9) + b"\1\xff" + end)
    for text in identities.addresses:
        address = ipaddress.ip_address(text)
        labels = address.reverse_pointer.rpartition(".")[0].split(".")
        yield text.encode()
        yield b"".join(bytes([len(label)]) + label.encode() for label in labels)
        if address.version == 4:
            yield text.replace(".", "-").encode()
        else:
            yield address.packed
