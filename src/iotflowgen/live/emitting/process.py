"""Sends frames when they are due: a process of its own that only waits and sends.

It reads what to do as JSON from standard input, whose end is its own, and frames from a socket. It
is small and quick on purpose: no numpy, no threads, no collection of garbage. Where it may, it runs
before all usual processes (SCHED_FIFO).
"""

import contextlib
import errno
import select
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network
from types import FrameType
from typing import Any, Final

from iotflowgen.live.emitting.due import MOST_BYTES, DueFrame, decode
from iotflowgen.live.emitting.flows import Flows
from iotflowgen.live.emitting.guard import Guard, Host
from iotflowgen.live.emitting.lateness import Lateness
from iotflowgen.live.emitting.queue import Queue
from iotflowgen.live.emitting.sent import Sent
from iotflowgen.live.process import Requests, be_quick, cannot_use, hear, say, tell

__all__ = ["Emitter", "main"]

SHIFT_NS: Final = 10**9
"""Whoever is later than this goes on from now."""

_SPIN_NS: Final = 100_000
"""Before a frame is due: the last of the wait without sleep, at most."""
_NAP_NS: Final = 2_000_000
"""Waits longer than this are used to listen."""
_LISTEN_NS: Final = 50_000_000
"""So often it listens to whoever controls it, however much there is to send."""
_AT_ONCE: Final = 64
"""Messages of frames that are taken together."""
_TELL_NS: Final = 5 * 10**9
"""So often it begins to tell of flows."""
_TOLD: Final = 16
"""Flows that are told together: so few that a pipe which has any room has room for them."""
_MESSAGES: Final = 4
"""And so many messages of them follow each other."""
_WAIT_S: Final = 0.1
"""Between tries to send where the interface is down."""
_BURST_NS: Final = 10**9
"""So much of the allowed rate may be used at once."""
_ENDS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_DROPPED: Final = {
    errno.EMSGSIZE: "too long for the interface",
    errno.ENOBUFS: "the interface's queue was full",
}


class _Stop(Exception):
    """Somebody asked for an end."""


class Emitter:
    """Sends what is due.

    Args:
        send: Sends a frame at the near end, and at the far one.
        guard: The last check.
        rate: Frames a second, at most.
        say: Tells a person what happened, in one line.
        has_ledger: Somebody wants to know of flows.
    """

    def __init__(
        self,
        send: Sequence[Callable[[bytes], object]],
        guard: Guard,
        rate: int,
        say: Callable[[str], object],
        *,
        has_ledger: bool = True,
    ) -> None:
        self._has_ledger = has_ledger
        self._send, self._guard, self._say = send, guard, say
        self._apart_ns = 10**9 // rate
        self._free_ns = 0
        self._waking_ns = _SPIN_NS
        """How long it takes to wake up."""
        self.lateness = Lateness()
        self.flows = Flows()
        """What was sent since it was told last."""
        self.muted: frozenset[int] = frozenset()
        """Decoys that are silent for now."""
        self.sent = [0, 0]
        """Frames, near and far."""
        self.withheld: Counter[str] = Counter()
        """Frames that were not sent, by why."""
        self.shift_ns = 0
        """How much later than planned everything is by now."""

    def add(self, decoy: int, host: Host) -> None:
        """Let there be one more decoy."""
        self._guard.add(decoy, host)

    def settle(self, decoy: int, host: Host, subnet: IPv4Network) -> None:
        """Let a decoy have other addresses from now on."""
        self._guard.settle(decoy, host, subnet)

    def ready_ns(self, due: DueFrame, now_ns: int) -> int:
        """When a frame may be sent: when it is due, and not before the rate allows."""
        return max(due.due_ns + self.shift_ns, self._free_ns - _BURST_NS, now_ns)

    def emit(self, due: DueFrame) -> None:
        """Wait the rest of the time, and send a frame; or withhold it, and count why."""
        if due.decoy in self.muted:
            self.withheld["the decoy is silent"] += 1
            return
        if complaint := self._guard.complaint(due):
            if complaint not in self.withheld:
                self._say(f"withheld: {complaint} ({due.frame[:38].hex(' ')})")
            self.withheld[complaint] += 1
            return
        self._wait(due)
        try:
            self._send[due.far](due.frame)
        except OSError as error:
            if error.errno not in _DROPPED:
                raise
            self.withheld[_DROPPED[error.errno]] += 1
            return
        self.lateness.add(time.monotonic_ns() - due.due_ns - self.shift_ns)
        if self._has_ledger:
            self.flows.add(due.decoy, due.far, due.frame, time.time_ns())
        self.sent[due.far] += 1

    def _wait(self, due: DueFrame) -> None:
        now_ns = time.monotonic_ns()
        late_ns = now_ns - due.due_ns - self.shift_ns
        if late_ns > SHIFT_NS:
            self.shift_ns += late_ns
            self._say(f"{late_ns / 1e9:.1f} s behind; going on from now, without catching up")
        ready_ns = self.ready_ns(due, now_ns)
        wake_ns = ready_ns - self._waking_ns
        if wake_ns > now_ns:
            time.sleep((wake_ns - now_ns) / 1e9)
            took_ns = min(_SPIN_NS, time.monotonic_ns() - wake_ns)
            self._waking_ns += (took_ns - self._waking_ns) // 16
        while (now_ns := time.monotonic_ns()) < ready_ns:
            pass
        self._free_ns = max(self._free_ns, now_ns) + self._apart_ns

    def summary(self) -> dict[str, Any]:
        """What was sent, and how late."""
        found: dict[str, Any] = {"near": self.sent[0], "far": self.sent[1]}
        found["lateness_ms"] = self.lateness.summary()
        found["shift"] = self.shift_ns / 1e9
        return found | {"withheld": dict(self.withheld)}


class _Port:
    """A way out: one socket of an interface, opened again where that went and came back."""

    def __init__(self, name: str, say: Callable[[str], object], sent: Sent, *, far: bool) -> None:
        self._name, self._say, self._sent, self._far = name, say, sent, far
        self._socket = self._open()

    def _open(self) -> socket.socket:
        # protocol 0: it receives nothing
        port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        port.bind((self._name, 0))
        return port

    def send(self, frame: bytes) -> None:
        """Send, once the interface is up; who answers hears of it before."""
        self._sent.add(frame, far=self._far)
        try:
            self._socket.send(frame)
        except OSError as error:
            if error.errno in _DROPPED:
                raise
            self._say(f"{self._name}: {error.strerror}; waiting until it is back")
            self._send_again(frame)
            self._say(f"{self._name} is back")

    def _send_again(self, frame: bytes) -> None:
        while True:
            time.sleep(_WAIT_S)
            with contextlib.suppress(OSError):
                self._socket.close()
                self._socket = self._open()
                self._socket.send(frame)
                return


class _Loop:
    """Listens where there is time, and sends."""

    def __init__(self, emitter: Emitter, frames: socket.socket) -> None:
        self._emitter, self._frames = emitter, frames
        self._queue = Queue()
        self._shift_ns = 0
        self._listened_ns = self._told_ns = 0
        self._requests = Requests()
        self._ended = False

    def run(self) -> None:
        """Until all is sent and no more comes."""
        queue, emitter = self._queue, self._emitter
        while queue or not self._ended:
            now_ns = time.monotonic_ns()
            left_ns = emitter.ready_ns(queue.first, now_ns) - now_ns if queue else 10**9
            if left_ns > _NAP_NS or now_ns - self._listened_ns > _LISTEN_NS:
                self._listen(max(0, left_ns - _NAP_NS // 2))
                continue
            emitter.emit(queue.pop())
            if emitter.shift_ns != self._shift_ns:
                self._tell_shift()

    def _listen(self, wait_ns: int) -> None:
        sources: list[Any] = [self._requests, *([] if self._ended else [self._frames])]
        ready, _, _ = select.select(sources, [], [], wait_ns / 1e9)
        self._listened_ns = time.monotonic_ns()
        self._tell_flows()
        if self._requests in ready:
            self._obey()
        if self._frames in ready:
            self._take()

    def _take(self) -> None:
        """Take frames that have come."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(_AT_ONCE):
                message = self._frames.recv(2 * MOST_BYTES, socket.MSG_DONTWAIT)
                self._ended = not message
                if self._ended:
                    return
                self._queue.put(decode(message))

    def _obey(self) -> None:
        """Do what is asked on standard input."""
        for asked in self._requests.read():
            if "muted" in asked:
                self._emitter.muted = frozenset(asked["muted"])
            elif "gone" in asked:
                # the ledger is to know all that they have sent
                tell({"flows": self._emitter.flows.take(of=asked["gone"])})
                tell(asked)
            elif "come" in asked:
                for each in asked["come"]:
                    self._emitter.add(each["place"], Host.of(each["host"]))
            elif "host" in asked:
                self._settle(asked["decoy"], Host.of(asked["host"]), IPv4Network(asked["subnet"]))
            else:
                late = self._emitter.lateness.histogram()
                more = {"queue": len(self._queue), "late": late}
                tell({"status": {**self._emitter.summary(), **more}})
        if self._requests.are_over:
            raise _Stop

    def _settle(self, decoy: int, host: Host, subnet: IPv4Network) -> None:
        """A decoy has another address: what it was to say with the old one is not sent."""
        self._emitter.settle(decoy, host, subnet)
        self._queue.drop(decoy)

    def _tell_flows(self) -> None:
        """Tell of some flows, if it is time for it, and whoever hears of them keeps up."""
        if self._listened_ns - self._told_ns < _TELL_NS:
            return
        for _ in range(_MESSAGES):
            if not select.select([], [1], [], 0)[1]:
                return
            if not (flows := self._emitter.flows.take(_TOLD)):
                # all are told
                self._told_ns = self._listened_ns
                return
            tell({"flows": flows})

    def _tell_shift(self) -> None:
        self._shift_ns = self._emitter.shift_ns
        with contextlib.suppress(BlockingIOError, ConnectionError):
            self._frames.send(b"%d" % self._shift_ns, socket.MSG_DONTWAIT)


def main() -> None:
    """Send until there is no more, or until asked for an end; then tell how late it was."""
    asked = hear()
    sent = Sent(asked["sent"])
    try:
        ports = [_Port(asked[end], say, sent, far=end == "far") for end in ("near", "far")]
    except OSError as error:
        cannot_use(f"{asked['near']}, {asked['far']}", error)
        return
    if not be_quick(10):
        say("not allowed to run before other processes (CAP_SYS_NICE); packets may be later")
    decoys = [*map(Host.of, asked["decoys"])]
    guard = Guard(IPv4Network(asked["subnet"]), decoys, [*map(bytes.fromhex, asked["others"])])
    for number in _ENDS:
        signal.signal(number, _stop)
    send = [port.send for port in ports]
    emitter = Emitter(send, guard, asked["rate"], say, has_ledger=asked["ledger"])
    tell({"ready": True})
    with contextlib.suppress(_Stop, ConnectionError):
        _Loop(emitter, socket.socket(fileno=asked["frames"])).run()
    for number in _ENDS:
        signal.signal(number, signal.SIG_IGN)
    tell({"flows": emitter.flows.take()})
    tell({"end": emitter.summary()})


def _stop(_number: int, _frame: FrameType | None) -> None:
    # whoever asks twice is not to interrupt the end
    for number in _ENDS:
        signal.signal(number, signal.SIG_IGN)
    raise _Stop


if __name__ == "__main__":
    main()
