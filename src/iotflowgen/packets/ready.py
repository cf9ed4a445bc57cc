"""Templates made ready for writing: whole frames, and what is asked of them more than once."""

from collections.abc import Container
from dataclasses import dataclass
from typing import Final

from iotflowgen.packets.build import PacketFeatures
from iotflowgen.packets.connections import Side
from iotflowgen.packets.headers import Kind, Template
from iotflowgen.packets.layout import (
    ECHO_REQUESTS,
    FIN,
    RST,
    SELECTIVE,
    SYN,
    TIMESTAMPS,
    Layout,
    find_layout,
    option_at,
    set_checksums,
)
from iotflowgen.packets.mask import DNS, HTTP
from iotflowgen.packets.recognition import is_head
from iotflowgen.packets.records import HEADER, Phase
from iotflowgen.packets.succession import UNSEEN

__all__ = ["Ready", "kind_of", "service_of"]

_QUOTING: Final = {3, 4, 5, 11, 12}
"""Types of ICMP messages that quote a packet (RFC 792)."""


@dataclass
class Ready:
    """A template with all that is asked of it more than once."""

    template: Template
    frame: bytes
    """At its full length, identifiers replaced."""
    layout: Layout
    peer: int
    flags: int
    """Of TCP."""
    size: int
    """Bytes of payload."""
    acknowledges: bool
    """It is a TCP segment that does nothing but acknowledge."""
    stamps: int
    """Where TCP timestamps stand; 0 without."""
    block: int
    """Where a block of selective acknowledgment stands; 0 without."""
    question: bytes
    """What a DNS message asks or answers."""
    begins: bool
    """It is not the rest of an HTTP message, which nobody takes for one by itself."""
    ends_record: bool
    """It begins with a whole record of TLS, which anybody recognises."""
    opening: int
    """What the window field of a SYN says; 0 of any other."""
    pings: bool
    """It is an echo request (RFC 792, RFC 4443)."""
    quotes: bool
    """It is an ICMP message about another packet, and goes on with nothing."""
    place: int
    """In `Headers.templates`; UNSEEN of one that was made from another."""

    @classmethod
    def of(cls, template: Template, frame: bytes, place: int = UNSEEN) -> "Ready":
        """Make a template ready; `frame` is the template's, identifiers replaced."""
        frame = frame.ljust(template.length, b"\0")
        layout = find_layout(frame)
        at = layout.transport
        quotes = layout.protocol == 1 and frame[at] in _QUOTING
        if quotes:
            frame = _summed(frame, layout.payload + 4)
        is_tcp = layout.protocol == 6
        flags = frame[at + 13] if is_tcp else 0
        size = layout.end - layout.payload
        return cls(
            template=template,
            frame=frame,
            layout=layout,
            peer=template.peer,
            flags=flags,
            size=size,
            acknowledges=is_tcp and not (size or template.probes or flags & (SYN | FIN | RST)),
            stamps=option_at(frame, layout, TIMESTAMPS) if is_tcp else 0,
            block=option_at(frame, layout, SELECTIVE) if is_tcp else 0,
            begins=not template.protocols & HTTP or is_head(frame[layout.payload : layout.end]),
            question=_question(frame[layout.payload :]) if template.protocols & DNS else b"",
            ends_record=_ends_record(template, frame[layout.payload : layout.end]),
            opening=int.from_bytes(frame[at + 14 : at + 16]) if flags & SYN else 0,
            pings=frame[at] == ECHO_REQUESTS.get(layout.protocol),
            quotes=quotes,
            place=place,
        )

    def comes_early(self, later: int) -> bool:
        """Whether it goes before its sender's next payload, a frame of `later` bytes."""
        early = self.template.early
        return early > 0 and later == self.layout.payload + early

    def goes_on(self, me: Side, version: int, later: int) -> bool:
        """Whether it says what its sender has to say next in TLS of a version.

        The frame of its sender's next payload has `later` bytes.
        """
        template = self.template
        if template.early and not self.comes_early(later):
            return False
        if template.speech != (me.phase, me.owed):
            return False
        # handshake messages of another version have other fields
        return me.phase == Phase.CIPHERED or version in (0, template.version)


def service_of(src_port: int, dst_port: int, services: Container[int]) -> tuple[int, bool]:
    """The port of the service, and whether it is the sender's; the lower one if that is open."""
    from_service = src_port in services
    if from_service == (dst_port in services):
        from_service = src_port <= dst_port
    return (src_port if from_service else dst_port), from_service


def kind_of(packet: PacketFeatures, services: Container[int]) -> Kind:
    """What a template has to share with a packet; for `services` see `service_of`."""
    service, from_service = service_of(packet.src_port, packet.dst_port, services)
    return packet.length, packet.outgoing, packet.protocols, service, from_service


def _ends_record(template: Template, payload: bytes) -> bool:
    _, owed = template.speech
    begins = template.phase > 0 and not owed
    return begins and HEADER + int.from_bytes(payload[3:HEADER]) <= len(payload)


def _summed(frame: bytes, start: int) -> bytes:
    """A frame in which the packet that an ICMP error quotes has its checksums again."""
    quoted = bytearray(bytes(12) + b"\x08\0" + frame[start:])
    layout = find_layout(quoted)
    whole = layout.end - layout.network == int.from_bytes(quoted[16:18])
    set_checksums(quoted, layout, carried=whole)
    return frame[:start] + bytes(quoted[14:])


def _question(message: bytes) -> bytes:
    """The first question of a DNS message, its type and class included (RFC 1035)."""
    at = 12
    while at < len(message) and 0 < message[at] < 64:
        at += 1 + message[at]
    return message[12 : at + 5] if message[4:6] != b"\0\0" else b""
