"""How decoys are, for Prometheus: its text format over HTTP, on the loopback interface.

The format is a line a number (Prometheus, "Exposition formats", version 0.0.4), so no library is
needed for it, and no thread: who asks is answered between other things.
"""

import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self

from iotflowgen.errors import NetworkError

__all__ = ["Metrics", "exposition"]

_LOOPBACK: Final = "127.0.0.1"
_PATIENCE_S: Final = 1.0
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class Metrics:
    """Listens on a port of the loopback interface.

    Raises:
        NetworkError: The port is taken.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((_LOOPBACK, port))
        except (OSError, OverflowError) as error:
            self._socket.close()
            raise NetworkError(f"cannot listen on port {port} for metrics: {error}") from error
        self._socket.listen()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """Who asks can be heard from here."""
        return self._socket.fileno()

    def answer(self, reply: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
        """Answer one who asks, whatever for; whoever hangs up gets nothing.

        Nor does anybody while a process has ended, and so does not say how it is.
        """
        with self._socket.accept()[0] as asker, contextlib.suppress(OSError, KeyError):
            asker.settimeout(_PATIENCE_S)
            asker.recv(2**16)
            text = exposition(reply({"ask": "metrics"}), _memory()).encode()
            head = (
                "HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                f"Content-Length: {len(text)}\r\n\r\n"
            )
            asker.sendall(head.encode() + text)


def exposition(status: Mapping[str, Any], memory: Mapping[str, int]) -> str:
    """What decoys say of themselves, and bytes of memory by process, in that format."""
    late = status["late"]
    decoys = [*status["decoys"].values()]
    kinds = (
        (
            ("frames_total", "counter", "Frames that were sent."),
            [(f'end="{end}"', status[end]) for end in ("near", "far")],
        ),
        (
            ("withheld_total", "counter", "Frames that were not sent."),
            [(f'why="{why}"', count) for why, count in status["withheld"].items()],
        ),
        (
            ("shift_seconds", "gauge", "How much later than planned all is."),
            [("", status["shift"])],
        ),
        (("queue_frames", "gauge", "Frames that wait for their time."), [("", status["queue"])]),
        (("answers_total", "counter", "Answers to who asked decoys."), [("", status["answers"])]),
        (
            ("conflicts_total", "counter", "Times that somebody had a decoy's address."),
            [("", status["conflicts"])],
        ),
        (
            ("decoys", "gauge", "Decoys."),
            [(f'state="{state}"', decoys.count(state)) for state in ("on", "silent")],
        ),
        (
            ("memory_bytes", "gauge", "Memory that a process has (RSS)."),
            [(f'process="{name}"', size) for name, size in memory.items()],
        ),
    )
    lines = [
        line for (name, kind, said), values in kinds for line in _lines(name, kind, said, values)
    ]
    whole = "iotflowgen_live_lateness_seconds"
    lines += [f"# HELP {whole} How late frames were sent.", f"# TYPE {whole} histogram"]
    lines += [f'{whole}_bucket{{le="{limit}"}} {count}' for limit, count in late["buckets"]]
    lines += [f'{whole}_bucket{{le="+Inf"}} {late["count"]}']
    lines += [f"{whole}_sum {late['seconds']}", f"{whole}_count {late['count']}"]
    return "\n".join(lines) + "\n"


def _lines(name: str, kind: str, said: str, values: list[tuple[str, Any]]) -> Iterator[str]:
    whole = f"iotflowgen_live_{name}"
    yield f"# HELP {whole} {said}"
    yield f"# TYPE {whole} {kind}"
    for labels, value in values:
        yield f"{whole}{{{labels}}} {value}" if labels else f"{whole} {value}"


def _memory() -> dict[str, int]:
    """Bytes that this process and those it has started have, by what they are."""
    found = {"supervisor": _resident(os.getpid())}
    for task in Path("/proc/self/task").glob("*/children"):
        for child in task.read_text().split():
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
                name = next((each for each in words if each.startswith("iotflowgen.live.")), "")
                if name:
                    kind = name.removeprefix("iotflowgen.live.").removesuffix(".process")
                    found[kind] = found.get(kind, 0) + _resident(int(child))
    return found


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
