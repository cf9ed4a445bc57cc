"""How long a host takes to answer, as another one on its network measures it.

    python benchmarks/response_times.py eth0 192.168.20.31

Prints medians in microseconds, as JSON: of answers to ARP, to pings, and to who connects with a
closed port. Times are the kernel's, of when each frame was sent and came. Needs root.
"""

import json
import os
import secrets
import socket
import statistics
import struct
import sys
import time
from collections.abc import Callable
from typing import Final

COUNT: Final = 100
"""Questions of each kind."""
_APART_S: Final = 0.02
_LOST_S: Final = 1.0
_TIMESTAMPNS: Final = 35
_ALL, _ARP = 0x0003, 0x0806
_CLOSED: Final = 4


class Wire:
    """Sees what is sent and what comes at an interface."""

    def __init__(self, interface: str) -> None:
        self.port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
        self.port.bind((interface, 0))
        self.port.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
        self.mac = self.port.getsockname()[4]

    def took_us(
        self,
        ask: Callable[[], object],
        is_question: Callable[[bytes], bool],
        is_answer: Callable[[bytes], bool],
    ) -> float | None:
        """Microseconds from a question to its answer; None where that is lost."""
        ask()
        asked: float | None = None
        deadline = time.monotonic() + _LOST_S
        while (left := deadline - time.monotonic()) > 0:
            self.port.settimeout(left)
            try:
                frame, notes, _, _ = self.port.recvmsg(2**16, 64)
            except TimeoutError:
                break
            seconds, nanoseconds = struct.unpack("qq", notes[0][2])
            now: float = seconds * 10**6 + nanoseconds / 1000
            if is_question(frame):
                asked = now
            elif asked is not None and is_answer(frame):
                return float(now - asked)
        return None


def medians(interface: str, address: str) -> dict[str, float]:
    """Of each kind of question, microseconds."""
    wire, target = Wire(interface), socket.inet_aton(address)
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    probe.connect((address, 9))
    own = socket.inet_aton(probe.getsockname()[0])
    head = b"\xff" * 6 + wire.mac + struct.pack("!HHHBBH", _ARP, 1, 0x0800, 6, 4, 1)
    arp = head + wire.mac + own + bytes(6) + target
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind((interface, 0))
    pinger = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)

    def ping() -> None:
        body = struct.pack("!BBHHH", 8, 0, 0, os.getpid() & 0xFFFF, 1) + bytes(56)
        words = struct.unpack(f"!{len(body) // 2}H", body)
        total = sum(words)
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        pinger.sendto(body[:2] + struct.pack("!H", ~total & 0xFFFF) + body[4:], (address, 0))

    def connect() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as opened:
            opened.setblocking(False)
            opened.connect_ex((address, 20_000 + secrets.randbelow(10_000)))
            time.sleep(0.01)

    def carries(frame: bytes, protocol: int, source: bytes, kind: int, value: int) -> bool:
        is_of = frame[12:14] == b"\x08\0" and frame[23] == protocol and frame[26:30] == source
        return is_of and frame[14 + 4 * (frame[14] & 15) + kind] & value == value

    questions = {
        "arp": (
            lambda: raw.send(arp),
            lambda frame: frame[:42] == arp,
            lambda frame: frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\2",
        ),
        "ping": (
            ping,
            lambda frame: carries(frame, 1, own, 0, 8),
            lambda frame: carries(frame, 1, target, 0, 0),
        ),
        "closed port": (
            connect,
            lambda frame: carries(frame, 6, own, 13, 2),
            lambda frame: carries(frame, 6, target, 13, _CLOSED),
        ),
    }
    found = {}
    for name, how in questions.items():
        times = []
        for _ in range(COUNT):
            times.append(wire.took_us(*how))
            time.sleep(_APART_S)
        known = [each for each in times if each is not None]
        found[name] = round(statistics.median(known), 1) if known else float("nan")
    return found


if __name__ == "__main__":
    print(json.dumps(medians(*sys.argv[1:3])))
