"""Makes the network namespaces of decoys, and removes them.

Whoever may name namespaces (root) gets one with a name, `iotflowgen-DECOY`. It is there for others
to start servers in, before and after a crash of ours, and goes at the end; after `kill -9` the next
run at the same socket takes it over, or removes it if it has no such decoy any more. Whoever may
not gets one without a name, in a user namespace; it goes with the process that stays in it.
"""

import contextlib
import json
import os
import socket
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from iotflowgen.errors import NetworkError
from iotflowgen.live.children import Child
from iotflowgen.live.handover.process import INTERFACE
from iotflowgen.live.programs import attempt, do, program

__all__ = ["Namespaces"]

_NAMES: Final = Path("/run/netns")
_PREFIX: Final = "iotflowgen-"
_MOST_ALIAS: Final = 200
_PATIENCE_S: Final = 10.0


@dataclass(frozen=True)
class _Namespace:
    """One that is there."""

    told: Mapping[str, Any]
    stack: ExitStack
    holder: Child
    tap: int


class Namespaces:
    """Of decoys that hand ports over, from one start of other processes to the next.

    Args:
        owner: The socket of these decoys: two homes leave each other's namespaces alone.
        say: Told what happens, in lines.
    """

    def __init__(self, owner: Path, say: Callable[[str], object]) -> None:
        self._say = say
        self._owner = str(owner.absolute())[-_MOST_ALIAS:]
        self._open: dict[str, _Namespace] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.have({})

    def have(self, wanted: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
        """Have namespaces for these decoys, and for no others.

        Args:
            wanted: By the decoy's name, what `handover.process` is to know, and the `ports`.

        Returns:
            The file of each TAP.

        Raises:
            NetworkError: One cannot be made.
        """
        for name, kept in [*self._open.items()]:
            if wanted.get(name) != kept.told or kept.holder.has_ended():
                self._open.pop(name).stack.close()
        self._tidy({_PREFIX + name for name in wanted})
        for name in wanted.keys() - self._open.keys():
            self._open[name] = self._make(name, wanted[name])
        return {name: each.tap for name, each in self._open.items()}

    def settle(self, name: str, addresses: Mapping[str, str]) -> None:
        """Let a decoy, if it has one, have another `ip` there, in a `subnet`, with a `gateway`."""
        if name in self._open:
            self._open[name].holder.ask(addresses)

    def holders(self) -> list[Child]:
        """The processes that stay in them."""
        return [each.holder for each in self._open.values()]

    def _make(self, name: str, told: Mapping[str, Any]) -> _Namespace:
        space = _PREFIX + name
        is_named = _is_there(space) or _add(space)
        begin = (
            [program("nsenter"), f"--net={_NAMES / space}"]
            if is_named
            else [program("unshare"), "--map-root-user", "--net"]
        )
        stack = ExitStack()
        try:
            ours, theirs = map(stack.enter_context, socket.socketpair())
            holder = stack.enter_context(Child("handover.process", theirs, before=begin))
            holder.ask({**told, "socket": theirs.fileno(), "owner": self._owner})
            holder.hear()
            ours.settimeout(_PATIENCE_S)
            _, (tap,), _, _ = socket.recv_fds(ours, 8, 1)
        except NetworkError as error:
            stack.close()
            self._tidy(())
            raise NetworkError(f"the namespace of {name}: {error}") from error
        stack.callback(os.close, tap)
        ports = ", ".join(told["ports"])
        is_seen = is_named and _shares_mounts()
        enter = f"ip netns exec {space}" if is_seen else f"nsenter -t {holder.pid} -n"
        self._say(f"{name}: {ports} is for a server in its own namespace: {enter} SERVER")
        return _Namespace(told, stack, holder, tap)

    def _tidy(self, kept: Collection[str]) -> None:
        """Remove namespaces of this owner's that no decoys are in, but for these."""
        spaces = _NAMES.glob(f"{_PREFIX}*") if _NAMES.is_dir() else ()
        for space in {path.name for path in spaces} - {*kept}:
            with contextlib.suppress(NetworkError):
                links = json.loads(do("ip", "-n", space, "-json", "link"))
                is_own = any(link.get("ifalias") == self._owner for link in links)
                if is_own and all(link["ifname"] != INTERFACE for link in links):
                    attempt("ip", "netns", "del", space)


def _is_there(space: str) -> bool:
    """Whether there is a namespace of that name, and not just its file, and it may be used."""
    path = _NAMES / space
    return path.exists() and attempt("nsenter", f"--net={path}", program("ip"), "link")


def _shares_mounts() -> bool:
    """Whether others see names that this process gives: not within `ip netns exec`."""
    try:
        return Path("/proc/self/ns/mnt").readlink() == Path("/proc/1/ns/mnt").readlink()
    except OSError:
        return False


def _add(space: str) -> bool:
    """Whether a namespace of that name can be made."""
    # of one that a reboot of a container has left
    attempt("ip", "netns", "del", space)
    return attempt("ip", "netns", "add", space)
