"""Programs of the system that set networks up."""

import os
import shutil
import subprocess
from typing import Final

from iotflowgen.errors import NetworkError

__all__ = ["attempt", "do", "program"]

_PLACES: Final = os.pathsep.join(["/usr/sbin", "/sbin", "/usr/bin", "/bin"])
"""Usual users do not look into all of these."""
_PACKAGES: Final = {
    "bridge": "iproute2",
    "ip": "iproute2",
    "nft": "nftables",
    "nsenter": "util-linux",
    "unshare": "util-linux",
}


def program(name: str) -> str:
    """The path of a program.

    Raises:
        NetworkError: It is missing.
    """
    path = shutil.which(name, path=_PLACES)
    if path is None:
        raise NetworkError(f"the program {name} is missing; install {_PACKAGES[name]}")
    return path


def do(name: str, *words: str, said: str = "") -> str:
    """Run a program, with something said on standard input; what it writes.

    Raises:
        NetworkError: It is missing, or fails.
    """
    done = subprocess.run(
        [program(name), *words], input=said, capture_output=True, text=True, check=False
    )
    if done.returncode:
        why = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise NetworkError(f"{name} {' '.join(words)}: {why[0]}")
    return done.stdout


def attempt(name: str, *words: str, said: str = "") -> bool:
    """Whether a program is there, and does what may be possible or not."""
    try:
        do(name, *words, said=said)
    except NetworkError:
        return False
    return True
