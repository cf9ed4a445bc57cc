"""Sessions to frames: those of the recording, with linked fields written anew.

Frames are gathered, fields scattered, checksums computed, each for a whole block of packets. No
step looks ahead, but for codecs that are told of whole pieces of sessions (`foresee`), and state is
kept between blocks, so packets are the same whatever the size of the blocks.

Shapes: E packets of a block.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from ipaddress import ip_interface
from typing import Final, NamedTuple

import numpy as np

from iotflowgen.errors import ModelError
from iotflowgen.packets.codec import Codec, Foresees
from iotflowgen.packets.codecs import codecs_of
from iotflowgen.packets.datagrams import Renewals
from iotflowgen.packets.fuzz import Fuzzer, Home
from iotflowgen.packets.gather import gather, set_lengths
from iotflowgen.packets.identity import Disguise, Identified, Pseudonyms, ShowsHosts
from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise
from iotflowgen.packets.references import check_references
from iotflowgen.packets.rows import Rows
from iotflowgen.recording import Groups, Packets, Recording, Told
from iotflowgen.wire import Frames, find_layers, set_checksums
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["Remembered", "Renderer", "Templates"]

_OF_FLOW = 512
"""Packets of a flow that are remembered."""


class Remembered(NamedTuple):
    """What is remembered of packets before, for those that go on from them.

    It has to do for connections that are silent while others speak.
    """

    packets: int = 4096
    """Of all flows, those of the last used ones."""
    keys: int = 2**14
    """Of each kind of number, such as connections: the last used."""


_REMEMBERED: Final = Remembered()
_NO_IP4 = "0.0.0.0"  # noqa: S104 - no socket


class Templates:
    """Captured packets that others are to repeat, and what writes into these.

    All renderers of one model share them: what is of one file is in the renderer.
    """

    def __init__(self, recording: Recording, codecs: Sequence[type[Codec]] | None = None) -> None:
        """Make ready.

        Args:
            recording: What was captured.
            codecs: Of linked fields, in the order in which they write; by default those of the
                recording.

        Raises:
            ModelError: The recording lacks what a codec needs, or has it otherwise; or a codec is
                not installed.
        """
        codecs = codecs_of(recording) if codecs is None else codecs
        try:
            renewals = Renewals.of(recording)
            self.captured, self.renewals = len(recording), renewals
            self.origin = np.append(np.arange(self.captured), renewals.origin)
            """Which captured packet each is, or is made of."""
            own = renewals.frames(recording.frames.take(renewals.origin))
            frames = Frames.concatenate([recording.frames, own])
            self.size, self.layers = frames.size, find_layers(frames)
            self.identified = Identified(recording)
            check_references(recording, codecs)
            self.codecs: list[Codec] = [codec(recording) for codec in codecs]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ModelError("the model holds packets that do not fit; fit it again") from error
        spot = recording.references.get("random.spot", recording.layers.end).astype(np.int64)
        self.spot = np.append(spot, self.layers.end[len(recording) :])

    def disguise(self, pseudonyms: Pseudonyms) -> Disguise:
        """Captured packets as a file shows them."""
        return Disguise(self.identified, pseudonyms)


def _home(disguise: Disguise) -> Home:
    """Whose packets are fuzzed; addresses of IPv4 that captures do not show are made up."""
    own, own6 = disguise.device_ip, "fe80::1"
    if ":" in own:
        own, own6 = _NO_IP4, own
    gateway = disguise.gateway_ip
    if "." not in gateway:
        # where a home's gateway usually is: the first host of the device's network
        gateway = str(ip_interface(f"{own}/24").network[1])
    return Home(disguise.device_mac, own, own6, disguise.gateway_mac, gateway)


class Renderer:
    """Renders the packets of one file, block by block."""

    def __init__(
        self,
        templates: Templates,
        disguise: Disguise,
        rng: np.random.Generator,
        most: Remembered = _REMEMBERED,
    ) -> None:
        """Make ready.

        Args:
            templates: What is repeated.
            disguise: Who is shown instead of the captured hosts.
            rng: Draws what is random.
            most: How much is remembered.
        """
        self.device_mac, self.device_ip = disguise.device_mac, disguise.device_ip
        self._templates, self._disguise = templates, disguise
        renewals = templates.renewals
        self._renewals = renewals.frames(disguise.frames(renewals.origin))
        self._codecs = [
            codec.of_file(disguise) if isinstance(codec, ShowsHosts) else codec
            for codec in templates.codecs
        ]
        self._noise = Noise(rng)
        self._fuzzer = Fuzzer(rng, _home(disguise))
        self._most, self._memory = most, Memory(most.keys)
        self._remembered: Rows | None = None

    @property
    def compromises(self) -> Counter[str]:
        """Packets that differ from their features, counted by the reason."""
        return self._fuzzer.compromises

    def foresee(self, rows: Rows, piece: Integers) -> None:
        """Be told of packets (E), and of which piece of a session each is, before `render`."""
        for codec in self._codecs:
            if isinstance(codec, Foresees):
                codec.foresee(rows, piece, self._memory)

    def render(self, rows: Rows) -> Frames:
        """Frames (E) of the next packets; those that repeat none of the recording are fuzzed."""
        repeats = (rows.source >= 0) & (self._templates.size[rows.source] > 0)
        if repeats.all():
            return self._repeated(rows)
        parts = [self._fuzzer.render(rows.take(~repeats))]
        if repeats.any():
            parts.append(self._repeated(rows.take(repeats)))
        frames = Frames.concatenate(parts)
        place = np.argsort(np.argsort(repeats, kind="stable"), kind="stable")
        return frames.take(place)

    def _repeated(self, rows: Rows) -> Frames:
        before = self._remembered
        block = rows if before is None else before.then(rows)
        is_new = np.arange(len(block)) >= len(block) - len(rows)
        stays = _stays(block, self._most.packets)
        packets = self._gathered(block, is_new, stays)
        frames, layers = packets.frames, packets.layers
        frames.put(layers.transport, 2, block.src_port, layers.has_ports)
        frames.put(layers.transport + 2, 2, block.dst_port, layers.has_ports)
        for codec in self._codecs:
            codec.decode(packets, self._memory, self._noise)
        size = self._templates.size[block.source]
        set_lengths(frames, layers, is_new & (size != block.length))
        set_checksums(frames, layers, is_new)
        self._remembered = block.take(stays)
        return packets.news.frames

    def _gathered(self, rows: Rows, is_new: Flags, stays: Flags) -> Packets:
        templates = self._templates
        repeated, which = np.unique(rows.source, return_inverse=True)
        captured = int(np.searchsorted(repeated, templates.captured))
        shown = self._disguise.frames(repeated[:captured])
        if captured < len(repeated):
            renewals = self._renewals.take(repeated[captured:] - templates.captured)
            shown = Frames.concatenate([shown, renewals])
        layers, spot = templates.layers.take(rows.source), templates.spot[rows.source]
        frames, layers = gather(shown.take(which), layers, rows.length, spot)
        told = {each.name: getattr(rows, each.name) for each in fields(Told)}
        return Packets(
            frames=frames,
            layers=layers,
            is_new=is_new,
            stays=stays,
            position=np.zeros(len(rows), dtype=np.int64),
            original=np.arange(len(rows)),
            **(told | {"source": templates.origin[rows.source]}),
        )


def _stays(rows: Rows, most: int) -> Flags:
    """Which packets to remember (E), so many at most: the last ones of flows that may go on."""
    may = np.flatnonzero((rows.flow >= 0) & (rows.session == rows.session[-1:]))
    last_first = may[::-1]
    groups = Groups(rows.flow[last_first])
    ago = groups.sum(np.ones(len(may), dtype=np.int64))
    recent = last_first[ago <= _OF_FLOW]
    used = np.full(int(groups.number.max(initial=-1)) + 1, -1)
    np.maximum.at(used, groups.number, last_first)
    # those of the flow that was used last, then those of the one before
    order = np.lexsort((-recent, -used[groups.number[ago <= _OF_FLOW]]))
    stays = np.zeros(len(rows), dtype=bool)
    stays[recent[order[:most]]] = True
    return stays
