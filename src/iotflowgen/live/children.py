"""Processes of this package that a process starts: they talk in lines of JSON, and end with it."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Self

from iotflowgen import errors
from iotflowgen.errors import NetworkError

__all__ = ["END_S", "Child"]

END_S: Final = 0.8
"""Whoever is asked for an end has so long for it."""


class Child:
    """One of them.

    Args:
        module: Of `iotflowgen.live`.
        ends: Sockets that it gets, or files.
        before: Words of a command that starts it, where it is not to be started as usual.
    """

    def __init__(self, module: str, *ends: socket.socket | int, before: Sequence[str] = ()) -> None:
        self.module = module
        self._process = subprocess.Popen(
            # without what lies in the working directory: it may run as root
            [*before, sys.executable, "-P", "-m", f"iotflowgen.live.{module}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            pass_fds=[end if isinstance(end, int) else end.fileno() for end in ends],
            # Ctrl-C is for this process, which passes it on
            process_group=0,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        self._said = b""
        self.is_mute = False
        """It will say no more."""
        self.pid = self._process.pid
        self.ends = os.pidfd_open(self.pid)
        """A file descriptor that can be read from once it has ended."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._process.communicate()
        os.close(self.ends)

    def fileno(self) -> int:
        """What it says can be read from here."""
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        return self._process.stdout.fileno()

    def has_ended(self) -> bool:
        """Whether it has."""
        return self._process.poll() is not None

    def stop(self) -> None:
        """Ask it for an end."""
        self._process.terminate()

    def status(self) -> int | None:
        """Its exit status; None where it goes on for longer than it may take to end."""
        try:
            return self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            return None

    def ask(self, words: Mapping[str, Any]) -> None:
        """Tell it something; what has ended hears nothing."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        try:
            self._process.stdin.write(json.dumps(words).encode() + b"\n")
        except BrokenPipeError:
            return

    def hear(self) -> dict[str, Any]:
        """The next that it says.

        Raises:
            IoTFlowGenError: It says what is wrong, or has ended.
        """
        while b"\n" not in self._said:
            said = os.read(self.fileno(), 2**16)
            if not said:
                raise NetworkError(f"the process {self.module} has ended before its time")
            self._said += said
        line, _, self._said = self._said.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        if "error" in found:
            raise getattr(errors, found.get("kind", "NetworkError"))(found["error"])
        return found

    def lines(self) -> Iterator[dict[str, Any]]:
        """All that it has said by now; nothing where it has ended."""
        said = os.read(self.fileno(), 2**16)
        self.is_mute = not said
        self._said += said
        while b"\n" in self._said:
            line, _, self._said = self._said.partition(b"\n")
            yield json.loads(line)
