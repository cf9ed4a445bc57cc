"""What is kept of captures, from which packets are written.

Shapes: P packets of all captures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iotflowgen.recording.identities import Identities
from iotflowgen.recording.packets import Packets
from iotflowgen.wire import Frames, Layers, find_layers
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["Recording"]

_COLUMNS = {
    "time_ns": np.int64,
    "outgoing": np.bool_,
    "protocols": np.uint16,
    "capture": np.int64,
    "flow": np.int64,
    "length": np.int32,
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Recording:
    """Captured packets (P), in the order in which their captures were given to `fit`.

    Raises:
        ValueError: Columns do not fit together.
    """

    frames: Frames
    """Packed; what the codecs have taken out of them is 0. Of no bytes where a packet has none."""
    length: NDArray[np.int32]
    """Bytes on the wire (P)."""
    time_ns: Integers
    """Nanoseconds since the epoch (P)."""
    outgoing: Flags
    """Sent by the device (P)."""
    protocols: NDArray[np.uint16]
    """Protocol configuration, a bit each (P)."""
    capture: Integers
    """Which capture each is of, from 0 on (P)."""
    flow: Integers
    """Which flow, from 0 on, over all captures; -1 for none (P)."""
    references: Mapping[str, NDArray[Any]]
    """What codecs have made of fields, by the codec's name, a dot, and a name of its own."""
    identities: Identities
    """Who the captured hosts are."""

    def __post_init__(self) -> None:
        for name, kind in _COLUMNS.items():
            column = getattr(self, name)
            if column.shape != (len(self.frames),) or column.dtype != kind:
                raise ValueError(f"{name} of a recording has other rows than its frames")
        size, data = self.frames.size, self.frames.data
        if data.ndim != 1 or size.ndim != 1 or int(size.sum()) != len(data) or (size < 0).any():
            raise ValueError("frames of a recording are not packed")
        order = np.diff(self.capture, prepend=0, append=len(self))
        if (order < 0).any() or (self.flow < -1).any() or (self.flow >= len(self)).any():
            raise ValueError("captures or flows of a recording are not in order")

    def __len__(self) -> int:
        return len(self.frames)

    @cached_property
    def layers(self) -> Layers:
        """Of the frames (P)."""
        return find_layers(self.frames)

    @cached_property
    def packets(self) -> Packets:
        """The packets as codecs see them; their frames are those of the recording."""
        place = np.arange(len(self))
        return Packets(
            frames=self.frames,
            layers=self.layers,
            time_ns=self.time_ns,
            outgoing=self.outgoing,
            protocols=self.protocols,
            session=self.capture,
            flow=self.flow,
            source=place,
            number=place,
            is_new=np.ones(len(self), dtype=bool),
            stays=np.zeros(len(self), dtype=bool),
            position=np.zeros(len(self), dtype=np.int64),
            original=place.copy(),
        )

    def of(self, codec: str) -> dict[str, NDArray[Any]]:
        """The references of one codec, by their own names."""
        start = f"{codec}."
        found = self.references.items()
        return {k.removeprefix(start): value for k, value in found if k.startswith(start)}

    def tensors(self) -> dict[str, NDArray[Any]]:
        """All of it but `identities`, as arrays that a model file can hold."""
        columns: dict[str, NDArray[Any]] = {name: getattr(self, name) for name in _COLUMNS}
        columns |= {"data": self.frames.data, "size": self.frames.size.astype(np.int32)}
        columns |= {f"references.{name}": value for name, value in self.references.items()}
        return columns

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, NDArray[Any]], identities: Identities) -> "Recording":
        """The inverse of `tensors`.

        Raises:
            ValueError: Columns do not fit together, or the device has no MAC address.
            KeyError: A column is missing.
        """
        if not identities.device_mac:
            raise ValueError("the device of a recording has no MAC address")
        own = dict(tensors)
        size = own.pop("size").astype(np.int64)
        frames = Frames(own.pop("data"), np.cumsum(size) - size, size)
        columns: dict[str, Any] = {name: own.pop(name) for name in _COLUMNS}
        references = {name.removeprefix("references."): value for name, value in own.items()}
        return cls(frames=frames, references=references, identities=identities, **columns)
