"""Who packets are from and to, and what each end counts, as codecs."""

from iotflowgen.packets.ends.endpoints import Endpoints
from iotflowgen.packets.ends.ip_ids import IpIds
from iotflowgen.packets.ends.times_to_live import TimesToLive

__all__ = ["Endpoints", "IpIds", "TimesToLive"]
