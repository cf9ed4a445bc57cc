"""Whether references can be what codecs made: those of a model file may be anything.

Shapes: P packets of a recording.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.codec import Codec
from iotflowgen.packets.transactions.written import FORMS
from iotflowgen.recording import Identities, Recording
from iotflowgen.wire import Frames

__all__ = ["check_references"]

_FEW = 3
"""Packets of the recording that shows which columns codecs make."""
_TABLES = {
    "endpoints.answer_packet": ("endpoints.answer_at",),
    "random.packet": ("random.first", "random.last"),
    "random.nonce_packet": ("random.nonce",),
    "random.hello_packet": (),
    "random.id_packet": ("random.id_at",),
    "dates.packet": ("dates.at",),
    "announced.packet": ("announced.at",),
}
"""Columns that name packets, and those that say where in their frames something is."""
_ALIKE = (
    *("endpoints.answer_", "random.nonce", "random.hello_", "random.id_", "dates."),
    "announced.",
    *("tcp.initial.clocks.", "timestamps.clocks."),
)
"""How names of columns begin that are of one table, and so have as many rows."""
_RISING = (
    *("endpoints.answer_packet", "random.nonce_packet", "random.id_packet"),
    *("dates.packet", "announced.packet"),
)


def check_references(recording: Recording, codecs: Sequence[type[Codec]]) -> None:
    """Check types and shapes of all columns, and that those which are places lie within bounds.

    Raises:
        ValueError: A column cannot be what codecs made.
        KeyError: One is missing.
    """
    told = recording.references
    made = _made_by(tuple(codecs))
    for name, like in made.items():
        shape = told[name].shape
        if told[name].dtype != like.dtype or len(shape) != like.ndim or shape[1:] != like.shape[1:]:
            raise ValueError(f"{name} is of another kind")
        if len(like) == _FEW and len(told[name]) != len(recording):
            raise ValueError(f"{name} has not a row a packet")
    silences = told.get("silence_ns", np.zeros(1 + recording.capture.max(initial=-1), np.int64))
    if silences.dtype != np.int64 or silences.shape != (1 + recording.capture.max(initial=-1),):
        raise ValueError("silence_ns has not a row a capture")
    for start in _ALIKE:
        alike = {name for name in made if name.startswith(start)}
        if len({len(told[name]) for name in alike}) > 1:
            raise ValueError(f"{', '.join(sorted(alike))} differ in length")
    for name, least, most in _bounds(recording):
        if name in told and ((told[name] < least) | (told[name] > most)).any():
            raise ValueError(f"{name} is out of bounds")


@cache
def _made_by(codecs: tuple[type[Codec], ...]) -> dict[str, NDArray[Any]]:
    """What codecs make of a few packets without bytes."""
    few = np.zeros(_FEW, np.int64)
    recording = Recording(
        frames=Frames.of([b""] * _FEW),
        length=few.astype(np.int32),
        time_ns=few,
        outgoing=few > 0,
        protocols=few.astype(np.uint16),
        capture=few,
        flow=few - 1,
        references={},
        identities=Identities(),
    )
    told = ((codec.name, codec.encode(recording.packets)) for codec in codecs)
    return {f"{name}.{of}": column for name, columns in told for of, column in columns.items()}


def _bounds(recording: Recording) -> Iterator[tuple[str, int, Any]]:
    """Columns that are places, with the least and the greatest; each may rely on those before."""
    told, size, last = recording.references, recording.frames.size, len(recording) - 1
    for table, columns in _TABLES.items():
        yield table, 0, last
        if table in told:
            yield from ((name, 0, size[told[table]]) for name in columns)
    for name in _RISING:
        if name in told:
            yield name, 0, np.append(told[name][1:], last)
    yield "captured", 0, size
    yield "silence_ns", 0, 2**62
    yield "random.spot", 0, size
    yield "endpoints.ends", 0, last
    yield "random.id_form", 0, FORMS - 1
    yield "announced.size", 4, 5
    yield "announced.like", 0, 2
    yield "announced.more", 0, 1
    yield "tcp.back", 0, np.inf
    yield "tcp.blocks_back", -1, np.inf
    for codec in ("tcp.initial", "timestamps"):
        if f"{codec}.clocks.host" in told:
            clocks = len(told[f"{codec}.clocks.host"])
            yield f"{codec}.clocks.host", 0, np.inf
            yield f"{codec}.clocks.capture", 0, int(recording.capture.max(initial=0))
            # packets without TCP have the first one, which may not be there
            yield f"{codec}.clock", -1, max(clocks, 1) - 1
