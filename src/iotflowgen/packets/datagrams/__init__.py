"""Linked fields of connectionless protocols: DNS, BOOTP, ICMP, NTP."""

from iotflowgen.packets.datagrams.bootp import BootpIds, open_leases
from iotflowgen.packets.datagrams.dns import DnsIds
from iotflowgen.packets.datagrams.fragments import Fragments, open_datagrams
from iotflowgen.packets.datagrams.icmp import Echoes
from iotflowgen.packets.datagrams.leases import EXCHANGE_NS, Leases
from iotflowgen.packets.datagrams.lookups import open_questions, questions
from iotflowgen.packets.datagrams.ntp import Ntp
from iotflowgen.packets.datagrams.quotes import Quotes, blank_quotes
from iotflowgen.packets.datagrams.renewals import Renewals

__all__ = [
    "EXCHANGE_NS",
    "BootpIds",
    "DnsIds",
    "Echoes",
    "Fragments",
    "Leases",
    "Ntp",
    "Quotes",
    "Renewals",
    "blank_quotes",
    "open_datagrams",
    "open_leases",
    "open_questions",
    "questions",
]
