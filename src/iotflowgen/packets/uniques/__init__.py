"""Payload that one capture alone has, and what is put in its place.

What recurs in several captures is the device's; what only one has is of the day, or of the home,
and would tell whoever has that capture that it was learnt from (the uniques of a sample, as in
statistical disclosure control).
"""

from iotflowgen.packets.uniques.records import reorder
from iotflowgen.packets.uniques.redraw import redraw

__all__ = ["redraw", "reorder"]
