"""Types of columns."""

from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["Flags", "Integers"]
