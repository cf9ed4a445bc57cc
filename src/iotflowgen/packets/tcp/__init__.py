"""What TCP's segments refer to: a codec a linked field."""

from iotflowgen.packets.tcp.segments import read_numbers, write_numbers
from iotflowgen.packets.tcp.sequence import (
    MOST_BLOCKS,
    Numbers,
    References,
    decode,
    encode,
    initial_numbers,
)
from iotflowgen.packets.tcp.timestamps import (
    StampReferences,
    Stamps,
    decode_stamps,
    encode_stamps,
    read_stamps,
    write_stamps,
)

__all__ = [
    "MOST_BLOCKS",
    "Numbers",
    "References",
    "StampReferences",
    "Stamps",
    "decode",
    "decode_stamps",
    "encode",
    "encode_stamps",
    "initial_numbers",
    "read_numbers",
    "read_stamps",
    "write_numbers",
    "write_stamps",
]
