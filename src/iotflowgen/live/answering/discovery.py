"""What a device says of itself to who looks for it, learnt from its captures.

Which packets tell is found once for a model; what they say is read for each decoy, by the names and
addresses that it shows.

Shapes: P captured packets.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from pydantic import BaseModel, ConfigDict

from iotflowgen.live.answering import dns, mdns, names, ssdp
from iotflowgen.packets import Disguise
from iotflowgen.packets.hosts.addresses import ip_address
from iotflowgen.recording import Recording
from iotflowgen.wire import dst_port, src_port

__all__ = ["Discovery", "Mdns", "Sayings", "Ssdp", "find_sayings"]

_PORTS: Final = (mdns.PORT, ssdp.PORT, names.LLMNR, names.NETBIOS)
_SOON_NS: Final = {ssdp.PORT: 5 * 10**9}
"""An answer comes before, by port."""
_USUALLY_SOON_NS: Final = 10**9
_TWICE: Final = 2
"""So often a question has to be left without an answer for that to be no loss."""


class _Learnt(BaseModel):
    model_config = ConfigDict(frozen=True)


class Mdns(_Learnt):
    """Messages of mDNS, in hexadecimal."""

    responses: tuple[str, ...] = ()
    """What the device says: the responses of one capture."""
    asked: tuple[tuple[str, str], ...] = ()
    """Questions, and what answered them; nothing to those that get no answer."""
    compresses: bool = True
    """Whether names are said by pointers to where they were said before."""


class Ssdp(_Learnt):
    """Messages of SSDP, as text."""

    messages: tuple[str, ...] = ()
    """What the device says: announcements and responses of one capture."""
    asked: dict[str, tuple[str, ...]] = {}
    """Responses by the target of the search; none to those that get no answer."""


class Discovery(_Learnt):
    """What a device says of itself to who looks for it."""

    mdns: Mdns = Mdns()
    ssdp: Ssdp = Ssdp()
    names: tuple[tuple[int, str, str], ...] = ()
    """Ports, questions and answers of LLMNR and NetBIOS, in hexadecimal."""


@dataclass(frozen=True)
class _Message:
    """What somebody said to a group, or the device to who asked there."""

    packet: int
    capture: int
    time_ns: int
    outgoing: bool
    port: int
    """Of the protocol."""
    peer: tuple[int, int]
    """Address and port of who asks."""
    payload: bytes

    @cached_property
    def dns(self) -> dns.Message | None:
        """What it says in DNS, if it does."""
        return dns.understood(self.payload)

    @cached_property
    def subject(self) -> Hashable:
        """What it asks for; None of what asks for nothing, or for several things.

        And of what says what is known: only the rest of that is answered.
        """
        if self.port == ssdp.PORT:
            return ssdp.target(self.payload)
        asked = self.dns
        if asked is None or asked.is_response or asked.answers or len(asked.questions) != 1:
            return None
        name, kind, _ = asked.questions[0]
        return dns.same_name(name), kind

    @cached_property
    def says(self) -> frozenset[tuple[Any, Any]]:
        """What it tells of: names and types, or targets and services; nothing if it asks."""
        if self.port == ssdp.PORT:
            told = ssdp.told(self.payload)
            return frozenset([told] if told else [])
        if self.dns is None or not self.dns.is_response:
            return frozenset()
        return frozenset((dns.same_name(each.name), each.type) for each in self.dns.answers)

    def answers(self, question: "_Message") -> bool:
        """Whether this may be an answer to a question of the same capture that came before."""
        if self.port == ssdp.PORT:
            return self.peer == question.peer and self.payload.startswith(b"HTTP/")
        if self.port != mdns.PORT:
            is_response = self.dns is not None and self.dns.is_response
            return is_response and self.payload[:2] == question.payload[:2]
        asked = question.subject
        return any(asked in ((name, kind), (name, dns.ANY)) for name, kind in self.says)


@dataclass(frozen=True, eq=False)
class Sayings:
    """Packets of a recording by which the device is found."""

    recording: Recording
    says: dict[int, list[int]]
    """By port: those of the capture that has most different ones."""
    asked: list[tuple[int, int, list[int]]]
    """Ports, questions, and what answered them."""
    delays_ns: dict[int, list[int]]
    """By port: how long answers took, nanoseconds, rising."""

    def shown(self, disguise: Disguise) -> Discovery:
        """What they say, as who is shown says it."""
        told = [packet for packets in self.says.values() for packet in packets]
        asked = [packet for _, question, answers in self.asked for packet in (question, *answers)]
        which = np.unique(np.array([*told, *asked], np.int64))
        frames = disguise.frames(which).tolist()
        layers = self.recording.layers.take(which)
        rows = zip(
            which.tolist(), frames, layers.payload.tolist(), layers.end.tolist(), strict=True
        )
        said = {packet: frame[begin:end] for packet, frame, begin, end in rows}
        pairs = [(port, said[q], [said[each] for each in of]) for port, q, of in self.asked]
        return Discovery(
            mdns=_mdns([said[i] for i in self.says.get(mdns.PORT, ())], pairs),
            ssdp=_ssdp([said[i] for i in self.says.get(ssdp.PORT, ())], pairs),
            names=tuple(
                (port, question.hex(), answers[0].hex())
                for port, question, answers in pairs
                if port in (names.LLMNR, names.NETBIOS) and answers
            ),
        )


_Pairs = Sequence[tuple[int, bytes, list[bytes]]]


def _mdns(responses: Sequence[bytes], pairs: _Pairs) -> Mdns:
    own = [(question, answers) for port, question, answers in pairs if port == mdns.PORT]
    plain = [dns.write(dns.read(each), compresses=False) == each for each in responses]
    return Mdns(
        responses=tuple(each.hex() for each in responses),
        asked=tuple((each.hex(), answers[0].hex() if answers else "") for each, answers in own),
        compresses=2 * sum(plain) <= len(plain),
    )


def _ssdp(messages: Iterable[bytes], pairs: _Pairs) -> Ssdp:
    asked = {
        ssdp.target(question) or "": tuple(each.decode("latin-1") for each in answers)
        for port, question, answers in pairs
        if port == ssdp.PORT
    }
    return Ssdp(messages=tuple(each.decode("latin-1") for each in messages), asked=asked)


def find_sayings(recording: Recording) -> Sayings:
    """Find what a device says of itself, and whom it answers."""
    by_capture: dict[int, list[_Message]] = defaultdict(list)
    for each in _messages(recording):
        by_capture[each.capture].append(each)
    delays_ns: dict[int, list[int]] = defaultdict(list)
    asked: dict[tuple[int, Hashable], list[tuple[int, list[int]]]] = defaultdict(list)
    for messages in by_capture.values():
        for question, answers in _questions(messages):
            delays_ns[question.port] += [each.time_ns - question.time_ns for each in answers]
            found = question.packet, [each.packet for each in answers]
            asked[question.port, question.subject].append(found)
    return Sayings(
        recording=recording,
        says={port: _richest(port, by_capture.values()) for port in (mdns.PORT, ssdp.PORT)},
        asked=[
            # the fullest one: messages get lost
            (port, *max(found, key=lambda each: len(each[1])))
            for (port, _), found in asked.items()
            if len(found) >= _TWICE or found[0][1]
        ],
        delays_ns={port: sorted(found) for port, found in delays_ns.items()},
    )


def _messages(recording: Recording) -> Iterator[_Message]:
    """All that have a port of such a protocol, in the order of their captures."""
    frames, layers, out = recording.frames, recording.layers, recording.outgoing
    source, target = src_port(frames, layers), dst_port(frames, layers)
    own, other = np.where(out, source, target), np.where(out, target, source)
    # what is said to a group comes from anywhere
    port = np.where(np.isin(own, _PORTS), own, other)
    which = np.flatnonzero(layers.is_udp & layers.is_ip4 & np.isin(port, _PORTS))
    some = recording.packets.take(which)
    sender, receiver = (ip_address(some, is_src).tolist() for is_src in (True, False))
    columns = (
        *(which.tolist(), some.session.tolist(), some.time_ns.tolist(), some.outgoing.tolist()),
        *(port[which].tolist(), other[which].tolist(), sender, receiver),
        *(some.layers.payload.tolist(), some.layers.end.tolist(), some.frames.tolist()),
    )
    for packet, capture, time, is_own, number, far, src, dst, begin, end, frame in zip(
        *columns, strict=True
    ):
        peer = dst if is_own else src, far
        yield _Message(packet, capture, time, is_own, number, peer, frame[begin:end])


def _questions(messages: Sequence[_Message]) -> Iterator[tuple[_Message, list[_Message]]]:
    """Questions of a capture that the device heard, with what it answered."""
    for i, question in enumerate(messages):
        if question.outgoing or question.subject is None:
            continue
        until_ns = question.time_ns + _SOON_NS.get(question.port, _USUALLY_SOON_NS)
        answers = []
        for each in messages[i + 1 :]:
            if each.time_ns > until_ns:
                break
            if each.outgoing and each.port == question.port and each.answers(question):
                answers.append(each)
                if question.port != ssdp.PORT:
                    break
        yield question, answers


def _richest(port: int, captures: Iterable[Sequence[_Message]]) -> list[int]:
    """Packets of the capture that tells of most, each different one once: when it came last."""
    best: tuple[int, list[int]] = 0, []
    for messages in captures:
        own = [each for each in messages if each.outgoing and each.port == port and each.says]
        subjects = {subject for each in own for subject in each.says}
        if len(subjects) > best[0]:
            last = {each.payload: each.packet for each in own}
            best = len(subjects), sorted(last.values())
    return best[1]
