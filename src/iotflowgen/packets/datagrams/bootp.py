"""Transaction ids of BOOTP and DHCP (RFC 951; RFC 2131, section 4.4.1), as a codec.

All messages of an exchange have the id of its first; an acknowledgment may repeat an earlier one.
Ids that recur in several captures are kept.

Shapes: P captured packets; M messages; E packets of a block.
"""

from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.datagrams.exchanges import MessageCodec, recurring, refer, resolve, told_of
from iotflowgen.packets.datagrams.leases import EXCHANGE_NS
from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise, mixed
from iotflowgen.recording import Groups, Packets
from iotflowgen.traffic import protocol_mask
from iotflowgen.wire import payload_size
from iotflowgen.wire.arrays import Integers

__all__ = ["BootpIds", "open_leases"]

_BOOTP: Final = protocol_mask(["bootp"])
_ID, _END = 4, 8
"""Where it stands in the message, and ends."""


class BootpIds(MessageCodec):
    """Transaction ids by the exchange that they are of."""

    name: ClassVar[str] = "bootp"

    @staticmethod
    def encode(packets: Packets) -> dict[str, NDArray[Any]]:
        """What ids refer to (P).

        Returns:
            `back`, how many ids were made up since in its session, -1 where one is; whether a
            message `keeps` its id, which stays in the frame.
        """
        place = _messages(packets)
        messages = packets.take(place)
        at = messages.layers.payload + _ID
        number = messages.frames.number(at, 4)
        keeps = recurring(number, messages.session)
        back = refer(messages.session, number, np.ones_like(keeps))
        messages.frames.put(at, 4, 0, ~keeps)
        return told_of(packets, place, back=back, keeps=keeps)

    def decode(self, packets: Packets, memory: Memory, noise: Noise) -> None:
        """Write the ids of new messages."""
        messages, told = self.new(packets)
        frames, at, keeps = messages.frames, messages.layers.payload + _ID, told["keeps"]
        drawn = (noise.words(self.name, messages.number) >> np.uint64(32)).astype(np.int64)
        fresh = np.where(keeps, frames.number(at, 4), drawn)
        asks = np.ones_like(keeps)
        session = messages.session
        # nothing was said before a session's first message, whatever its capture had said
        none = memory.recall(f"{self.name}.count", session, np.zeros_like(session)) == 0
        back = np.where(none & Groups(session).is_first, -1, told["back"]).astype(np.int32)
        number = resolve(self.name, memory, session, asks, back, fresh)
        frames.put(at, 4, number)


def open_leases(packets: Packets) -> Integers:
    """What is open of exchanges after each packet of captures (P), as a number; 0 if nothing is.

    An exchange is open from its first message to its last.
    """
    place = _messages(packets)
    messages = packets.take(place)
    at = messages.layers.payload
    exchanges = Groups(mixed(messages.session, messages.frames.number(at + _ID, 4)))
    pause_ns = messages.time_ns - exchanges.previous(messages.time_ns, 0)
    exchange = mixed(exchanges.number, exchanges.sum((pause_ns > EXCHANGE_NS).astype(np.int64)))
    is_last = Groups(exchange[::-1]).is_first[::-1]
    nth = Groups(exchange).sum(np.ones_like(place))
    column = np.zeros(len(packets), dtype=np.int64)
    column[place] = np.where(is_last, 0, -1 - 2 * nth - messages.outgoing)
    return column


def _messages(packets: Packets) -> Integers:
    """Which packets (P) are messages (M)."""
    is_udp = packets.layers.is_udp & (packets.protocols & _BOOTP > 0)
    return np.flatnonzero(is_udp & (payload_size(packets.layers) >= _END))
