"""How decoys that run are asked: lines of JSON over a UNIX socket."""

import contextlib
import json
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self

from iotflowgen.errors import NetworkError

__all__ = ["DEFAULT_SOCKET", "Control", "ask"]

DEFAULT_SOCKET: Final = Path("/run/iotflowgen.sock")
_PATIENCE_S: Final = 5.0
_RELOAD_S: Final = 300.0
"""A thousand models take some time to be read."""


class Control:
    """Listens on a socket that only its owner may use; a path that somebody listens on is theirs.

    Raises:
        NetworkError: Decoys are asked there already, or the socket cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            with contextlib.suppress(NetworkError):
                ask(path, {"ask": "status"})
                raise FileExistsError(17, "other decoys are asked there; name another --socket")
            if path.exists() and not path.is_socket():
                raise FileExistsError(17, "something else is there; name another --socket")
            path.unlink(missing_ok=True)
            mask = os.umask(0o177)
            try:
                self._socket.bind(str(path))
            finally:
                os.umask(mask)
        except OSError as error:
            self._socket.close()
            raise NetworkError(f"cannot listen on {path}: {error.strerror}") from error
        self._socket.listen()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def fileno(self) -> int:
        """Who asks can be heard from here."""
        return self._socket.fileno()

    def answer(self, reply: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
        """Answer one who asks; whoever hangs up or talks nonsense gets none."""
        with self._socket.accept()[0] as asker, contextlib.suppress(OSError, ValueError):
            asker.settimeout(1)
            with asker.makefile("rw") as lines:
                if isinstance(asked := json.loads(lines.readline()), dict):
                    lines.write(json.dumps(reply(asked)) + "\n")


def ask(path: Path, words: Mapping[str, Any]) -> dict[str, Any]:
    """Ask decoys that run, and hear what they say.

    Raises:
        NetworkError: No decoys run, or they cannot do this.
    """
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(_RELOAD_S if words.get("ask") == "reload" else _PATIENCE_S)
        try:
            asking.connect(str(path))
            with asking.makefile("rw") as lines:
                lines.write(json.dumps(words) + "\n")
                lines.flush()
                found: dict[str, Any] = json.loads(lines.readline())
        except PermissionError as error:
            raise NetworkError(f"only who runs the decoys may ask at {path}") from error
        except (OSError, ValueError) as error:
            raise NetworkError(f"no decoys are asked at {path}; name their --socket") from error
    if "error" in found:
        raise NetworkError(found["error"])
    return found
