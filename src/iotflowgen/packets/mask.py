"""A frame short of what changes from packet to packet: what makes a template of it.

Ports, IP IDs, sequence numbers, timestamps, windows, checksums, transaction ids and times of day
become 0, for they are written anew each time; encrypted and unreadable bytes become 0 and are
named, for they are drawn anew. Padding that is not 0 is somebody's memory, and is drawn too.
"""

from collections.abc import Container, Iterator

from iotflowgen.packets.layout import RST, SELECTIVE, SYN, TIMESTAMPS, Layout, option_at
from iotflowgen.packets.ports import claimed_port
from iotflowgen.packets.records import DATA, Speech
from iotflowgen.packets.times import Stamp, clear_times, find_times
from iotflowgen.traffic import protocol_mask

__all__ = ["DNS", "EAPOL", "HTTP", "LEASE", "NTP", "NTP_TIMES", "TLS", "mask"]

DNS, EAPOL, HTTP, LEASE, NTP, TLS = (
    protocol_mask([name]) for name in ("dns", "eapol", "http", "bootp", "ntp", "https")
)
NTP_TIMES = (16, 24, 32, 40)
"""Where an NTP packet has its four timestamps (RFC 5905): reference, origin, receive, transmit."""

_READABLE = protocol_mask(["bootp", "ssdp", "dns", "mdns", "ntp"])
_KEPT = 8
"""Bytes that a message of an unknown protocol keeps: often its type and length."""
_TEXT = bytes(range(32, 127)) + b"\t\r\n"
_SCAN = b"\xda"
_PICTURE_END = b"\xff\xd9"
"""Without which Wireshark takes a JPEG picture for malformed."""
_ECHO = {(1, 8), (1, 0), (58, 128), (58, 129)}

Ranges = tuple[tuple[int, int], ...]


def mask(
    frame: bytes,
    layout: Layout,
    protocols: int,
    speech: Speech | None,
    time_ns: int,
    kept: Container[int] = (),
    *,
    keeps_id: bool = False,
    keeps_ttl: bool = True,
) -> tuple[bytes, Ranges, tuple[Stamp, ...]]:
    """The frame with zeros for what changes, where it is to be random, and to tell the time.

    Bytes of the payload that are `kept` are not random, whatever they look like; a message of DNS
    or BOOTP that `keeps_id` has its transaction id, and one that `keeps_ttl` its time to live.
    """
    masked = bytearray(frame)
    random = _random_in(frame, layout, protocols, speech)
    # of TLS a record of data alone: its nonce may count, where a greeting tells the time
    if not protocols & EAPOL and (speech is None or frame[layout.payload] == DATA):
        random = tuple(_without(random, kept, layout.payload))
    if any(frame[layout.end :]):
        random += ((layout.end, len(frame)),)
    zeros = [*random, *_counting(frame, layout, protocols & ~((DNS | LEASE) * keeps_id))]
    if not keeps_ttl:
        zeros.append((layout.network + 8, layout.network + 9))
    for start, end in zeros:
        masked[start:end] = bytes(max(0, min(end, len(frame)) - start))
    if protocols & NTP:
        for at in (layout.payload + at for at in NTP_TIMES):
            # whether a timestamp is given at all is the sender's way
            masked[at : at + 8] = bytes([any(frame[at : at + 8])]) * len(frame[at : at + 8])
    times: tuple[Stamp, ...] = ()
    if layout.has_ports and speech is None:
        times = find_times(masked[layout.payload : layout.end], time_ns)
        clear_times(masked, layout.payload, times)
    return bytes(masked).rstrip(b"\0"), random, times


def _without(ranges: Ranges, kept: Container[int], payload: int) -> Iterator[tuple[int, int]]:
    """Ranges without the bytes that are kept, which are counted from the payload on."""
    for start, end in ranges:
        first = start
        for at in range(start, end):
            if at - payload in kept:
                if first < at:
                    yield first, at
                first = at + 1
        if first < end:
            yield first, end


def _counting(frame: bytes, layout: Layout, protocols: int) -> list[tuple[int, int]]:
    """Where fields are that are written anew."""
    network, at, payload = layout.network, layout.transport, layout.payload
    found = []
    if layout.is_ip4:
        found += [(network + 4, network + 6), (network + 10, network + 12)]
    if layout.protocol == 6:
        # the window of a reset says nothing, that of a SYN goes with its options: the sender's way
        is_kept = frame[at + 13] & (SYN | RST)
        found += [(at, at + 12), (at + 16 if is_kept else at + 14, at + 18)]
        options = option_at(frame, layout, TIMESTAMPS), option_at(frame, layout, SELECTIVE)
        found += [(at, at + 8) for at in options if at]
    elif layout.protocol == 17:
        found += [(at, at + 4), (at + 6, at + 8)]
        if protocols & DNS:
            found.append((payload, payload + 2))
        elif protocols & LEASE:
            found.append((payload + 4, payload + 8))
    elif layout.protocol in (1, 2, 58):
        found.append((at + 2, at + 4))
        if (layout.protocol, frame[at]) in _ECHO:
            found.append((at + 4, at + 8))
    return found


def _random_in(frame: bytes, layout: Layout, protocols: int, speech: Speech | None) -> Ranges:
    start, end = layout.payload, layout.end
    payload = frame[start:end]
    if speech is not None:
        return tuple((start + first, start + last) for first, last in speech.random)
    if protocols & EAPOL:
        return _key_in(frame, layout)
    if not layout.has_ports or not payload or protocols & _READABLE:
        return ()
    kept = 0
    if protocols & HTTP:
        head, separator, body = payload.partition(b"\r\n\r\n")
        if separator and _is_text(head):
            kept, payload = len(head + separator), body
        kept += _picture_head(payload)
        end -= len(_PICTURE_END) * payload.endswith(_PICTURE_END)
    elif not protocols & TLS:
        ports = [int.from_bytes(frame[layout.transport + i :][:2]) for i in (0, 2)]
        # what a dissector will look at has to be as it was
        is_free = claimed_port("tcp" if layout.protocol == 6 else "udp", ports) is None
        kept = _KEPT if is_free else len(payload)
    return () if _is_text(payload) or start + kept >= end else ((start + kept, end),)


def _is_text(payload: bytes) -> bool:
    return len(payload.translate(None, _TEXT)) * 10 <= len(payload)


def _picture_head(body: bytes) -> int:
    """Bytes of a JPEG picture before what its pixels say (ISO/IEC 10918-1, annex B); 0 of others.

    Whoever shows the message as what it says it is reads these.
    """
    at = 2
    while body[:3] == b"\xff\xd8\xff" and body[at : at + 1] == b"\xff":
        end = at + 2 + int.from_bytes(body[at + 2 : at + 4])
        if body[at + 1 : at + 2] == _SCAN:
            return min(end, len(body))
        at = end
    return 0


def _key_in(frame: bytes, layout: Layout) -> Ranges:
    """Nonce, vector, integrity code and data of a key message (IEEE 802.11, section 12.7.2)."""
    at = layout.network + 4
    if frame[layout.network + 1] != 3 or layout.end < at + 95:
        return ()
    fields = [(at + 13, at + 45), (at + 45, at + 61), (at + 61, at + 77), (at + 77, at + 93)]
    if frame[at + 1] & 0x10:
        fields.append((at + 95, layout.end))
    return tuple((start, end) for start, end in fields if any(frame[start:end]))
