"""Timestamps of NTP (RFC 5905, section 7.3), as a codec.

The origin timestamp is the transmit timestamp of the request. The others keep their captured
difference to the time of their packet, so wrong clocks stay wrong, and a clock that was never set
starts with the session. Some clients send random numbers instead. A reference timestamp may be that
of the packet before. Timestamps of 0 stay 0, and those that recur in several captures are kept.

Shapes: P captured packets; T packets of NTP; M = 4 T timestamps; E packets of a block.
"""

from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.datagrams.exchanges import MessageCodec, recurring, refer, resolve, told_of
from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise
from iotflowgen.recording import Packets
from iotflowgen.traffic import protocol_mask
from iotflowgen.wire import payload_size
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["Ntp"]

_NTP: Final = protocol_mask(["ntp"])
_REFERENCE, _ORIGIN, _RECEIVE, _TRANSMIT = range(4)
_AT: Final = 16 + 8 * np.arange(4)
"""Where they stand in the message."""
_END: Final = 48
_EPOCH: Final = np.array(2_208_988_800 << 32, dtype=np.uint64).astype(np.int64)
"""From 1900 to 1970 (figure 4), 2^-32 s, modulo 2^64 with a sign."""
_FROM_SENDING, _FROM_START, _KEPT, _RANDOM = range(4)
_UNSET: Final = 86_400 << 32
"""So far off, a clock was never set, or its number is random."""
_FEW: Final = 2
"""Of so few numbers, none can be told to be random."""


class Ntp(MessageCodec):
    """Timestamps by when their packets are sent, and what they answer."""

    name: ClassVar[str] = "ntp"

    @staticmethod
    def encode(packets: Packets) -> dict[str, NDArray[Any]]:
        """What the timestamps of a message refer to (P, 4).

        Returns:
            `back`, how many others were made up since that were said by whom it repeats, -1 if it
            is made up itself; `off`, how far ahead of the packet it is, or of its session's
            beginning, in 2^-32 s; and `way`, which of these two, or that it stays in the frame, or
            is random.
        """
        is_udp = packets.layers.is_udp & (packets.protocols & _NTP > 0)
        place = np.flatnonzero(is_udp & (payload_size(packets.layers) >= _END))
        messages = packets.take(place)
        value = _read(messages)
        asks = (np.arange(4) != _ORIGIN) & (value != 0)
        back = refer(_lines(messages).ravel(), value.ravel(), asks.ravel()).reshape(-1, 4)
        begun = _begun(packets, Memory(), messages)
        off = value - (_ticks(messages.time_ns) + _EPOCH)[:, None]
        way = np.where(np.abs(off) > _UNSET, _FROM_START, _FROM_SENDING).astype(np.int8)
        since = _ticks(messages.time_ns - begun)[:, None]
        off = np.where(way == _FROM_START, value - since, off)
        session = np.broadcast_to(messages.session[:, None], value.shape)
        keeps = recurring(value.ravel(), session.ravel()).reshape(-1, 4) | (value == 0)
        way[
            (way == _FROM_START)
            & ~_near_others(off, asks & (back < 0) & ~keeps & (way == _FROM_START))
        ] = _RANDOM
        way[keeps] = _KEPT
        _write(messages, np.where(keeps, value, 0))
        return told_of(packets, place, back=back, off=off, way=way)

    def decode(self, packets: Packets, memory: Memory, noise: Noise) -> None:
        """Write the timestamps of new packets."""
        messages, told = self.new(packets)
        way, off = told["way"], told["off"]
        since = _ticks(messages.time_ns - _begun(packets, memory, messages))[:, None]
        sent = (_ticks(messages.time_ns) + _EPOCH)[:, None]
        made_up = off + np.where(way == _FROM_START, since, sent)
        made_up = np.where(way == _KEPT, _read(messages), made_up)
        number = 4 * messages.number[:, None] + np.arange(4)
        made_up = np.where(way == _RANDOM, noise.words(self.name, number).view(np.int64), made_up)
        asks = (np.arange(4) != _ORIGIN) & (made_up != 0)
        key = _lines(messages)
        columns = key.ravel(), asks.ravel(), told["back"].ravel(), made_up.ravel()
        _write(messages, resolve(self.name, memory, *columns).reshape(-1, 4))


def _near_others(value: Integers, which: Flags) -> Flags:
    """Whether values (T, 4) of those `which` (T, 4) lie near another one; also the only ones."""
    near = ~which
    rising = np.sort(value[which])
    far = np.diff(rising) > _UNSET
    alone = np.concatenate([[True], far]) & np.concatenate([far, [True]])
    near[which] = ~np.isin(value[which], rising[alone]) if len(rising) > _FEW else True
    return near


def _read(messages: Packets) -> Integers:
    """The timestamps (T, 4), 2^-32 s since 1900, modulo 2^64 with a sign."""
    payload = messages.layers.payload
    return np.stack([messages.frames.number(payload + at, 8) for at in _AT], axis=1)


def _write(messages: Packets, value: Integers) -> None:
    """Put timestamps (T, 4) into packets, in place."""
    for at, column in zip(_AT, value.T, strict=True):
        messages.frames.put(messages.layers.payload + at, 8, column)


def _lines(messages: Packets) -> Integers:
    """Whose values each timestamp is one of (T, 4): those of one kind that one end says."""
    outgoing = messages.outgoing.astype(np.int64)
    # of the flow, or of the session where there is none
    mine = np.where(messages.flow >= 0, 2 * messages.flow, 2 * messages.session + 1)
    sender, receiver = 2 * mine + outgoing, 2 * mine + 1 - outgoing
    # a server's reference is the same whoever asks
    reference = 2 * (2 * messages.session + 1) + outgoing
    lines = reference * 3, receiver * 3 + 2, sender * 3 + 1, sender * 3 + 2
    return np.stack(lines, axis=1)


def _ticks(time_ns: Integers) -> Integers:
    """Times in units of 2^-32 s."""
    seconds, rest = np.divmod(time_ns, 10**9)
    ticks: Integers = (seconds << 32) + (rest << 32) // 10**9
    return ticks


def _begun(packets: Packets, memory: Memory, messages: Packets) -> Integers:
    """When the session of each message began (T), which are some of the packets; nanoseconds."""
    change = np.flatnonzero(np.diff(packets.session, prepend=-1))
    session, first = np.unique(packets.session[change], return_index=True)
    begun = memory.recall("ntp.begun", session, packets.time_ns[change][first])
    memory.keep("ntp.begun", session, begun)
    times: Integers = begun[np.searchsorted(session, messages.session)]
    return times
