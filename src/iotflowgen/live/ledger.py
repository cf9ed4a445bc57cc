"""The ledger: every flow that was fake, for those who run the network; and captures without these.

Nothing in packets tells that they are fake. The ledger does, out of band: a JSON line a flow, with
the names of Zeek's conn.log, and that log itself.

Shapes: P packets of a capture.
"""

import json
import os
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import numpy as np

from iotflowgen.capture import CaptureWarning
from iotflowgen.errors import LedgerError, OutputError
from iotflowgen.events import iso
from iotflowgen.files import parsed_text, whole_file
from iotflowgen.live.emitting.flows import key_of
from iotflowgen.wire import read_records
from iotflowgen.wire.pcap import ETHERNET, FORMATS, records_bytes

__all__ = ["Ledger", "without_fakes"]

_IDLE_NS: Final = 300 * 10**9
"""A flow that is silent for so long has ended, as Zeek has it for TCP."""
_CLOSES_NS: Final = 5 * 10**9
"""So often those that have ended are looked for."""
_SLACK_NS: Final = 2 * 10**9
"""So much may the clocks of who sends and who captures differ."""
_PROTOCOLS: Final = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 58: "icmp"}
_FIN, _SYN, _RST = 1, 2, 4
_ZEEK: Final = {
    **{"ts": "time", "uid": "string", "id.orig_h": "addr", "id.orig_p": "port"},
    **{"id.resp_h": "addr", "id.resp_p": "port", "proto": "enum", "duration": "interval"},
    **{"orig_bytes": "count", "resp_bytes": "count", "conn_state": "string"},
    **{"orig_pkts": "count", "orig_ip_bytes": "count", "resp_pkts": "count"},
    **{"resp_ip_bytes": "count"},
}
"""Fields of conn.log that are known, and their types."""
_HEADER: Final = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
    + "\t".join(["#fields", *_ZEEK])
    + "\n"
    + "\t".join(["#types", *_ZEEK.values()])
    + "\n"
)
_HEADERS: Final = {".log": _HEADER, ".csv": "time,event,device\n"}
"""How files begin, by their suffixes."""


class Ledger:
    """Writes flows to a folder, two files a day (UTC): `DAY.jsonl` and `conn.DAY.log`.

    Args:
        folder: It is made if it is missing.
        names: Of the decoys, by their places.
        say: Told what goes wrong, in lines.
    """

    def __init__(
        self,
        folder: Path,
        names: Mapping[int, str] | Sequence[str],
        say: Callable[[str], object],
    ) -> None:
        self._folder, self._names, self._say = folder, names, say
        self._open: dict[tuple[int, str], list[int]] = {}
        self._waiting: dict[Path, list[str]] = {}
        """Lines that are to be written, by file."""
        self._closed_ns = 0
        self._is_full = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot write to {folder}: {error.strerror}") from error

    def add(self, flows: Iterable[Sequence[Any]], now_ns: int) -> None:
        """Take note of what was sent of flows, as `Flows.take` tells; write those that ended."""
        for decoy, key, *counts in flows:
            known = self._open.get((decoy, key))
            # it has been silent for long, or the clock was set back
            if known is not None and not 0 <= counts[0] - known[1] <= _IDLE_NS:
                self._note([self._record(decoy, key, known)])
                known = None
            if known is None:
                self._open[decoy, key] = counts
                continue
            known[1] = counts[1]
            for end in (3, 7):
                for i in range(end, end + 3):
                    known[i] += counts[i]
                known[end + 3] |= counts[end + 3]
        if abs(now_ns - self._closed_ns) >= _CLOSES_NS:
            self._closed_ns = now_ns
            # who has spoken later than now did so before the clock was set back
            self._close(lambda _, last_ns: abs(now_ns - last_ns) > _IDLE_NS)

    def happens(self, decoy: str, event: str, time_ns: int) -> None:
        """Write an event of a decoy to `events.DAY.csv`, as `fit --events` reads it."""
        time = iso(time_ns)
        path = self._folder / f"events.{time[:10]}.csv"
        self._waiting.setdefault(path, []).append(f"{time},{event},{decoy}\n")
        self._write()

    def leave(self, decoys: Collection[int]) -> None:
        """Some decoys have gone: their flows have ended."""
        self._close(lambda decoy, _: decoy in decoys)

    def close(self) -> None:
        """Write all; what there is no room for is lost, and that is said."""
        self._close(lambda *_: True)
        if lines := sum(map(len, self._waiting.values())):
            self._say(f"there was no room for {lines} lines of the ledger in {self._folder}")

    def _close(self, has_ended: Callable[[int, int], bool]) -> None:
        """Write flows that have ended, by their decoys and last times."""
        ended = [flow for flow, counts in self._open.items() if has_ended(flow[0], counts[1])]
        self._note([self._record(*flow, self._open.pop(flow)) for flow in ended])
        self._write()

    def _note(self, records: list[dict[str, Any]]) -> None:
        for record in sorted(records, key=lambda record: record["ts"]):
            day = datetime.fromtimestamp(record["end"], UTC).date().isoformat()
            lines = self._waiting.setdefault(self._folder / f"{day}.jsonl", [])
            lines.append(json.dumps(record) + "\n")
            if _is_connection(record):
                log = self._folder / f"conn.{day}.log"
                self._waiting.setdefault(log, []).append(_zeek(record))

    def _write(self) -> None:
        """Write what waits; where there is no room, it goes on waiting."""
        for path, lines in [*self._waiting.items()]:
            try:
                _append(path, "".join(lines))
            except OSError as error:
                if not self._is_full:
                    self._say(f"cannot write {path}: {error.strerror}; flows wait until that works")
                self._is_full = True
                return
            del self._waiting[path]
        self._is_full = False

    def _record(self, decoy: int, key: str, counts: Sequence[int]) -> dict[str, Any]:
        raw = bytes.fromhex(key)
        own, peer = raw[3 : 3 + (len(raw) - 3) // 2], raw[3 + (len(raw) - 3) // 2 :]
        sent, received = counts[3:7], counts[7:11]
        if counts[2]:
            own, peer, sent, received = peer, own, received, sent
        protocol = _PROTOCOLS.get(raw[2], str(raw[2]))
        is_ip = len(raw) != 19
        uid = "C" + blake2b(raw + str(counts[0]).encode(), digest_size=9).hexdigest()
        return {
            "ts": counts[0] / 1e9,
            "end": counts[1] / 1e9,
            "decoy": self._names[decoy],
            "uid": uid,
            "id.orig_h": _address(own[:-2]),
            "id.orig_p": int.from_bytes(own[-2:]),
            "id.resp_h": _address(peer[:-2]),
            "id.resp_p": int.from_bytes(peer[-2:]),
            "proto": protocol if is_ip else f"0x{raw[:2].hex()}",
            "duration": (counts[1] - counts[0]) / 1e9,
            "conn_state": _state(protocol, sent, received),
            **{"orig_pkts": sent[0], "orig_ip_bytes": sent[1], "orig_bytes": sent[2]},
            **{"resp_pkts": received[0], "resp_ip_bytes": received[1], "resp_bytes": received[2]},
            "key": key,
        }


def _append(path: Path, lines: str) -> None:
    """Write whole lines, or none."""
    header = _HEADERS.get(path.suffix, "")
    with path.open("ab", buffering=0) as file:
        end = file.tell()
        said = memoryview((header * (end == 0) + lines).encode())
        try:
            while said:
                said = said[file.write(said) :]
        except OSError:
            os.ftruncate(file.fileno(), end)
            raise


def without_fakes(capture: Path, ledgers: Sequence[Path], out: Path | None) -> dict[str, Any]:
    """Write a capture without what a ledger knows to be fake, and tell what share that was.

    A packet is fake whose flow, by addresses, ports and protocol, is in the ledger at that time.
    Questions of others to a decoy, and its answers to these, are no flows of the ledger: they stay.

    Args:
        capture: pcap or pcapng.
        ledgers: Files of lines of JSON, or folders of them.
        out: Ends in `.pcap` or `.pcapng`; None to write nothing.

    Warns:
        CaptureWarning: A part of the capture cannot be read, and is left out.

    Raises:
        UnreadableCapture: The capture cannot be read.
        LedgerError: A ledger cannot be read.
        OutputError: The file cannot be written.
    """
    times = _times(ledgers)
    records = read_records(capture)
    if records.complaint:
        warnings.warn(f"{capture}: {records.complaint}", CaptureWarning, stacklevel=2)
    sound = np.flatnonzero(records.is_sound)
    frames, time_ns, length = records.frames.take(sound), records.time_ns[sound], records.length
    pairs = zip(frames.tolist(), time_ns.tolist(), strict=True)
    fake = np.fromiter((_is_fake(frame, at, times) for frame, at in pairs), bool)
    if out is not None:
        if (records.link[sound] != ETHERNET).any():
            raise LedgerError(f"{capture} has frames of another link than Ethernet")
        form, left = FORMATS[out.suffix.lower()], np.flatnonzero(~fake)
        content = records_bytes(form, time_ns[left], frames.take(left), length=length[sound[left]])
        with whole_file(out) as temporary, temporary.open("wb") as file:
            file.write(form.header)
            file.write(content)
    share = float(fake.mean()) if len(fake) else 0.0
    return {"packets": len(fake), "fake": int(fake.sum()), "share": f"{share:.1%}"}


_Times = dict[bytes, list[tuple[int, int]]]


def _times(ledgers: Iterable[Path]) -> _Times:
    """When each flow was fake."""
    found: _Times = {}
    for path in ledgers:
        for file in sorted(path.glob("*.jsonl")) if path.is_dir() else [path]:
            try:
                for line in parsed_text(file, str.splitlines):
                    said = json.loads(line)
                    first, last = int(said["ts"] * 1e9), int(said["end"] * 1e9)
                    times = (first - _SLACK_NS, last + _SLACK_NS)
                    found.setdefault(bytes.fromhex(said["key"]), []).append(times)
            except OSError as error:
                raise LedgerError(f"cannot read {file}: {error.strerror}") from error
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
                raise LedgerError(f"{file} is no ledger of `iotflowgen live`") from error
    if not found:
        raise LedgerError("there is no flow in the ledger; name its folder, or its .jsonl files")
    return found


def _is_fake(frame: bytes, time_ns: int, times: _Times) -> bool:
    try:
        keys = {key_of(frame)[0], key_of(frame, swap=True)[0]}
    except IndexError:
        # captured in part: not all of its header
        return False
    return any(first <= time_ns <= last for key in keys for first, last in times.get(key, ()))


def _address(raw: bytes) -> str:
    return raw.hex(":") if len(raw) == 6 else str(ip_address(raw))


def _is_connection(record: Mapping[str, Any]) -> bool:
    return record["proto"] in _PROTOCOLS.values()


def _zeek(record: Mapping[str, Any]) -> str:
    values = (record[name] for name in _ZEEK)
    return (
        "\t".join(f"{each:.6f}" if isinstance(each, float) else str(each) for each in values) + "\n"
    )


def _state(protocol: str, sent: Sequence[int], received: Sequence[int]) -> str:
    """How a connection went, in the terms of Zeek's conn_state."""
    ours, theirs = sent[3], received[3]
    if protocol != "tcp":
        return "SF" if received[0] else "S0"
    if not ours & _SYN:
        return "OTH"
    if not theirs & _SYN:
        without = ((theirs & _RST, "REJ"), (ours & _RST, "RSTOS0"), (ours & _FIN, "SH"))
        return next((state for is_so, state in without if is_so), "S0")
    ends = (
        (ours & _RST, "RSTO"),
        (theirs & _RST, "RSTR"),
        (ours & theirs & _FIN, "SF"),
        (ours & _FIN, "S2"),
        (theirs & _FIN, "S3"),
    )
    return next((state for is_so, state in ends if is_so), "S1")
