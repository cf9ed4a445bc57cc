"""Packet captures to traces; the most common host is the device (section 4.2)."""

from iotflowgen.capture.cache import default_cache
from iotflowgen.capture.device import Device
from iotflowgen.capture.doubts import copies, doubt
from iotflowgen.capture.formats import is_capture, other_format
from iotflowgen.capture.frames import find_paths, read_frames
from iotflowgen.capture.headers import header_fields, with_headers
from iotflowgen.capture.read import (
    DEFAULT_CACHE,
    CaptureWarning,
    Dissector,
    find_captures,
    read_captures,
)
from iotflowgen.capture.summary import CaptureSummary, describe

__all__ = [
    "DEFAULT_CACHE",
    "CaptureSummary",
    "CaptureWarning",
    "Device",
    "Dissector",
    "copies",
    "default_cache",
    "describe",
    "doubt",
    "find_captures",
    "find_paths",
    "header_fields",
    "is_capture",
    "other_format",
    "read_captures",
    "read_frames",
    "with_headers",
]
