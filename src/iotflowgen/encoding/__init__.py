"""Columns of packets <-> tokens, every encoder beside its decoder (paper, section 4.2)."""

from iotflowgen.encoding.codec import FIELDS, Codec, CodecConfig
from iotflowgen.encoding.durations import DurationEncoder
from iotflowgen.encoding.frames import FrameEncoder
from iotflowgen.encoding.ports import PortConfig, PortEncoder
from iotflowgen.encoding.protocols import ProtocolEncoder
from iotflowgen.encoding.signatures import Signature, SignatureConfig, extract_signatures

__all__ = [
    "FIELDS",
    "Codec",
    "CodecConfig",
    "DurationEncoder",
    "FrameEncoder",
    "PortConfig",
    "PortEncoder",
    "ProtocolEncoder",
    "Signature",
    "SignatureConfig",
    "extract_signatures",
]
