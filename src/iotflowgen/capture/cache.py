"""What tshark dissected once it does not dissect again: a file a capture, named for its content.

The name is a hash of everything that the columns depend on: the bytes of the capture, the program
tshark (its path, size and time of change; asking for its version takes as long as a small
capture), what it is asked, and `_EXTRACTION`. Which host is the device is no part of it, so another
`--device` needs no new dissection. The cache only ever saves time: an entry that is damaged is
made anew, and where nothing can be written the captures are dissected every time.
"""

import hashlib
import os
import struct
import threading
import zipfile
import zlib
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from iotflowgen.capture.dissection import Dissection
from iotflowgen.capture.tshark import FIELDS, dissect_by_tshark, find_tshark, tshark_arguments
from iotflowgen.errors import OutputError
from iotflowgen.extras import naming_extras
from iotflowgen.files import whole_file

__all__ = ["default_cache", "dissect_cached"]

_EXTRACTION = 4  # to be raised with every change to the columns that `tshark.parse` makes
# NumPy parses headers with `ast`, which fails in Python up to 3.11.7 where two threads are at it at
# once (CPython issue 106905)
_LOADING = threading.Lock()
_DAMAGE = (
    *(OSError, EOFError, MemoryError, ValueError, KeyError, TypeError, RuntimeError, struct.error),
    *(zipfile.BadZipFile, zlib.error),
)
"""What NumPy and the standard library raise for damaged entries."""


def default_cache() -> Path:
    """`IOTFLOWGEN_CACHE`, or the user's folder for caches.

    Raises:
        ExtraMissing: It is the user's, and platformdirs is not installed.
    """
    named = os.environ.get("IOTFLOWGEN_CACHE")
    if named:
        return Path(named)
    with naming_extras():
        from platformdirs import user_cache_path  # noqa: PLC0415

    return user_cache_path("iotflowgen")


def dissect_cached(capture: Path, sha256: str, cache: Path | None) -> Dissection:
    """What tshark says, or said the last time of the same bytes, whose hash is `sha256`.

    Raises:
        TsharkMissing: tshark is not installed.
        ExtraMissing: pyarrow is not installed.
        UnreadableCapture: No packet can be made out, or a link type has no network addresses.
    """
    if cache is None:
        return dissect_by_tshark(capture)
    entry = cache / f"{_key(sha256)}.npz"
    dissection = _load(entry)
    if dissection is None:
        dissection = dissect_by_tshark(capture)
        with suppress(OutputError, OSError):
            _save(dissection, entry)
    return dissection


def _key(sha256: str) -> str:
    tshark = find_tshark().resolve()
    status = tshark.stat()
    program = (str(tshark), status.st_size, status.st_mtime_ns)
    depends_on = (_EXTRACTION, sha256, program, tshark_arguments(FIELDS))
    return hashlib.sha256(repr(depends_on).encode()).hexdigest()


def _save(dissection: Dissection, entry: Path) -> None:
    # for nobody else to see which captures there are
    entry.parent.mkdir(0o700, parents=True, exist_ok=True)
    with whole_file(entry, private=True) as path, path.open("wb") as file:
        np.savez(file, **asdict(dissection))


def _load(entry: Path) -> Dissection | None:
    try:
        with _LOADING, entry.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            values: dict[str, Any] = {name: stored[name] for name in stored.files}
        values |= {name: str(values[name]) for name in ("link", "complaint")}
        values |= {name: tuple(values[name].tolist()) for name in ("notes", "addresses")}
        return Dissection(**values)
    except _DAMAGE:
        return None
