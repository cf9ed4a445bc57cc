"""All codecs of linked fields, in the order in which they write."""

from iotflowgen.packets.codec import Codec
from iotflowgen.packets.datagrams import DnsIds, Echoes, Leases, Ntp, Quotes
from iotflowgen.packets.hosts import Endpoints, IpIds, TimesToLive
from iotflowgen.packets.payload import Dates, HttpLengths, Random, Retransmissions, TlsRecords
from iotflowgen.packets.tcp import ReceiveWindows, SequenceNumbers, Timestamps

__all__ = ["CODECS"]

CODECS: tuple[type[Codec], ...] = (
    SequenceNumbers,
    ReceiveWindows,
    Endpoints,
    TimesToLive,
    Timestamps,
    Random,
    TlsRecords,
    HttpLengths,
    Dates,
    DnsIds,
    Leases,
    Echoes,
    Ntp,
    IpIds,
    Quotes,
    Retransmissions,
)
