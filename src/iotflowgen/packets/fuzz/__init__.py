"""Packets of which features are kept and all else is random (paper, section 4.5)."""

from iotflowgen.packets.fuzz.fuzzer import Fuzzer
from iotflowgen.packets.fuzz.hosts import Home, draw_home

__all__ = ["Fuzzer", "Home", "draw_home"]
