"""Packets to be written, before they have bytes: the columns of sessions, one after another.

Shapes: E packets.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iotflowgen.traffic import Session
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["Rows"]

_FLOWS = 2**32  # that a session may have
_COLUMNS = ("time_ns", "length", "outgoing", "src_port", "dst_port", "protocols", "source")


@dataclass(frozen=True, eq=False, kw_only=True)
class Rows:
    """What is to be seen, and which captured packets it repeats; every column has shape (E)."""

    number: Integers
    """Which packet of the file each is, from 0 on."""
    session: Integers
    """Which session of the file each is of, from 0 on."""
    flow: Integers
    """Which flow of the file each is of; -1 for none."""
    time_ns: Integers
    length: NDArray[np.int32]
    outgoing: Flags
    src_port: NDArray[np.int32]
    dst_port: NDArray[np.int32]
    protocols: NDArray[np.uint16]
    source: Integers

    @classmethod
    def of(cls, sessions: Sequence[Session], number: int, session: Sequence[int]) -> "Rows":
        """The packets of sessions, or pieces of them, from packet `number` of the file on.

        Args:
            sessions: At least one.
            number: Packets before these.
            session: Which session of the file each is, or is a piece of.
        """
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(each, name) for each in sessions]) for name in _COLUMNS
        }
        of = np.repeat(np.array(session, dtype=np.int64), [len(each) for each in sessions])
        flow = np.concatenate([each.flow for each in sessions])
        return cls(
            number=number + np.arange(len(of)),
            session=of,
            flow=np.where(flow < 0, -1, of * _FLOWS + flow),
            **columns,
        )

    def __len__(self) -> int:
        return len(self.number)

    def take(self, which: NDArray[Any] | slice) -> "Rows":
        """Those of an array of indices, a mask or a slice."""
        return Rows(**{f.name: getattr(self, f.name)[which] for f in fields(self)})

    def then(self, others: "Rows") -> "Rows":
        """These, and others after them."""
        return Rows(
            **{
                f.name: np.concatenate([getattr(self, f.name), getattr(others, f.name)])
                for f in fields(self)
            }
        )
