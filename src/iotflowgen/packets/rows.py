"""Packets to be written, before they have bytes: the columns of consecutive sessions.

Shapes: E packets.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iotflowgen.recording import Told
from iotflowgen.traffic import Session

__all__ = ["Rows"]

_FLOWS = 2**32  # that a session may have
_COLUMNS = ("time_ns", "length", "outgoing", "src_port", "dst_port", "protocols", "source")


@dataclass(frozen=True, eq=False, kw_only=True)
class Rows(Told):
    """What is to be seen, and which captured packets it repeats, by numbers of the file."""

    length: NDArray[np.int32]
    """Bytes of each frame (E)."""
    src_port: NDArray[np.int32]
    """0 where a packet has none (E)."""
    dst_port: NDArray[np.int32]
    """As `src_port` (E)."""

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

    def then(self, others: "Rows") -> "Rows":
        """These, and others after them."""
        names = [each.name for each in fields(self)]
        both = ((name, getattr(self, name), getattr(others, name)) for name in names)
        return Rows(**{name: np.concatenate([first, then]) for name, first, then in both})
