"""Codecs of payload.

They write in this order, after the codec of sequence numbers: `Random`, `TlsRecords`,
`HttpLengths`, `Dates`, and last of all codecs `Retransmissions`.
"""

from iotflowgen.packets.payload.dates import Dates
from iotflowgen.packets.payload.http import HttpLengths, messages
from iotflowgen.packets.payload.plaintext import says_its_length
from iotflowgen.packets.payload.random import Random
from iotflowgen.packets.payload.records import TlsRecords
from iotflowgen.packets.payload.retransmissions import Retransmissions
from iotflowgen.packets.payload.streams import handshakes

__all__ = [
    "Dates",
    "HttpLengths",
    "Random",
    "Retransmissions",
    "TlsRecords",
    "handshakes",
    "messages",
    "says_its_length",
]
