"""Adversaries: fit on labelled windows, then score windows by how synthetic they look."""

from iotflowgen.adversaries.adversary import Adversary
from iotflowgen.adversaries.packet_metadata import PacketMetadata, PacketMetadataConfig

__all__ = ["Adversary", "PacketMetadata", "PacketMetadataConfig"]
