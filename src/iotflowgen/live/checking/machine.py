"""What this computer has to allow, and how well it keeps time."""

import array
import gc
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from fcntl import ioctl
from ipaddress import IPv4Network
from typing import Final

from iotflowgen.live.checking.ends import EXPERIMENTAL
from iotflowgen.live.checking.finding import Finding
from iotflowgen.live.emitting.due import DueFrame
from iotflowgen.live.emitting.guard import Guard, Host
from iotflowgen.live.emitting.process import Emitter
from iotflowgen.live.process import be_quick
from iotflowgen.live.programs import attempt

__all__ = ["may_hand_over", "may_send", "offloads", "timing"]

_SIOCETHTOOL: Final = 0x8946
_GET_GRO, _GET_FLAGS = 0x2B, 0x25
_LRO: Final = 1 << 15
_FRAMES, _APART_NS = 20, 10_000_000
_LATE_MS: Final = 5.0
"""A packet that is later than this is seen to be."""


def may_send(interface: str) -> Finding:
    """Whether raw packets may be sent and heard."""
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as port:
            port.bind((interface, 0))
    except PermissionError:
        return Finding("rights", "raw packets are not allowed", "run as root, or with CAP_NET_RAW")
    return Finding("rights", "raw packets are allowed")


def may_hand_over() -> Finding:
    """Whether namespaces can be made for decoys that hand ports over."""
    what = "ports"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return Finding(what, "/dev/net/tun cannot be used", "load the module tun: modprobe tun")
    if attempt("unshare", "--net", "true"):
        return Finding(what, "namespaces can be made, and named")
    if attempt("unshare", "--map-root-user", "--net", "true"):
        return Finding(what, "namespaces can be made, without names")
    return Finding(
        what,
        "no namespaces can be made",
        "run as root, or allow namespaces of users: sysctl user.max_net_namespaces and, where "
        "there is one, kernel.unprivileged_userns_clone",
    )


def offloads(interface: str) -> Finding:
    """Whether segments that arrive are merged: what peers say is not known again then."""
    merging = [name for name, is_on in _merging(interface) if is_on]
    if merging:
        return Finding(
            "offloads",
            f"{interface} merges segments ({', '.join(merging)})",
            f"ethtool -K {interface} {' '.join(f'{name} off' for name in merging)}",
        )
    return Finding("offloads", f"{interface} merges no segments")


def _merging(interface: str) -> Iterator[tuple[str, bool]]:
    for name, command, bits in (("gro", _GET_GRO, 1), ("lro", _GET_FLAGS, _LRO)):
        value = array.array("I", [command, 0])
        request = struct.pack("16sP16x", interface.encode(), value.buffer_info()[0])
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
                ioctl(asking, _SIOCETHTOOL, request)
        except OSError:
            # a driver that cannot do it
            continue
        yield name, bool(value[1] & bits)


def timing(interface: str, decoy: bytes, target: bytes) -> Finding:
    """How late frames are in a fifth of a second, sent as decoys' are; to nobody, by experiment."""
    found: list[Finding] = []
    # the right to run before others goes with the thread
    thread = threading.Thread(target=lambda: found.append(_timing(interface, decoy, target)))
    thread.start()
    thread.join()
    gc.enable()
    return found[0]


def _timing(interface: str, decoy: bytes, target: bytes) -> Finding:
    is_quick = be_quick(10)
    frame = target + decoy + EXPERIMENTAL + bytes(46)
    said: list[str] = []
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as port:
        port.bind((interface, 0))
        send: Callable[[bytes], object] = port.send
        guard = Guard(IPv4Network("0.0.0.0/0"), [Host(decoy, bytes(4))])
        emitter = Emitter([send, send], guard, 10**6, said.append)
        begin_ns = time.monotonic_ns()
        for number in range(1, _FRAMES + 1):
            emitter.emit(DueFrame(begin_ns + number * _APART_NS, 0, far=False, frame=frame))
    late = emitter.lateness.summary()
    text = f"frames are {late['p50']:.2f} ms late (median), {late['most']:.2f} ms at most"
    if late["most"] < _LATE_MS and is_quick:
        return Finding("timing", text)
    if not is_quick:
        return Finding("timing", f"{text}, behind other processes", "run with CAP_SYS_NICE")
    return Finding("timing", text, "run less beside it, or on a computer with more cores")
