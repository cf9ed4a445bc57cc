"""Linked fields of connectionless protocols: DNS, BOOTP, ICMP, NTP."""

from iotflowgen.packets.datagrams.bootp import BootpIds
from iotflowgen.packets.datagrams.dns import DnsIds
from iotflowgen.packets.datagrams.fragments import Fragments, open_datagrams
from iotflowgen.packets.datagrams.icmp import Echoes
from iotflowgen.packets.datagrams.lookups import open_questions, questions
from iotflowgen.packets.datagrams.ntp import Ntp
from iotflowgen.packets.datagrams.quotes import Quotes

__all__ = [
    "BootpIds",
    "DnsIds",
    "Echoes",
    "Fragments",
    "Ntp",
    "Quotes",
    "open_datagrams",
    "open_questions",
    "questions",
]
