"""What TCP's segments refer to: a codec a linked field."""

from iotflowgen.packets.tcp.segments import read_numbers, write_numbers
from iotflowgen.packets.tcp.sequence import (
    MOST_BLOCKS,
    Numbers,
    References,
    decode,
    encode,
    initial_numbers,
    lines,
)

__all__ = [
    "MOST_BLOCKS",
    "Numbers",
    "References",
    "decode",
    "encode",
    "initial_numbers",
    "lines",
    "read_numbers",
    "write_numbers",
]
