"""The other dissector, as in the paper: one tshark a capture, its fields as tab separated text.

No packet waits for another to show its protocols: reassembly of TCP streams and IP fragments is
off, which would name a message only at the segment that completes it, and so is the analysis of
sequence numbers, which hides the payload of retransmissions from HTTP and TLS. So a generated
packet shows what a captured one shows, and tshark is faster. It does remember conversations: the
body of an HTTP message is HTTP because its head was. The preferences named here are in every
tshark since 3.0.

The user's own tshark settings, plug-ins and keys are left aside: the same capture gives the same
columns to everyone, encrypted as an eavesdropper sees it (section 3.1).

The protocol configuration is read from tshark's list of layers, by exact name, and holds only the
packet's own layers: what follows `icmp` or `icmpv6` is the packet that an error quotes, whose
protocols and ports are not this packet's. Two names need care:

- HTTPS is TLS, tshark's layer `tls`, on whatever port.
- BOOTP (RFC 951) and DHCP (RFC 2131) share one layer, called `dhcp` since tshark 3.0, the oldest
  that is read. It means `bootp` here; `dhcp` is set in addition where the packet carries a DHCP
  message type (option 53), which is what makes a BOOTP message a DHCP one.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from iotflowgen.capture.dissection import Dissection
from iotflowgen.capture.ethernet import Ethernet, read_ethernet
from iotflowgen.errors import TsharkMissing, UnreadableCapture
from iotflowgen.extras import naming_extras
from iotflowgen.traffic import PROTOCOLS, protocol_mask
from iotflowgen.wire.pcap import FORMATS, records_bytes

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FIELDS", "dissect_by_tshark", "find_tshark", "own_layers", "parse", "tshark_arguments"]

FIELDS = (
    "frame.time_epoch",
    "frame.len",
    "frame.protocols",
    "eth.src",
    "eth.dst",
    "sll.src.eth",
    "wlan.sa",
    "wlan.da",
    "ip.src",
    "ip.dst",
    "ipv6.src",
    "ipv6.dst",
    "tcp.srcport",
    "tcp.dstport",
    "udp.srcport",
    "udp.dstport",
    "tcp.len",
    "dhcp.option.dhcp",
)

_LINKS = {
    "eth": "Ethernet",
    "sll": "Linux cooked",
    "raw": "raw IP",
    "ip": "raw IP",
    "ipv6": "raw IP",
    "null": "loopback",
    "radiotap": "802.11",
    "wlan": "802.11",
}
"""Link types that are read, by tshark's name of the outermost layer."""

_BY_LAYER = {name: name for name in PROTOCOLS} | {
    "tls": "https",
    "dhcp": "bootp",
}
_BOOTP, _DHCP = protocol_mask(["bootp"]), protocol_mask(["dhcp"])
_QUOTING = ("icmp", "icmpv6")
_NUMBERS = {"frame.len", "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport", "tcp.len"}
_NUMBERS |= {"dhcp.option.dhcp"}


_NO_REASSEMBLY = (
    "tcp.desegment_tcp_streams:FALSE",
    "tcp.analyze_sequence_numbers:FALSE",
    "ip.defragment:FALSE",
    "ipv6.defragment:FALSE",
)
_NO_SETTINGS = "/nonexistent"


_NONE, _NO_TIME = np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int64)
_EMPTY = Dissection(
    "", (), "", ("",), _NO_TIME, _NO_TIME, _NONE, _NONE.astype(np.uint16), *[_NONE] * 7
)


def dissect_by_tshark(capture: Path) -> Dissection:
    """Dissect one capture.

    Raises:
        TsharkMissing: tshark is not installed.
        ExtraMissing: pyarrow is not installed.
        UnreadableCapture: No packet can be made out, or a link type has no network addresses.
        DeviceNotFound: No packet goes from one host to another.
    """
    try:
        found = read_ethernet(capture)
    except UnreadableCapture:
        # tshark may
        found = None
    if found is not None and not found.is_as_captured:
        return _dissect_ethernet(found)
    output = _run(find_tshark(), capture, FIELDS)
    complaint = output.complaint
    if complaint:
        complaint += f"; {len(output.rows.splitlines())} whole packets are used"
    try:
        return parse(output.rows, complaint)
    except UnreadableCapture as error:
        raise UnreadableCapture(f"{capture}: {error}") from None


def _dissect_ethernet(found: Ethernet) -> Dissection:
    """Dissect packets as the Ethernet frames that they were made."""
    with tempfile.TemporaryDirectory(prefix="iotflowgen-") as folder:
        path = Path(folder) / "ethernet.pcapng"
        form = FORMATS[path.suffix]
        with path.open("wb") as file:
            file.write(form.header)
            file.write(records_bytes(form, found.time_ns, found.frames, found.length))
        dissection = parse(_run(find_tshark(), path, FIELDS).rows)
    return replace(
        dissection,
        link=found.link,
        notes=found.notes,
        complaint=found.complaint,
        in_file=found.in_file[dissection.in_file],
    )


def parse(rows: bytes, complaint: str = "") -> Dissection:
    """The columns of what tshark printed for `FIELDS`.

    Raises:
        ExtraMissing: pyarrow is not installed.
        UnreadableCapture: A link type is not read.
    """
    if not rows:
        return _EMPTY
    table = _read_rows(rows)
    layers, layers_of = _words(table, "frame.protocols")
    masks, transport = _by_layers(layers)
    protocols = masks[layers_of]
    # not of a message that an error quotes
    protocols[(_numbers(table, "dhcp.option.dhcp") > 0) & ((protocols & _BOOTP) > 0)] |= _DHCP
    tcp, udp = transport[layers_of] == "tcp", transport[layers_of] == "udp"

    addresses = {"": 0}
    columns = {
        "time_ns": _nanoseconds(table),
        "length": _numbers(table, "frame.len"),
        "protocols": protocols,
        "src_port": tcp * _numbers(table, "tcp.srcport") + udp * _numbers(table, "udp.srcport"),
        "dst_port": tcp * _numbers(table, "tcp.dstport") + udp * _numbers(table, "udp.dstport"),
        "tcp_payload": tcp * _numbers(table, "tcp.len"),
        "src_ip": _addresses(table, ("ip.src", "ipv6.src"), addresses),
        "dst_ip": _addresses(table, ("ip.dst", "ipv6.dst"), addresses),
        "src_mac": _addresses(table, ("eth.src", "sll.src.eth", "wlan.sa"), addresses),
        "dst_mac": _addresses(table, ("eth.dst", "wlan.da"), addresses),
    }
    order = np.argsort(columns["time_ns"], kind="stable")
    in_order = {name: column[order] for name, column in columns.items()}
    return Dissection(_link(layers), (), complaint, tuple(addresses), order, **in_order)


def own_layers(layers: str) -> list[str]:
    """The packet's own part of tshark's list of layers, `eth:ethertype:ip:icmp:ip:udp`."""
    own = []
    for layer in layers.split(":"):
        own.append(layer)
        if layer in _QUOTING:
            break
    return own


def _by_layers(lists: Sequence[str]) -> tuple[NDArray[np.uint16], NDArray[np.str_]]:
    """Protocol configuration, and transport whose ports count, of each list of layers."""
    masks, transports = [], []
    for layers in map(own_layers, lists):
        masks.append(protocol_mask(_BY_LAYER[layer] for layer in layers if layer in _BY_LAYER))
        transports.append(next((layer for layer in layers if layer in ("tcp", "udp")), ""))
    return np.array(masks, dtype=np.uint16), np.array(transports, dtype=np.str_)


def _link(lists: Sequence[str]) -> str:
    outermost = {layers.partition(":")[0] for layers in lists}
    if unknown := sorted(outermost - _LINKS.keys()):
        raise UnreadableCapture(
            f"link type {', '.join(unknown)} has no network addresses or is not read; capture "
            f"one of these: {', '.join(sorted(set(_LINKS.values())))}"
        )
    return " and ".join(sorted({_LINKS[layer] for layer in outermost}))


def _read_rows(rows: bytes) -> pa.Table:
    # slow to import, and not needed where all captures are cached
    with naming_extras():
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import csv  # noqa: PLC0415

    word = pa.dictionary(pa.int32(), pa.string())
    # since 4.6 some outputs of tshark give an absolute time as ISO 8601
    time = pa.timestamp("ns", "UTC") if b"T" in rows[:16] else pa.decimal128(28, 9)
    types = {name: pa.int32() if name in _NUMBERS else word for name in FIELDS}
    return csv.read_csv(
        io.BytesIO(rows),
        read_options=csv.ReadOptions(column_names=FIELDS, use_threads=False),
        parse_options=csv.ParseOptions(delimiter="\t", quote_char=False),
        convert_options=csv.ConvertOptions(column_types={**types, FIELDS[0]: time}),
    ).combine_chunks()


def _nanoseconds(table: pa.Table) -> NDArray[np.int64]:
    """Time as whole nanoseconds: never through a float, which holds only microseconds."""
    column = table["frame.time_epoch"].chunk(0)
    words = np.frombuffer(column.buffers()[1], dtype=np.int64)
    # a decimal of nine places is 128 bits that count nanoseconds; the low half holds them
    return words.reshape(len(column), -1)[:, 0].copy()


def _numbers(table: pa.Table, name: str) -> NDArray[np.int32]:
    """A numeric field; 0 where the packet lacks it."""
    numbers: NDArray[np.int32] = np.nan_to_num(table[name].to_numpy()).astype(np.int32)
    return numbers


def _words(table: pa.Table, name: str) -> tuple[list[str], NDArray[np.int32]]:
    """The different values of a field, and which of them each packet has."""
    column = table[name].unify_dictionaries().combine_chunks()
    return column.dictionary.to_pylist(), column.indices.to_numpy()


def _addresses(table: pa.Table, names: Sequence[str], known: dict[str, int]) -> NDArray[np.int32]:
    """The first of these fields that a packet has, as its place in `known`, which grows."""
    places = np.zeros(table.num_rows, dtype=np.int32)
    for name in names:
        words, word_of = _words(table, name)
        place = np.array([known.setdefault(word, len(known)) for word in words], dtype=np.int32)
        places = np.where(places > 0, places, place[word_of])
    return places


@dataclass(frozen=True)
class _Output:
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


def _run(program: Path, capture: Path, fields: Sequence[str]) -> _Output:
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
    return _Output(done.stdout, (complaint or "tshark stopped") if done.returncode else "")


def _is_complaint(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("Running as user")
