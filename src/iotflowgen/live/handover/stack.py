"""What the kernel of a namespace says first to who connects: as a device does, where it can.

Settings and metrics of routes reach far: time to live, don't-fragment, which options there are, the
size of segments, the scale of windows, and the first window if it is a whole number of segments.
"""

from collections.abc import Mapping
from typing import Any, Final

from iotflowgen.live.answering.tcp import each_option

__all__ = ["metrics_of", "settings_of"]

_SEGMENT_SIZE, _SCALE, _SACK, _STAMPS = 2, 3, 4, 8
_STAMPS_SIZE: Final = 12
"""Bytes of each segment that timestamps take (RFC 7323)."""
_LEAST_SIZE: Final = 536
"""Bytes of segments to who says no size (RFC 9293, section 3.7.1)."""
_UNSCALED: Final = 2**16
"""A buffer of fewer bytes needs no scale of windows; of twice as many, a scale of 1."""


def settings_of(reflexes: Mapping[str, Any], first: Mapping[str, Any] | None) -> dict[str, str]:
    """Settings below `net.ipv4`.

    Args:
        reflexes: How the device answers: `Reflexes` in JSON.
        first: What it says to who connects: `OpenPort` in JSON; None if that was not seen.
    """
    header = reflexes["headers"]["accept"]
    found = {
        "ip_default_ttl": header["ttl"],
        "ip_no_pmtu_disc": int(not header["keeps_whole"]),
        # as it is asked for, or never
        "tcp_ecn": 2 * reflexes["tcp"]["ecn"],
    }
    if first is not None:
        options = dict(each_option(bytes.fromhex(first["options"])))
        # 2: one clock for all
        clock = 2 if reflexes["tcp"]["stamps"] == "one" else 1
        found |= {
            "tcp_timestamps": clock * (_STAMPS in options),
            "tcp_sack": int(_SACK in options),
            "tcp_window_scaling": int(_SCALE in options),
        }
        if _SCALE in options:
            found["tcp_rmem"] = f"4096 131072 {_buffer(options)}"
    return {name: str(value) for name, value in found.items()}


def metrics_of(first: Mapping[str, Any] | None) -> str:
    """Metrics of routes, as ip-route(8) has them."""
    if first is None:
        return ""
    options = dict(each_option(bytes.fromhex(first["options"])))
    size = int.from_bytes(options.get(_SEGMENT_SIZE, b"")) or _LEAST_SIZE
    window, metrics = first["window"], f"advmss {size}"
    if _SCALE not in options:
        # no more is ever advertised than at first
        return f"{metrics} window {window}"
    own = size - _STAMPS_SIZE * (_STAMPS in options)
    return f"{metrics} window {_buffer(options)} initrwnd {max(1, window // own)}"


def _buffer(options: Mapping[int, bytes]) -> int:
    """Bytes of the largest buffer of which Linux announces such a scale."""
    return (_UNSCALED << options[_SCALE][0]) - 1
