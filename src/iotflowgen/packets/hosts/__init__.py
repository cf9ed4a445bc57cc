"""Codecs of addresses, and of what each host counts."""

from iotflowgen.packets.hosts.endpoints import Endpoints
from iotflowgen.packets.hosts.ip_ids import IpIds
from iotflowgen.packets.hosts.times_to_live import TimesToLive

__all__ = ["Endpoints", "IpIds", "TimesToLive"]
