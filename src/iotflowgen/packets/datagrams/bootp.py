"""Transaction ids of BOOTP and DHCP (RFC 951; RFC 2131, section 4.4.1), as a codec.

All messages of an exchange have the id that its first one made up; an acknowledgment may repeat an
earlier one. Ids that captures more than one show are kept.

Shapes: P captured packets; B messages; E packets of a block.
"""

from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.codec import columns_of
from iotflowgen.packets.datagrams.exchanges import recurring, refer, resolve
from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise
from iotflowgen.recording import Packets, Recording
from iotflowgen.traffic import protocol_mask

__all__ = ["Leases"]

_BOOTP: Final = protocol_mask(["bootp"])
_ID: Final = 4
"""Where it stands in the message."""
_END: Final = 8
"""Where it ends there."""


class Leases:
    """Transaction ids by the exchange that they are of."""

    name: ClassVar[str] = "bootp"

    def __init__(self, recording: Recording) -> None:
        """Take the references of all packets (P)."""
        told = recording.of(self.name)
        self._is_there, self._back, self._keeps = told["is_there"], told["back"], told["keeps"]

    @staticmethod
    def encode(packets: Packets) -> dict[str, NDArray[Any]]:
        """What ids refer to; all (P), 0 of other packets.

        Returns:
            `is_there`, whether it is a message; `back`, how many ids were made up since in its
            session, -1 where one is; whether it `keeps` its id, which stays in the frame.
        """
        layers = packets.layers
        is_there = layers.is_udp & (packets.protocols & _BOOTP > 0)
        is_there &= layers.end - layers.payload >= _END
        place = np.flatnonzero(is_there)
        messages = packets.take(place)
        at = messages.layers.payload + _ID
        number = messages.frames.number(at, 4)
        keeps = recurring(number, messages.session)
        back = refer(messages.session, number, np.ones_like(keeps))
        messages.frames.put(at, 4, 0, ~keeps)
        return {"is_there": is_there, **columns_of(len(packets), place, back=back, keeps=keeps)}

    def decode(self, packets: Packets, memory: Memory, noise: Noise) -> None:
        """Write the ids of new messages."""
        messages = packets.news.take(self._is_there[packets.news.source])
        frames, at = messages.frames, messages.layers.payload + _ID
        keeps, back = self._keeps[messages.source], self._back[messages.source]
        drawn = (noise.words(self.name, messages.number) >> np.uint64(32)).astype(np.int64)
        fresh = np.where(keeps, frames.number(at, 4), drawn)
        asks = np.ones_like(keeps)
        number = resolve(self.name, memory, messages.session, asks, back, fresh)
        frames.put(at, 4, number)
