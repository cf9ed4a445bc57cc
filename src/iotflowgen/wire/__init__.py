"""Bytes on the wire to columns and back, without any state: frames, layers, messages, captures."""

from iotflowgen.wire.checksums import set_checksums
from iotflowgen.wire.frames import Frames, copy_ranges
from iotflowgen.wire.layers import (
    ACK,
    FIN,
    RST,
    SYN,
    Layers,
    dst_port,
    find_layers,
    payload_size,
    src_port,
    tcp_acknowledgment,
    tcp_flags,
    tcp_sequence,
    tcp_window,
)
from iotflowgen.wire.options import find_options
from iotflowgen.wire.pcap import read_comments, read_records

__all__ = [
    "ACK",
    "FIN",
    "RST",
    "SYN",
    "Frames",
    "Layers",
    "copy_ranges",
    "dst_port",
    "find_layers",
    "find_options",
    "payload_size",
    "read_comments",
    "read_records",
    "set_checksums",
    "src_port",
    "tcp_acknowledgment",
    "tcp_flags",
    "tcp_sequence",
    "tcp_window",
]
