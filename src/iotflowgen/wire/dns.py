"""DNS messages, as they stand in UDP (RFC 1035, 3596; RFC 6762 for mDNS).

Messages may be cut short, and say of themselves what they like: nothing beyond their end is read.

Shapes: B bytes, P messages, R records, N names.
"""

from typing import Final, NamedTuple

import numpy as np

from iotflowgen.wire.arrays import Bytes, Integers
from iotflowgen.wire.frames import Frames

__all__ = ["AAAA", "A", "DnsAddresses", "DnsHeaders", "find_addresses", "read_headers"]

A: Final = 1
AAAA: Final = 28
"""Types of records that hold an address."""

_HEADER: Final = 12
_COUNTS_AT: Final = (4, 6, 8, 10)
"""Where messages say how many questions and records of each section they have."""
_POINTER: Final = 0xC0
_LONGEST_NAME: Final = 255
_MOST_RECORDS: Final = 1024
"""Records of a message that are read; those in 9000 bytes are fewer."""
_QUESTION, _RECORD = 4, 10
"""Bytes of each after its name, without what a record holds."""
_LOWER: Final = np.frombuffer(bytes(range(256)).lower(), np.uint8)
_FNV_BASIS: Final = np.uint64(0xCBF29CE484222325)
_FNV_PRIME: Final = 0x100000001B3


class DnsHeaders(NamedTuple):
    """What messages say at their beginning; 0 where one ends before."""

    id: Integers
    """(P) by which an answer is known."""
    flags: Integers
    """(P) the second word: 0x8000 says that it is a response."""
    name_end: Integers
    """(P) where in the data the name of the first question ends; 0 without a whole question."""
    name: Integers
    """(P) a number for that name, the same whatever its case; 0 without a whole question."""
    type: Integers
    """(P) of the first question."""


class DnsAddresses(NamedTuple):
    """Records of addresses, A and AAAA, by message and then by place."""

    packet: Integers
    """(R) which message, from 0 on."""
    section: Integers
    """(R) 1 for answers, 2 for authorities, 3 for additional records."""
    type: Integers
    """(R) `A` or `AAAA`."""
    address: Integers
    """(R) where the address stands, 4 or 16 bytes."""


def read_headers(data: Bytes, start: Integers, end: Integers) -> DnsHeaders:
    """Headers and first questions of messages that lie from `start` (P) to `end` (P) in the data.

    Data are bytes (B).
    """
    messages = Frames(data, start, np.maximum(end - start, 0))
    number, flags, questions = (messages.number(at, 2) for at in (0, 2, 4))
    name_end = np.where(questions > 0, _after_names(data, start + _HEADER, end), 0)
    name_end[name_end + _QUESTION > end] = 0
    kind = np.where(name_end > 0, messages.number(name_end - start, 2), 0)
    name = _numbers(data, start + _HEADER, name_end)
    return DnsHeaders(number, flags, name_end, name, kind)


def find_addresses(data: Bytes, start: Integers, end: Integers) -> DnsAddresses:
    """The addresses in messages, as of `read_headers`, as far as these are whole."""
    messages = Frames(data, start, np.maximum(end - start, 0))
    counts = np.stack([messages.number(at, 2) for at in _COUNTS_AT])
    ends = np.minimum(np.cumsum(counts, axis=0), _MOST_RECORDS)
    at = start + _HEADER
    packet, number = np.flatnonzero(ends[3] > 0), 0
    rows = [np.empty((4, 0), np.int64)]
    while len(packet):
        stop = end[packet]
        after = _after_names(data, at[packet], stop)
        section = (number >= ends[:, packet]).sum(axis=0)
        some = Frames(data, after, np.maximum(stop - after, 0))
        size = np.where(section == 0, _QUESTION, _RECORD + some.number(8, 2))
        good = (after > 0) & (after + size <= stop)
        kind = some.number(0, 2)
        address = ((kind == A) & (size == _RECORD + 4)) | ((kind == AAAA) & (size == _RECORD + 16))
        # the uppermost bit of the class is mDNS's own (RFC 6762, section 10.2)
        address &= good & (section > 0) & (some.number(2, 2) & 0x7FFF == 1)
        rows.append(np.stack([packet, section, kind, after + _RECORD])[:, address])
        at[packet] = after + size
        number += 1
        packet = packet[good & (number < ends[3, packet])]
    columns = np.concatenate(rows, axis=1)
    columns = columns[:, np.argsort(columns[0], kind="stable")]
    return DnsAddresses(*columns)


def _numbers(data: Bytes, name: Integers, end: Integers) -> Integers:
    """A number for each name (N), the same whatever its case; 0 where it has no end.

    FNV-1a of 64 bits: names that are to have the same number can be made.
    """
    number = np.where(end > 0, _FNV_BASIS, np.uint64(0))
    index, at = np.flatnonzero(end > name), name.copy()
    while len(index):
        mixed = number[index] ^ _LOWER[data[at[index]]]
        number[index] = mixed * np.uint64(_FNV_PRIME)
        at[index] += 1
        index = index[at[index] < end[index]]
    return number.view(np.int64)


def _after_names(data: Bytes, name: Integers, end: Integers) -> Integers:
    """Where in the data names (N) that begin there have ended; 0 of those that do not."""
    after = np.zeros(len(name), np.int64)
    at = name.copy()
    index = np.flatnonzero(at < end)
    while len(index):
        place = at[index]
        byte = data[place].astype(np.int64)
        last = (byte == 0) | (byte >= _POINTER)
        stop = place + np.where(byte >= _POINTER, 2, 1)
        whole = last & (stop <= end[index])
        after[index[whole]] = stop[whole]
        at[index] = place + 1 + byte
        goes_on = ~last & (byte < 0x40) & (at[index] < end[index])
        goes_on &= at[index] - name[index] < _LONGEST_NAME
        index = index[goes_on]
    return after
