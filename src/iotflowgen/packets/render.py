"""Sessions to frames: those of the recording, with linked fields written anew.

Frames are gathered, fields scattered, checksums computed, each for a whole block of packets. No
step looks ahead, and state is kept between blocks, so packets are the same whatever the size of the
blocks.

Shapes: E packets of a block.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np

from iotflowgen.errors import ModelError
from iotflowgen.packets.codec import Codec
from iotflowgen.packets.codecs import codecs_of
from iotflowgen.packets.datagrams import Renewals
from iotflowgen.packets.fuzz import Fuzzer, Home
from iotflowgen.packets.gather import gather, set_lengths
from iotflowgen.packets.identity import Pseudonyms
from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise
from iotflowgen.packets.references import check_references
from iotflowgen.packets.rows import Rows
from iotflowgen.recording import Groups, Packets, Recording, Told
from iotflowgen.wire import Frames, find_layers, set_checksums
from iotflowgen.wire.arrays import Flags

__all__ = ["Renderer"]

_OF_FLOW = 512
"""Packets of a flow that are remembered."""
_IN_ALL = 4096
"""Packets that are remembered of all flows, those of the last used ones."""

_NO_IP4 = "0.0.0.0"  # noqa: S104 - no socket


class Renderer:
    """Renders the packets of one file, block by block."""

    def __init__(
        self,
        recording: Recording,
        pseudonyms: Pseudonyms,
        rng: np.random.Generator,
        codecs: Sequence[type[Codec]] | None = None,
    ) -> None:
        """Make ready.

        Args:
            recording: What was captured.
            pseudonyms: Who is shown instead of the captured hosts.
            rng: Draws what is random.
            codecs: Of linked fields, in the order in which they write; by default those of the
                recording.

        Raises:
            ModelError: The recording lacks what a codec needs, or has it otherwise; or a codec is
                not installed.
        """
        self.device_mac, self.device_ip = pseudonyms.device_mac, pseudonyms.device_ip
        codecs = codecs_of(recording) if codecs is None else codecs
        try:
            # what is shown instead stays the same, so that captured packets are disguised, and once
            recording = replace(recording, frames=pseudonyms.pseudonymise(recording))
            renewals = Renewals.of(recording)
            self._origin = np.append(np.arange(len(recording)), renewals.origin)
            self._frames = Frames.concatenate([recording.frames, renewals.frames(recording)])
            self._layers = find_layers(self._frames)
            check_references(recording, codecs)
            self._codecs = [codec(recording) for codec in codecs]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ModelError("the model holds packets that do not fit; fit it again") from error
        spot = recording.references.get("random.spot", recording.layers.end).astype(np.int64)
        self._spot = np.append(spot, self._layers.end[len(recording) :])
        self._noise = Noise(rng)
        own = (pseudonyms.device_ip, "fe80::1")
        if ":" in pseudonyms.device_ip:
            own = (_NO_IP4, pseudonyms.device_ip)
        shown = (pseudonyms.device_mac, *own)
        self._fuzzer = Fuzzer(rng, Home(*shown, pseudonyms.gateway_mac, pseudonyms.gateway_ip))
        self._memory = Memory()
        self._remembered: Rows | None = None

    @property
    def compromises(self) -> Counter[str]:
        """Packets that differ from their features, counted by the reason."""
        return self._fuzzer.compromises

    def render(self, rows: Rows) -> Frames:
        """Frames (E) of the next packets; those that repeat none of the recording are fuzzed."""
        repeats = (rows.source >= 0) & (self._frames.size[rows.source] > 0)
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
        stays = _stays(block)
        packets = self._gathered(block, is_new, stays)
        frames, layers = packets.frames, packets.layers
        frames.put(layers.transport, 2, block.src_port, layers.has_ports)
        frames.put(layers.transport + 2, 2, block.dst_port, layers.has_ports)
        for codec in self._codecs:
            codec.decode(packets, self._memory, self._noise)
        set_lengths(frames, layers, is_new & (self._frames.size[block.source] != block.length))
        set_checksums(frames, layers, is_new)
        self._remembered = block.take(stays)
        return packets.news.frames

    def _gathered(self, rows: Rows, is_new: Flags, stays: Flags) -> Packets:
        spot = self._spot[rows.source]
        frames, layers = gather(self._frames, self._layers, rows.source, rows.length, spot)
        told = {each.name: getattr(rows, each.name) for each in fields(Told)}
        return Packets(
            frames=frames,
            layers=layers,
            is_new=is_new,
            stays=stays,
            position=np.zeros(len(rows), dtype=np.int64),
            original=np.arange(len(rows)),
            **(told | {"source": self._origin[rows.source]}),
        )


def _stays(rows: Rows) -> Flags:
    """Which packets to remember (E): the last ones of flows that may go on."""
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
    stays[recent[order[:_IN_ALL]]] = True
    return stays
