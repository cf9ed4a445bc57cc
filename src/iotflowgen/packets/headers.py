"""What headers hold, as learnt from captures: templates of frames, and who sends them.

A template is a real frame short of what changes from packet to packet: ports, sequence numbers,
checksums, encrypted bytes. All else of it (TTL, type of service, order of options, texts) is as
the device or its peer sent it, so nothing has to be said about each of these fields.
"""

import base64
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic.dataclasses import dataclass

__all__ = [
    "Connection",
    "Counting",
    "Ending",
    "Headers",
    "Host",
    "Kind",
    "Opening",
    "Repeat",
    "Stay",
    "Template",
    "Window",
    "of_any_length",
]

_Bytes = Annotated[
    bytes,
    BeforeValidator(lambda value: base64.b64decode(value) if isinstance(value, str) else value),
    PlainSerializer(lambda value: base64.b64encode(value).decode(), when_used="json"),
]


_FORBID = ConfigDict(extra="forbid")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Kind = tuple[int, bool, int, int, bool]
"""What a packet shares with the templates for it: length, direction, protocols, and its service as
`ready.service_of` tells it."""


def of_any_length(kind: Kind) -> Kind:
    """In the place of kinds that differ from this one by their length alone."""
    return 0, *kind[1:]


@dataclass(config=_FORBID, frozen=True, kw_only=True, slots=True)
class Counting:
    """Numbers of 16 bits that count up."""

    begins: tuple[int, int]
    """Between which the first of a capture lies, or of a connection."""
    steps: Annotated[tuple[int, ...], Field(min_length=1)]
    """What is added, each as often as it was seen."""


class Opening(_Frozen):
    """What the sequence numbers of a host's SYNs are, where they are not random."""

    rate: int = 0
    """How much they grow a second, whatever the service; 0 where no clock counts them."""
    jumps: tuple[tuple[int, float], ...] = ()
    """By service, the share of connections before which that clock was set."""
    first: tuple[int, int] | None = None
    """Between which the first of a capture lies, if a clock counts them and begins alike."""
    services: tuple[tuple[int, int, int], ...] = ()
    """Services in whose connections they are near each other, and between which they lie."""


@dataclass(config=_FORBID, frozen=True, kw_only=True, slots=True)
class Host:
    """Somebody who sends."""

    mac: str
    """Of the gateway, where the host is behind it."""
    ip: str
    """IPv4 or IPv6."""
    ttl: int
    """Time to live, or hop limit, of what it sends."""
    ttls: tuple[tuple[int, int, int], ...] = ()
    """Time to live of its SYN and of what follows, which somebody else may send, in TCP
    connections, which take one way each; and how many had these."""
    ids: Counting | None
    """Of IP IDs that are not 0, those of connections left out that count for themselves; None where
    no law is to be seen."""
    ids_by_kind: tuple[tuple[int, Counting], ...] = ()
    """Their law by the protocol configuration of the packet, where there is a law."""
    ids_to: dict[str, tuple[tuple[int, int, int], ...]] | None = None
    """None if they count in one row; otherwise those that go to each address count for themselves:
    by address, if they go on between captures, when captures began, the first, and the last one."""
    connection_ids: Counting | None
    """Of IP IDs in a TCP connection, where each counts for itself."""
    opening: Opening = Opening()
    """Of its connections."""
    is_one: bool = False
    """Windows in its SYNs differ from capture to capture, as if another machine had its address,
    but not within one."""
    stamps: tuple[int, ...] = ()
    """The first TCP timestamps of its clocks in captures, in ascending order."""
    begun: tuple[tuple[int, int], ...] = ()
    """When captures began (`Headers.begun_ns`), and what its clock said then, if that goes on."""
    delay_ns: int = 0
    """What it acknowledges is older than this, where captures are made."""
    late_ns: tuple[int, ...] = ()
    """How much later than other segments its SYNs pass after their timestamps; none if no later."""
    clocks: int = 1
    """How many count its TCP timestamps, each those of some connections."""
    stride: int = 1
    """Segments that it acknowledges at once, where there are several."""
    pace: float = 1
    """How many of several segments it acknowledges at once on the whole."""
    is_steady: bool = False
    """It acknowledges everything after about that delay, and not what comes at once bit by bit."""
    spares_fin: bool = False
    """It leaves the other's FIN for its own to acknowledge."""
    strays: float = 0
    """Of its acknowledgments after both FINs, how many have an IP ID beside their connection's."""
    ticks: float
    """TCP timestamps a second; 0 without."""


@dataclass(config=_FORBID, frozen=True, kw_only=True, slots=True)
class Window:
    """What the window field of one end of a TCP connection said."""

    opening: int
    """In its SYN; 0 without one."""
    heard: tuple[int, ...]
    """What it had acknowledged since then, bytes, segment by segment."""
    said: tuple[int, ...]
    """In these segments."""


class Connection(_Frozen):
    """One TCP connection that was seen."""

    service: int
    """The port that the connection goes to."""
    peer: int
    """Place in `Headers.hosts`."""
    windows: tuple[Window, Window]
    """Of the peer and of the device."""


@dataclass(config=_FORBID, frozen=True, kw_only=True, slots=True)
class Template:
    """A kind of frame."""

    length: int
    """Bytes on the wire."""
    outgoing: bool
    protocols: int
    """Protocol configuration, a bit each."""
    service: int
    """The port that it goes to or comes from; 0 without ports."""
    from_service: bool
    """Whether that is the sender's port."""
    peer: int
    """Who is at the other end, as a place in `Headers.hosts`; -1 for a group, or nobody."""
    own: int = 0
    """Place of the device there, which may have addresses with laws of their own."""
    stage: int
    """How far a TCP connection was (`connections.Stage`); 0 without."""
    speech: tuple[int, int] = (0, 0)
    """How far TLS was before this segment: phase, and bytes of the last record to come."""
    phase: int = 0
    """Phase after it."""
    left: int = 0
    """Bytes of the last record to come after it; negative if its header is cut in two."""
    version: int = 0
    """Of TLS in the connection before it, as records say; 0 before the client offers one."""
    new_version: int = 0
    """After it."""
    nonces: tuple[int, ...] = ()
    """Where in its payload TLS records begin with nonces that count up."""
    from_zero: bool = False
    """They did so from 0 on."""
    frame: _Bytes
    """What changes is 0, and zeros at the end are left out."""
    random: tuple[tuple[int, int], ...] = ()
    """Where random bytes begin and end; the last may go on to the end of the frame."""
    times: tuple[tuple[int, int, int], ...] = ()
    """Where its payload tells the time (`times.Stamp`)."""
    has_ip_id: bool = False
    """Its IP ID was not 0."""
    has_checksum: bool = True
    """UDP may do without over IPv4."""
    probes: bool = False
    """Asks whether the other end is alive: a segment one byte before what comes next."""
    early: int = 0
    """Bytes that lie before it in its stream and came later, in one segment; mostly none."""
    before: tuple[tuple[int, int, int], ...] = ()
    """What was seen before it (`succession.Before`, by places in `Headers.templates`), and how
    often."""
    count: int
    """How often it was seen."""

    @property
    def kind(self) -> Kind:
        """What a packet has to share with it."""
        return self.length, self.outgoing, self.protocols, self.service, self.from_service


class Repeat(_Frozen):
    """A kind of TCP segment that its sender may repeat."""

    kind: Kind
    """Of length 0, payload of any length."""
    follows: bool = True
    """It comes right after its like in the connection, or after others."""
    waits: bool = False
    """It is an acknowledgment, and there is something new that it could acknowledge."""
    soonest_ns: int
    """At least so long after its sender's last one, or the last with payload, if it has some."""
    latest_ns: int
    """At most so long."""
    share: float
    """Of these, how many say again what their sender said last."""


class Ending(_Frozen):
    """The last segments of TCP connections."""

    kinds: tuple[Kind, ...]
    marks: tuple[int, ...]
    """Which of the flags FIN and RST each has."""
    count: int
    """How often that was seen."""


class Stay(_Frozen):
    """TCP connections of a device that may stay with a host which it has met."""

    beginning: Kind
    """Of the first packet; of length 0 where that has payload, which may be of any."""
    alike: bool
    """The last connection that began so was with that host; or none did before, and the last one
    with a host that it could be with was."""
    share: float
    """How many are with it; others may be, too, by chance."""


class Headers(_Frozen):
    """What the headers of one device's packets hold."""

    hosts: tuple[Host, ...]
    """The device first; then those of its addresses that have clocks of their own."""
    own_addresses: tuple[str, ...]
    """All addresses of the device: it may have another in each capture."""
    gateway: int
    """Place of the gateway; 0 where none was seen under an address of its own."""
    gateway_mac: str
    """MAC address of the gateway, behind which the other hosts are; empty where none was seen."""
    other_gateways: tuple[str, ...] = ()
    """MAC addresses that its IP address had in other captures."""
    questions: Counting | None = None
    """Of the ids of the device's questions to DNS; None where they are random, or in templates."""
    repeats_ids: bool = False
    """These ids are the same few in each capture, so that templates keep them."""
    services: tuple[int, ...]
    """Ports that have many others at the other end."""
    connections: tuple[Connection, ...]
    templates: tuple[Template, ...]
    begun_ns: tuple[int, ...] = ()
    """When captures began, nanoseconds since 1970."""
    endings: tuple[Ending, ...] = ()
    """How TCP connections ended."""
    stays: tuple[Stay, ...] = ()
    """How many TCP connections are with hosts that were met before."""
    repeats: tuple[Repeat, ...] = ()
    leaves: tuple[tuple[Kind, int], ...] = ()
    """Kinds of the device's TCP segments that leave something unacknowledged which was heard just
    before them, and of how many segments."""
    macs: tuple[str, ...]
    """Every MAC address of a host that was seen: with `addresses` and `words`, what identifies."""
    addresses: tuple[str, ...]
    """Every IP address that was seen, groups and networks left out."""
    words: tuple[str, ...]
    """Texts that identify: UUIDs, serial numbers, cookies, tokens."""
