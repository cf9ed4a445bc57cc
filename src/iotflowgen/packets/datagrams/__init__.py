"""Linked fields of what has no connection: DNS, BOOTP, ICMP's echoes, NTP."""

from iotflowgen.packets.datagrams.bootp import Leases
from iotflowgen.packets.datagrams.dns import DnsIds
from iotflowgen.packets.datagrams.icmp import Echoes
from iotflowgen.packets.datagrams.lookups import open_questions
from iotflowgen.packets.datagrams.ntp import Ntp

__all__ = ["DnsIds", "Echoes", "Leases", "Ntp", "open_questions"]
