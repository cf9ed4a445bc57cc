"""Captured frames as a file shows them, made as they are needed.

Where frames identify somebody is the same for all who repeat them, and what stands there instead is
not. So that a thousand decoys of one model share its frames, only the copies that are wanted are
made, each time anew.

Shapes: P captured packets; E of them, in any order; M marks; T different texts of these.
"""

import hashlib
from collections.abc import Callable
from typing import Protocol, Self, runtime_checkable

import numpy as np

from iotflowgen.packets.identity.fields import header_fields
from iotflowgen.packets.identity.notations import NOTATIONS, OPAQUE
from iotflowgen.packets.identity.places import Places
from iotflowgen.packets.identity.pseudonyms import Pseudonyms
from iotflowgen.packets.ranges import begins_of, expand
from iotflowgen.recording import Recording
from iotflowgen.wire import Frames, copy_ranges
from iotflowgen.wire.arrays import Bytes, Integers

__all__ = ["Disguise", "Identified", "ShowsHosts", "pseudonymise"]


class _Marks:
    """Places of texts, packet by packet."""

    def __init__(self, packets: int, packet: Integers, at: Integers, text: Integers) -> None:
        order = np.argsort(packet, kind="stable")
        self._begin = begins_of(packet[order], packets)
        self._at, self._text = at[order], text[order]

    def write(self, frames: Frames, source: Integers, texts: Frames) -> None:
        """Write texts (T) into copies of captured packets (E), in place."""
        which, mark = expand(self._begin, source)
        text = self._text[mark]
        start = frames.start[which] + self._at[mark]
        copy_ranges(texts.data, texts.start[text], frames.data, start, texts.size[text])


class Identified:
    """Captured frames, and where they identify somebody.

    Raises:
        KeyError, ValueError: The recording does not say where they do.
    """

    def __init__(self, recording: Recording) -> None:
        self.frames = recording.frames
        self._places = places = Places.of(recording.references, self.frames)
        count = len(recording)
        self.addresses, *marks = _addresses(recording)
        """Different ones of those in headers (T)."""
        self.headers = _Marks(count, *marks)
        readable = self.frames
        if len(places.region_packet):
            readable = self.frames.packed()
            places.decode(readable)
        self.texts = places.texts(readable)
        """Different ones of those in messages (T)."""
        self.messages = _Marks(count, places.mark_packet, places.mark_at, places.mark_text)
        # in the order in which they were decoded
        self._regions = np.argsort(places.region_packet, kind="stable")
        self._first_region = begins_of(places.region_packet[self._regions], count)

    def regions(self, frames: Frames, source: Integers) -> list[tuple[slice, int]]:
        """What notations hide in copies of captured packets (E), and which notations these are."""
        which, row = expand(self._first_region, source)
        region = self._regions[row]
        begin = frames.start[which] + self._places.region_at[region]
        end = begin + self._places.region_size[region]
        columns = begin.tolist(), end.tolist(), self._places.region_notation[region].tolist()
        return [(slice(a, b), way) for a, b, way in zip(*columns, strict=True)]


class Disguise:
    """Captured frames as one file shows them.

    Args:
        identified: All that were captured (P).
        pseudonyms: Who is shown instead; they are not kept, for they are larger than this.

    Attributes:
        device_mac, device_ip, gateway_mac, gateway_ip: As of the pseudonyms.
    """

    def __init__(self, identified: Identified, pseudonyms: Pseudonyms) -> None:
        self._of, self._key, self._keep = identified, pseudonyms.key, pseudonyms.keep
        self.device_mac, self.device_ip = pseudonyms.device_mac, pseudonyms.device_ip
        self.gateway_mac, self.gateway_ip = pseudonyms.gateway_mac, pseudonyms.gateway_ip
        if not self._keep:
            self._addresses = Frames.of([*map(pseudonyms.address, identified.addresses)])
            self._texts = Frames.of([*map(pseudonyms.other, identified.texts)])

    def frames(self, source: Integers, also: Callable[[Frames], None] | None = None) -> Frames:
        """Copies of captured frames (E), with every identifier replaced by one of the same length.

        Args:
            source: Which ones (E).
            also: What else is to be written into them, while all that can be is readable.
        """
        copied, of = self._of.frames.take(source).packed(), self._of
        if self._keep:
            return copied
        of.headers.write(copied, source, self._addresses)
        regions = of.regions(copied, source)
        for place, way in regions:
            if way != OPAQUE:
                copied.data[place] = NOTATIONS[way].decode(copied.data[place])
        of.messages.write(copied, source, self._texts)
        if also is not None:
            also(copied)
        # what was decoded last comes first
        for place, way in reversed(regions):
            # what nobody can read is drawn, given what it was
            code = self._alike if way == OPAQUE else NOTATIONS[way].encode
            copied.data[place] = code(copied.data[place])
        return copied

    def _alike(self, data: Bytes) -> Bytes:
        """Random bytes, the same for the same."""
        seed = hashlib.shake_128(self._key + data.tobytes())
        return np.frombuffer(seed.digest(len(data)), np.uint8)


@runtime_checkable
class ShowsHosts(Protocol):
    """A codec that needs captured frames as a file shows them."""

    def of_file(self, disguise: Disguise) -> Self:
        """The same, for one file."""


def pseudonymise(
    recording: Recording, pseudonyms: Pseudonyms, also: Callable[[Frames], None] | None = None
) -> Frames:
    """All frames of a recording (P), as `Disguise` shows them."""
    disguise = Disguise(Identified(recording), pseudonyms)
    return disguise.frames(np.arange(len(recording)), also)


def _addresses(recording: Recording) -> tuple[list[bytes], Integers, Integers, Integers]:
    """Addresses in headers (T); for each place (M) its packet, where it is, and which it has."""
    known: list[bytes] = []
    packets, places, texts = [], [], []
    for packet, at, size in header_fields(recording.packets):
        said = recording.frames.take(packet).bytes_at(at, size)
        values, text = np.unique(said.view(f"V{size}").ravel(), return_inverse=True)
        packets.append(packet)
        places.append(at)
        texts.append(len(known) + text)
        known += [value.tobytes() for value in values]
    return known, np.concatenate(packets), np.concatenate(places), np.concatenate(texts)
