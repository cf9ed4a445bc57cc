"""Stays in the network namespace of one decoy, and sets it up: a process of its own.

In there, the decoy's address is that of a TAP, whose file goes to the process that answers: what
that writes into it comes to the namespace's kernel, what the kernel sends can be read from it. No
interface of it is outside. The kernel's headers are made as like the device's as its settings go.

It reads what to do as JSON from standard input, and ends with it.
"""

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Mapping
from fcntl import ioctl
from pathlib import Path
from typing import Any, Final

from iotflowgen.errors import NetworkError
from iotflowgen.live.handover.stack import metrics_of, settings_of
from iotflowgen.live.process import Requests, hear, tell
from iotflowgen.live.programs import do

__all__ = ["INTERFACE", "main"]

INTERFACE: Final = "eth0"
"""What the decoy's interface is called in there."""

_TUNSETIFF: Final = 0x400454CA
_TAP, _NO_INFO, _OFFLOADS = 0x2, 0x1000, 0x4000
_SETTINGS: Final = Path("/proc/sys/net")


def main() -> None:
    """Set the namespace up, hand its TAP over, and stay until whoever started this is gone."""
    asked = hear()
    try:
        tap = _tap()
        _set_up(asked)
    except OSError as error:
        why = {errno.EBUSY: "other decoys use it", errno.ENOENT: "there is no /dev/net/tun"}
        tell({"error": why.get(error.errno or 0, f"no TAP can be made: {error.strerror}")})
        return
    except NetworkError as error:
        tell({"error": str(error)})
        return
    with socket.socket(fileno=asked["socket"]) as ours:
        socket.send_fds(ours, [b"tap"], [tap])
    os.close(tap)
    tell({"ready": True})
    requests = Requests()
    while not requests.are_over:
        for other in requests.read():
            with contextlib.suppress(NetworkError):
                _settle({**asked, **other})


def _tap() -> int:
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    # each frame says whether its checksums are there; none is left to be cut or summed up
    how = struct.pack("16sH22x", INTERFACE.encode(), _TAP | _NO_INFO | _OFFLOADS)
    ioctl(tap, _TUNSETIFF, how)
    return tap


def _set_up(asked: Mapping[str, Any]) -> None:
    for name in ("all", "default", INTERFACE):
        with contextlib.suppress(FileNotFoundError):
            (_SETTINGS / "ipv6" / "conf" / name / "disable_ipv6").write_text("1")
    for name, value in settings_of(asked["reflexes"], _first_answer(asked)).items():
        (_SETTINGS / "ipv4" / name).write_text(value)
    # says whose it is when all others are gone
    do("ip", "link", "set", "lo", "up", "alias", asked["owner"])
    lines = [f"link set {INTERFACE} address {asked['mac']} mtu {asked['mtu']} up"]
    do("ip", "-batch", "-", said="\n".join(lines))
    if asked["ip"]:
        _settle(asked)


def _settle(asked: Mapping[str, Any]) -> None:
    """Have the decoy's address, and no other."""
    route = f"dev {INTERFACE} src {asked['ip']} {metrics_of(_first_answer(asked))}"
    lines = [
        f"address flush dev {INTERFACE}",
        f"address add {asked['ip']}/32 dev {INTERFACE} noprefixroute",
        f"route replace {asked['subnet']} {route}",
        f"route replace default via {asked['gateway']} {route} onlink",
    ]
    do("ip", "-batch", "-", said="\n".join(lines))


def _first_answer(asked: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the device says first to who connects, best on a port that is handed over."""
    known: dict[str, dict[str, Any]] = asked["reflexes"]["tcp_ports"]
    ports = [port.partition("/")[0] for port in asked["ports"] if port.endswith("tcp")]
    return next((known[port] for port in (*ports, *known) if port in known), None)


if __name__ == "__main__":
    main()
