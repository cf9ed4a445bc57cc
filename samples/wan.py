"""The line between the router and the cloud: carries IP packets from one tun device to another.

It makes no packet and changes none. It only holds each one back by the distance of the server
it belongs to, and now and then loses one, as a home's line does; what TCP makes of that is up to
the kernels at both ends. (The kernel's own `netem` would do the same, but not every kernel has it.)

Runs in the router's namespace; the far end is handed to the cloud's.
"""

from __future__ import annotations

import argparse
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import time

from profiles import DNS_UPSTREAM, PROFILES

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_DNS_DELAY_MS = 11.0
_LOSS = 0.003


def open_tun(name: str) -> int:
    """Make a tun device in this namespace; packets are read from and written to the result."""
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return tun


def server_of(packet: bytes, delays_ms: dict[bytes, float]) -> bytes | None:
    """The cloud address of an IPv4 packet; None for anything else, which is not carried."""
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return None
    for address in (packet[12:16], packet[16:20]):
        if address in delays_ms:
            return address
    return None


def carry(
    near: int, far: int, delays_ms: dict[bytes, float], rng: random.Random, end: float
) -> None:
    """Pass packets both ways until `end`; packets to or from one server keep their order."""
    queue: list[tuple[float, int, int, bytes]] = []
    last: dict[tuple[int, bytes], float] = {}
    other = {near: far, far: near}
    count = 0
    while (now := time.monotonic()) < end:
        while queue and queue[0][0] <= now:
            _, _, to, packet = heapq.heappop(queue)
            os.write(to, packet)
        wait = min(queue[0][0] if queue else end, end) - now
        ready, _, _ = select.select([near, far], [], [], max(wait, 0.0))
        for source in ready:
            packet = os.read(source, 65536)
            server = server_of(packet, delays_ms)
            if server is None or rng.random() < _LOSS:
                continue
            key = (source, server)
            delay = delays_ms[server] * (0.5 + rng.expovariate(1 / 0.08)) / 1000
            last[key] = max(last.get(key, 0.0), time.monotonic() + delay)
            heapq.heappush(queue, (last[key], count := count + 1, other[source], packet))


def main() -> None:
    """Read the command line, then run until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=sorted(PROFILES))
    parser.add_argument("--cloud", required=True, help="the cloud's network namespace")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--limit", type=float, required=True, help="seconds to run")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    delays_ms = {peer.address: peer.delay_ms for peer in PROFILES[options.kind].peers}
    delays_ms[DNS_UPSTREAM] = _DNS_DELAY_MS
    # Another day, another route: the same server is a little nearer or farther each time.
    by_bytes = {
        bytes(map(int, address.split("."))): delay * rng.uniform(0.7, 1.5)
        for address, delay in delays_ms.items()
    }
    near, far = open_tun("wan0"), open_tun("far0")
    subprocess.run(["ip", "link", "set", "dev", "far0", "netns", options.cloud], check=True)
    print("ready", flush=True)
    carry(near, far, by_bytes, rng, time.monotonic() + options.limit)


if __name__ == "__main__":
    main()
