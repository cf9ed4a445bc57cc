"""Running tshark: one process a capture, its fields as tab separated text.

No packet waits for another to show its protocols: reassembly of TCP streams and IP fragments is
off, which would name a message only at the segment that completes it, and so is the analysis of
sequence numbers, which hides the payload of retransmissions from HTTP and TLS. So a generated
packet shows what a captured one shows, and tshark is faster. It does remember conversations: the
body of an HTTP message is HTTP because its head was. The preferences named here are in every
tshark since 3.0.

The user's own tshark settings, plug-ins and keys are left aside: the same capture gives the same
columns to everyone, encrypted as an eavesdropper sees it (section 3.1).
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from iotflowgen.errors import TsharkMissing, UnreadableCapture

__all__ = ["Output", "find_tshark", "run_tshark", "tshark_arguments"]

_NO_REASSEMBLY = (
    "tcp.desegment_tcp_streams:FALSE",
    "tcp.analyze_sequence_numbers:FALSE",
    "ip.defragment:FALSE",
    "ipv6.defragment:FALSE",
)
_NO_SETTINGS = "/nonexistent"


@dataclass(frozen=True)
class Output:
    """What tshark printed."""

    rows: bytes
    """A line a packet, its fields separated by tabs, in the order asked for."""
    complaint: str
    """Why tshark stopped early, in its own words; empty if it read the whole capture."""


def find_tshark() -> Path:
    """The program on PATH.

    Raises:
        TsharkMissing: There is none.
    """
    found = shutil.which("tshark")
    if found is None:
        raise TsharkMissing(
            "tshark, which dissects the packets, is not on PATH; install it with "
            "`apt install tshark`, `dnf install wireshark-cli` or `brew install wireshark`"
        )
    return Path(found)


def tshark_arguments(fields: Sequence[str]) -> list[str]:
    """Everything but the program and the capture: names are never resolved (`-n`)."""
    preferences = [part for preference in _NO_REASSEMBLY for part in ("-o", preference)]
    columns = [part for field in fields for part in ("-e", field)]
    return ["-n", *preferences, "-T", "fields", "-E", "occurrence=f", *columns]


def run_tshark(program: Path, capture: Path, fields: Sequence[str]) -> Output:
    """Dissect `capture`; the first occurrence of each field, for every packet.

    Raises:
        UnreadableCapture: tshark cannot make out one packet; its reason is in the message.
    """
    done = subprocess.run(
        [program, *tshark_arguments(fields), "-r", capture.absolute()],
        env={**os.environ, "WIRESHARK_CONFIG_DIR": _NO_SETTINGS, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    said = done.stderr.decode(errors="replace").splitlines()
    complaint = " ".join(line.removeprefix("tshark: ") for line in said if _is_complaint(line))
    complaint = complaint.replace(f'The file "{capture.absolute()}"', "the file").rstrip(".")
    if done.returncode < 0 or (done.returncode > 0 and not done.stdout):
        reason = complaint or f"exit status {done.returncode}"
        raise UnreadableCapture(f"tshark cannot read {capture}: {reason}")
    return Output(done.stdout, (complaint or "tshark stopped") if done.returncode else "")


def _is_complaint(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("Running as user")
