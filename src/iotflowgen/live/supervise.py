"""Starts the processes that put decoys on a network, and ends them."""

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from itertools import count
from typing import Any, Final

from iotflowgen import errors
from iotflowgen.errors import NetworkError
from iotflowgen.live.home import Home
from iotflowgen.live.interfaces import Interfaces, silence, survey

__all__ = ["MOST_RATE", "Place", "run"]

MOST_RATE: Final = 50_000
"""Frames a second, beyond which no decoys are to go."""

_SHORT_S: Final = 5.0
"""Who crashes sooner than this does so again."""
_END_S: Final = 0.8
"""Whoever is asked for an end has so long for it."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where in a network decoys are.

    Raises:
        NetworkError: The rate is none that decoys may have.
    """

    near: str
    """The interface where decoys are plugged in."""
    far: str
    """The interface where the gateway is: there, frames of the decoys' peers come from."""
    rate: int = 1000
    """Frames a second, at most."""
    confirmed: Collection[str] = field(default=())
    """Interfaces that decoys may use although they have a default route."""

    def __post_init__(self) -> None:
        if not 0 < self.rate <= MOST_RATE:
            raise NetworkError(f"{self.rate} frames a second are not 1 to {MOST_RATE}")


def run(
    home: Home,
    place: Place,
    *,
    start_ns: int | None = None,
    pace: float = 1.0,
    seconds: float = float("inf"),
    say: Callable[[str], object] = lambda _: None,
) -> dict[str, Any]:
    """Put decoys on a network, for so many seconds or until Ctrl-C, and tell how it went.

    Args:
        home: Which decoys.
        place: Where.
        start_ns: Device time at which they are switched on, nanoseconds since the epoch; now, by
            default.
        pace: Device seconds in a second: more than one makes a day pass in an hour.
        seconds: How long, on the clock on the wall.
        say: Told what happens, in lines.

    Raises:
        NetworkError: An interface or an address is not to be used, or a right is missing.
        ModelError: A model is absent or damaged.
        ArgumentError: A decoy does not fit the network.
    """
    interfaces = survey()
    for name in (place.near, place.far):
        interfaces.check(name, place.confirmed)
    begun = time.monotonic()
    for restarts in count():
        passed = time.monotonic() - begun
        if restarts and start_ns is not None:
            start_ns += int(passed * pace * 1e9)
        told = {"start_ns": start_ns, "pace": pace, "seconds": min(seconds, 1e9) - passed}
        with ExitStack() as stack:
            found = _attempt(stack, home, place, interfaces, told, say)
        if found is not None:
            return {**found, "restarts": restarts}
        if time.monotonic() - begun - passed < _SHORT_S:
            raise NetworkError("a process ends again and again; see above")
        say("a process has ended before its time; decoys are switched on again")
    raise AssertionError


def _attempt(
    stack: ExitStack,
    home: Home,
    place: Place,
    interfaces: Interfaces,
    told: Mapping[str, Any],
    say: Callable[[str], object],
) -> dict[str, Any] | None:
    """Start both processes and wait for them; what they tell in the end, None if one crashed."""
    theirs, ours = map(stack.enter_context, socket.socketpair(type=socket.SOCK_SEQPACKET))
    composing = stack.enter_context(_process("ahead", theirs))
    _ask(composing, {**told, "home": home.model_dump(mode="json"), "frames": theirs.fileno()})
    found = _hear(composing, "compose")
    asked = _checked(home, found, interfaces, place)
    for name in {place.near, place.far}:
        if silence(name, interfaces):
            say(f"{name}: IPv6 of its own is off from now on")
    emitting = stack.enter_context(_process("emit", ours))
    _ask(emitting, {**asked, "frames": ours.fileno()})
    # each is to notice when the other is gone
    theirs.close()
    ours.close()
    _hear(emitting, "emit")
    _ask(composing, {})
    for each in found["decoys"]:
        say(f"{each['name']} is on: {each['mac']}, {each['ip']}")
    stopped = False
    try:
        if any(_first_status(composing, emitting)) or emitting.wait():
            return None
    except KeyboardInterrupt:
        stopped = True
        emitting.terminate()
    return {**_hear(emitting, "emit"), "stopped": stopped}


def _first_status(*processes: "subprocess.Popen[str]") -> Iterator[int]:
    """The exit status of what ends first."""
    ends = {os.pidfd_open(process.pid): process for process in processes}
    try:
        ready, _, _ = select.select([*ends], [], [])
        for end in ready:
            yield ends[end].wait()
    finally:
        for end in ends:
            os.close(end)


def _checked(
    home: Home, found: Mapping[str, Any], interfaces: Interfaces, place: Place
) -> dict[str, Any]:
    """What the process that emits is to know, if decoys may be where they are to be."""
    for decoy in found["decoys"]:
        interfaces.check_unlike(decoy["mac"], decoy["ip"])
    gateway = found["gateway"]
    own = {_bytes(each) for each in interfaces.macs.values() if each != gateway["mac"]}
    for addresses in interfaces.addresses.values():
        own |= {_bytes(each) for each in addresses if "." in each and each != gateway["ip"]}
    subnet = home.network.subnet or IPv4Network(f"{found['decoys'][0]['ip']}/24", strict=False)
    return {
        "near": place.near,
        "far": place.far,
        "rate": place.rate,
        "subnet": str(subnet),
        "decoys": [
            [_bytes(each["mac"]).hex(), _bytes(each["ip"]).hex()] for each in found["decoys"]
        ],
        "others": sorted(each.hex() for each in own if any(each)),
    }


def _bytes(address: str) -> bytes:
    """A MAC address, or one of IPv4; empty for others."""
    if "." in address:
        return bytes(map(int, address.split(".")))
    return bytes.fromhex(address.replace(":", ""))


@contextmanager
def _process(module: str, frames: socket.socket) -> "Iterator[subprocess.Popen[str]]":
    """A process of this package, which ends when this does."""
    process = subprocess.Popen(
        # without what lies in the working directory: it may run as root
        [sys.executable, "-P", "-m", f"iotflowgen.live.{module}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=[frames.fileno()],
        # Ctrl-C is for this process, which passes it on
        process_group=0,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()


def _ask(process: "subprocess.Popen[str]", words: Mapping[str, Any]) -> None:
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    try:
        process.stdin.write(json.dumps(words) + "\n")
        process.stdin.flush()
    except BrokenPipeError as error:
        raise NetworkError("a process has ended before it began; see above") from error


def _hear(process: "subprocess.Popen[str]", name: str) -> dict[str, Any]:
    """What a process says, in a line of JSON.

    Raises:
        IoTFlowGenError: It says what is wrong.
    """
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    line = process.stdout.readline()
    if not line:
        raise NetworkError(f"the process that should {name} has ended before its time")
    found: dict[str, Any] = json.loads(line)
    if "error" in found:
        raise getattr(errors, found.get("kind", "NetworkError"))(found["error"])
    return found
