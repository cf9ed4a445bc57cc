"""Transaction ids of protocols that nobody named: what a question varies and its answer repeats.

Of each service, a question is compared with the answer that comes next. Bytes that most answers
repeat, and most questions have otherwise than the question before, are an id if they count on, or
are hardly ever the same. Places are counted from where the payload of a packet begins.

Shapes: N payloads; Q questions that are answered; B bytes of a message that are looked at.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.noise import mixed
from iotflowgen.packets.payload.text import is_text
from iotflowgen.packets.transactions.counting import counts_on
from iotflowgen.packets.transactions.payloads import Mentions, Payloads
from iotflowgen.recording import Groups
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["learn_ids"]

_BYTES: Final = 32
_LEAST: Final = 8
"""Questions of a service that it takes to tell."""
_REPEATED: Final = 0.95
"""Of the answers repeat an id."""
_VARIED: Final = 0.6
"""Of the questions have another one than that before."""
_LONGEST: Final = 8
_KIND: Final = 1 << 8
"""Kinds from here on are of services that are not named."""


def learn_ids(payloads: Payloads, known: Flags) -> Iterator[Mentions]:
    """Ids in payloads (N) of services of which none is `known` (N)."""
    service = _services(payloads)
    service = np.where(np.isin(service, service[known]), -1, service)
    for each in np.unique(service[service >= 0]).tolist():
        own = np.flatnonzero(service == each)
        if len(own) < 2 * _LEAST or is_text(payloads.bytes_of(int(own[0]))):
            continue
        for asks in (True, False):
            yield from _of_service(payloads, own, each, from_device=asks)


def _services(payloads: Payloads) -> Integers:
    """A number for the port by which each payload (N) is known: that of most flows."""
    port = payloads.ports * 2 + payloads.is_udp
    flows = np.unique(np.stack([payloads.flow, *port]), axis=1)[1:]
    known, count = np.unique(flows, return_counts=True)
    often = count[np.searchsorted(known, port)]
    # of two as frequent, the lower
    is_device = (often[0] > often[1]) | ((often[0] == often[1]) & (port[0] <= port[1]))
    found: Integers = np.where(is_device, port[0], port[1])
    return found


def _of_service(
    payloads: Payloads, own: Integers, service: int, *, from_device: bool
) -> Iterator[Mentions]:
    """The ids of questions that one side asks."""
    frames, at, flow = payloads.frames.take(own), payloads.at[own], payloads.flow[own]
    asks = payloads.outgoing[own] == from_device
    groups = Groups(flow)
    follows = ~asks & (groups.latest(asks) >= 0)
    answer = np.flatnonzero(follows & groups.previous(asks, first=False))
    question = groups.latest(asks)[answer]
    if len(question) < _LEAST:
        return
    shortest = int(payloads.size[own][np.concatenate([question, answer])].min())
    heads = frames.bytes_at(at, min(shortest, _BYTES))
    repeated = (heads[question] == heads[answer]).mean(axis=0) >= _REPEATED
    varied = (heads[question][1:] != heads[question][:-1]).mean(axis=0)
    for first, last in _runs(repeated, varied, (heads[question] != heads[question][0]).any(axis=0)):
        value = frames.number(at + first, last - first)
        if not _is_id(value[question], flow[question], last - first):
            continue
        alike = np.all(heads[question] == heads[question][0], axis=0)
        belongs = asks & (heads == heads[question][0])[:, alike].all(axis=1)
        # an answer is to a question that was asked
        asked = np.unique(mixed(flow, value)[belongs])
        belongs |= follows & np.isin(mixed(flow, value), asked)
        kind = _KIND + (service << 6) + (first << 1) + from_device
        yield Mentions.found(payloads, own[belongs], first, last - first, kind, asks=asks[belongs])


def _runs(
    repeated: Flags, varied: NDArray[np.float64], differs: Flags
) -> Iterator[tuple[int, int]]:
    """Bytes in a row (B) that are one number: those that mostly vary, and what counts on slower."""
    end = 0
    for at in np.flatnonzero(repeated & (varied >= _VARIED)).tolist():
        if at < end:
            continue
        first, last = at, at + 1
        while last < len(varied) and last - first < _LONGEST and (repeated & differs)[last]:
            last += 1
        while first > end and last - first < _LONGEST and (repeated & differs)[first - 1]:
            first -= 1
        yield first, last
        end = last


def _is_id(value: Integers, flow: Integers, width: int) -> bool:
    """Whether questions (Q) count on, or have hardly ever the same number of `width` bytes."""
    if any(counts_on(value, line, width) for line in (flow, 0 * flow)):
        return True
    high = (value >> (8 * width - 1) & 1).mean()
    distinct = len(np.unique(value))
    return width > 1 and distinct >= _REPEATED * len(value) and 0.2 < high < 0.8
