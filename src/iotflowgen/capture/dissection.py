"""One capture as columns, addresses included: what does not depend on which host is the device."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Dissection"]


@dataclass(frozen=True, eq=False)
class Dissection:
    """One capture in order of time; every array has an entry a packet (P)."""

    link: str
    """Link types: names of `LINKS`."""
    notes: tuple[str, ...]
    """What was done so that packets can be read."""
    complaint: str
    """Why reading ended early; empty if the capture is whole."""
    addresses: tuple[str, ...]
    """Every IP and MAC address of the capture; the first is "", for none."""
    in_file: NDArray[np.int64]
    """Which packet of the file each is, from 0."""
    time_ns: NDArray[np.int64]
    length: NDArray[np.int32]
    protocols: NDArray[np.uint16]
    src_port: NDArray[np.int32]
    dst_port: NDArray[np.int32]
    tcp_payload: NDArray[np.int32]
    src_ip: NDArray[np.int32]
    """Place in `addresses`, as are the three that follow."""
    dst_ip: NDArray[np.int32]
    src_mac: NDArray[np.int32]
    dst_mac: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.time_ns)
