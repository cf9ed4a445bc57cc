"""Packets of which features are kept and all else is random (paper, section 4.5)."""

from iotflowgen.packets.fuzzing.fuzzer import Fuzzer
from iotflowgen.packets.fuzzing.hosts import Home, draw_home

__all__ = ["Fuzzer", "Home", "draw_home"]
