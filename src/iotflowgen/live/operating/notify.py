"""What systemd is told of a service (sd_notify(3)): that it is ready, alive, and ending."""

import contextlib
import os
import socket

__all__ = ["notify", "watchdog_s"]


def notify(state: str) -> None:
    """Tell the manager of services, if there is one, such as `READY=1`."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking, contextlib.suppress(OSError):
        # @ stands for the zero byte of an abstract name
        asking.connect("\0" + address[1:] if address[0] == "@" else address)
        asking.send(state.encode())


def watchdog_s() -> float | None:
    """How often to say `WATCHDOG=1`, seconds: twice as often as is asked for; None if never."""
    limit = os.environ.get("WATCHDOG_USEC", "")
    return int(limit) / 2e6 if limit.isdecimal() and int(limit) else None
