"""Who packets are from and to, and what each end counts, as codecs."""

from iotflowgen.packets.hosts.endpoints import Endpoints
from iotflowgen.packets.hosts.ip_ids import IpIds

__all__ = ["Endpoints", "IpIds"]
