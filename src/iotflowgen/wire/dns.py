"""DNS messages, as they stand in UDP (RFC 1035, 3596; RFC 6762 for mDNS).

Messages may be cut short, and say of themselves what they like: nothing beyond their end is read,
and names that point to each other come to an end.

Shapes: B bytes, P messages, R records, N names.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iotflowgen.wire.frames import Frames

__all__ = [
    "AAAA",
    "A",
    "DnsAddresses",
    "DnsHeaders",
    "find_addresses",
    "name_hashes",
    "read_headers",
]

A: Final = 1
AAAA: Final = 28
"""Types of records that hold an address."""

_HEADER: Final = 12
_POINTER: Final = 0xC0
_LONGEST_NAME: Final = 255
_MOST_POINTERS: Final = 64
_MOST_RECORDS: Final = 1024
"""Records of a message that are read; those in 9000 bytes are fewer."""
_QUESTION, _RECORD = 4, 10
"""Bytes of each after its name, without what a record holds."""
_FNV_BASIS: Final = 0xCBF29CE484222325
_FNV_PRIME: Final = 0x100000001B3


class DnsHeaders(NamedTuple):
    """What messages say at their beginning; 0 where one ends before."""

    id: NDArray[np.int64]
    """(P) by which an answer is known."""
    flags: NDArray[np.int64]
    """(P) the second word: 0x8000 says that it is a response."""
    questions: NDArray[np.int64]
    """(P) how many."""
    answers: NDArray[np.int64]
    """(P) how many records."""
    authorities: NDArray[np.int64]
    """(P) how many records."""
    additionals: NDArray[np.int64]
    """(P) how many records."""
    name_end: NDArray[np.int64]
    """(P) where in the data the name of the first question ends; 0 without a whole question."""
    type: NDArray[np.int64]
    """(P) of the first question."""


class DnsAddresses(NamedTuple):
    """Records of addresses, A and AAAA, by message and then by place."""

    packet: NDArray[np.int64]
    """(R) which message, from 0 on."""
    section: NDArray[np.int64]
    """(R) 1 for answers, 2 for authorities, 3 for additional records."""
    type: NDArray[np.int64]
    """(R) `A` or `AAAA`."""
    name: NDArray[np.int64]
    """(R) where in the data its name begins."""
    ttl: NDArray[np.int64]
    """(R) where its time to live stands, 4 bytes."""
    address: NDArray[np.int64]
    """(R) where the address stands, 4 or 16 bytes."""


def read_headers(
    data: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64]
) -> DnsHeaders:
    """The headers of messages, and their first questions.

    Args:
        data: (B) bytes.
        start: (P) where each message begins in them.
        end: (P) where it ends.
    """
    messages = Frames(data, start, np.maximum(end - start, 0))
    number, flags, questions = (messages.number(at, 2) for at in (0, 2, 4))
    answers, authorities, additionals = (messages.number(at, 2) for at in (6, 8, 10))
    name_end = np.where(questions > 0, _after_names(data, start + _HEADER, end), 0)
    name_end[name_end + _QUESTION > end] = 0
    kind = np.where(name_end > 0, messages.number(name_end - start, 2), 0)
    return DnsHeaders(number, flags, questions, answers, authorities, additionals, name_end, kind)


def find_addresses(
    data: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64]
) -> DnsAddresses:
    """The addresses in messages, as far as these are whole.

    Args:
        data: (B) bytes.
        start: (P) where each message begins in them.
        end: (P) where it ends.
    """
    headers = read_headers(data, start, end)
    ends = np.minimum(np.cumsum(np.stack(headers[2:6]), axis=0), _MOST_RECORDS)
    at = start + _HEADER
    packet, number = np.flatnonzero(ends[3] > 0), 0
    rows = [np.empty((6, 0), np.int64)]
    while len(packet):
        name, stop = at[packet], end[packet]
        after = _after_names(data, name, stop)
        section = (number >= ends[:, packet]).sum(axis=0)
        some = Frames(data, after, np.maximum(stop - after, 0))
        size = np.where(section == 0, _QUESTION, _RECORD + some.number(8, 2))
        good = (after > 0) & (after + size <= stop)
        kind = some.number(0, 2)
        address = ((kind == A) & (size == _RECORD + 4)) | ((kind == AAAA) & (size == _RECORD + 16))
        # the uppermost bit of the class is mDNS's own (RFC 6762, section 10.2)
        address &= good & (section > 0) & (some.number(2, 2) & 0x7FFF == 1)
        rows.append(np.stack([packet, section, kind, name, after + 4, after + _RECORD])[:, address])
        at[packet] = after + size
        number += 1
        packet = packet[good & (number < ends[3, packet])]
    columns = np.concatenate(rows, axis=1)
    columns = columns[:, np.argsort(columns[0], kind="stable")]
    return DnsAddresses(*columns)


def name_hashes(
    data: NDArray[np.uint8],
    message: NDArray[np.int64],
    end: NDArray[np.int64],
    name: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Numbers for names: the same for the same name, whatever its case and its pointers.

    FNV-1a of 64 bits: names that are to have the same number can be made.

    Args:
        data: (B) bytes.
        message: (N) where the message of each begins in them: pointers count from there.
        end: (N) where it ends.
        name: (N) where the name begins.

    Returns:
        (N) numbers; 0 for a name that is cut short, too long, or points anywhere but backwards.
    """
    hashes = np.full(len(name), _FNV_BASIS, np.uint64)
    whole = np.zeros(len(name), np.bool_)
    at, left, size = name.copy(), np.zeros(len(name), np.int64), np.zeros(len(name), np.int64)
    # a pointer has to lead to before all that was read of the name
    lowest = name.copy()
    index = np.arange(len(name))
    for _ in range(_LONGEST_NAME + _MOST_POINTERS):
        index = index[(at[index] >= message[index]) & (at[index] < end[index])]
        if not len(index):
            break
        place = at[index]
        byte = data[place].astype(np.int64)
        begins = left[index] == 0
        points = begins & (byte >= _POINTER)
        some = Frames(data, place, end[index] - place)
        target = message[index] + (some.number(0, 2) & 0x3FFF)
        backwards = (target < lowest[index]) & (place + 2 <= end[index])
        size[index] += ~points
        good = np.where(points, backwards, ~begins | (byte < 0x40))
        good &= size[index] <= _LONGEST_NAME
        lower = np.where(~begins & (byte >= ord("A")) & (byte <= ord("Z")), byte | 0x20, byte)
        mixed = (hashes[index] ^ lower.astype(np.uint64)) * np.uint64(_FNV_PRIME)
        hashes[index] = np.where(points, hashes[index], mixed)
        left[index] = np.where(points, 0, np.where(begins, byte, left[index] - 1))
        at[index] = np.where(points, target, place + 1)
        lowest[index] = np.where(points, target, lowest[index])
        is_last = begins & (byte == 0)
        whole[index] |= good & is_last
        index = index[good & ~is_last]
    return np.where(whole, hashes, 0).view(np.int64)


def _after_names(
    data: NDArray[np.uint8], name: NDArray[np.int64], end: NDArray[np.int64]
) -> NDArray[np.int64]:
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
