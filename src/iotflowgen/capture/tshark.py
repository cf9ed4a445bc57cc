"""The other dissector, as in the paper: one tshark a capture, its fields as tab separated text.

No packet waits for another to show its protocols: reassembly of TCP streams and IP fragments is
off, which would name a message only at the segment that completes it, and so is the analysis of
sequence numbers, which hides the payload of retransmissions from HTTP and TLS. So a generated
packet shows what a captured one shows, and tshark is faster. It does remember conversations: the
body of an HTTP message is HTTP because its head was. The preferences named here are in every
tshark since 3.0.

tshark is given the packets that we can use, as a file of their own: damaged files are damaged alike
for both dissectors, and tshark has to say one line a packet. It is not waited for without end.

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
import ipaddress
import os
import re
import selectors
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from iotflowgen.capture.dissection import Dissection, Usable, find_usable
from iotflowgen.capture.ethernet import read_ethernet
from iotflowgen.errors import TsharkMissing, UnreadableCapture
from iotflowgen.extras import naming_extras
from iotflowgen.traffic import PROTOCOLS, protocol_mask
from iotflowgen.wire.pcap import FORMATS, LONGEST_FRAME, pcapng_bytes, read_records, records_bytes

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FIELDS", "dissect_by_tshark", "find_tshark", "own_layers", "parse", "tshark_arguments"]

FIELDS = (
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

_MAC = re.compile("[0-9a-f]{2}(:[0-9a-f]{2}){5}")

_SECONDS, _PACKETS_A_SECOND = 60, 1000
"""How long tshark is waited for: at the least, and how fast it is."""
_LINE = 1000
"""Characters that it may print a packet."""
_ENDLESS = "tshark does not come to an end; see what is wrong with it, or leave out --dissector"
_NOT_ASKED = "tshark printed something else than the fields it was asked for"


def dissect_by_tshark(capture: Path) -> Dissection:
    """Dissect one capture.

    Raises:
        TsharkMissing: tshark is not installed.
        ExtraMissing: pyarrow is not installed.
        UnreadableCapture: It is no capture, no packet can be made out, a link type has no network
            addresses, or tshark fails.
        DeviceNotFound: No packet goes from one host to another.
    """
    try:
        found = read_ethernet(capture)
    except UnreadableCapture:
        # tshark may know the link type
        found = None
    if found is None:
        records = read_records(capture)
        usable = find_usable(records)
        if usable.complaint and not len(usable.in_file):
            raise UnreadableCapture(f"{capture}: {usable.complaint}")
        parts = pcapng_bytes(records, usable.time_ns, usable.in_file)
    else:
        usable, form = Usable(found.in_file, found.time_ns, found.complaint), FORMATS[".pcapng"]
        parts = form.header, records_bytes(form, found.time_ns, found.frames, length=found.length)
    try:
        dissection = parse(_run(find_tshark(), parts, len(usable.in_file)), usable)
    except UnreadableCapture as error:
        raise UnreadableCapture(f"{capture}: {error}") from None
    return dissection if found is None else replace(dissection, link=found.link, notes=found.notes)


def parse(rows: bytes, usable: Usable) -> Dissection:
    """The columns of what tshark printed for `FIELDS`, a line a packet that can be used.

    Raises:
        ExtraMissing: pyarrow is not installed.
        UnreadableCapture: A link type is not read, or tshark printed something else.
    """
    table = _read_rows(rows, len(usable.in_file))
    layers, layers_of = _words(table, "frame.protocols")
    masks, transport = _by_layers(layers)
    protocols = masks[layers_of]
    # not of a message that an error quotes
    protocols[(_numbers(table, "dhcp.option.dhcp") > 0) & ((protocols & _BOOTP) > 0)] |= _DHCP
    tcp, udp = transport[layers_of] == "tcp", transport[layers_of] == "udp"

    addresses = {"": 0}
    columns = {
        "in_file": usable.in_file,
        "time_ns": usable.time_ns,
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
    order = np.argsort(usable.time_ns, kind="stable")
    in_order = {name: column[order] for name, column in columns.items()}
    return Dissection(_link(layers), (), usable.complaint, tuple(addresses), **in_order)


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


def _read_rows(rows: bytes, count: int) -> pa.Table:
    """What tshark printed, which is to be so many lines."""
    # slow to import, and not needed where all captures are cached
    with naming_extras():
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import csv  # noqa: PLC0415

    word = pa.dictionary(pa.int32(), pa.string())
    types = {name: pa.int32() if name in _NUMBERS else word for name in FIELDS}
    if not rows:
        if count:
            raise UnreadableCapture(f"tshark printed nothing for {count} packets")
        return pa.table({name: pa.array([], kind) for name, kind in types.items()})
    try:
        table = csv.read_csv(
            io.BytesIO(rows),
            read_options=csv.ReadOptions(column_names=FIELDS, use_threads=False),
            parse_options=csv.ParseOptions(delimiter="\t", quote_char=False),
            convert_options=csv.ConvertOptions(column_types=types),
        ).combine_chunks()
    except pa.ArrowInvalid as error:
        raise UnreadableCapture(_NOT_ASKED) from error
    if table.num_rows != count:
        raise UnreadableCapture(f"tshark printed {table.num_rows} lines for {count} packets")
    return table


def _numbers(table: pa.Table, name: str) -> NDArray[np.int32]:
    """A numeric field; 0 where the packet lacks it."""
    numbers: NDArray[np.int32] = np.nan_to_num(table[name].to_numpy()).astype(np.int32)
    if ((numbers < 0) | (numbers > LONGEST_FRAME)).any():
        raise UnreadableCapture(_NOT_ASKED)
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
        if not all(map(_is_address, filter(None, words))):
            raise UnreadableCapture(_NOT_ASKED)
        place = np.array([known.setdefault(word, len(known)) for word in words], dtype=np.int32)
        places = np.where(places > 0, places, place[word_of])
    return places


def _is_address(word: str) -> bool:
    """Whether a word is a MAC or an IP address."""
    if _MAC.fullmatch(word):
        return True
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return False
    return True


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


def _run(program: Path, capture: Sequence[bytes | memoryview], packets: int) -> bytes:
    """Dissect a capture, given in parts: a line a packet, the first occurrence of each field.

    Raises:
        UnreadableCapture: tshark fails, prints too much, or takes too long; its own words are in
            the message.
    """
    ends = time.monotonic() + _SECONDS + packets / _PACKETS_A_SECOND
    said: dict[str, bytearray] = {"rows": bytearray(), "errors": bytearray()}
    with tempfile.TemporaryFile() as file, selectors.DefaultSelector() as waiting:
        file.writelines(capture)
        file.seek(0)
        with subprocess.Popen(
            [program, *tshark_arguments(FIELDS), "-r", "-"],
            env={**os.environ, "WIRESHARK_CONFIG_DIR": _NO_SETTINGS, "LC_ALL": "C"},
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                for pipe, kind in ((process.stdout, "rows"), (process.stderr, "errors")):
                    waiting.register(pipe, selectors.EVENT_READ, said[kind])  # type: ignore[arg-type]
                while waiting.get_map():
                    if time.monotonic() > ends:
                        raise UnreadableCapture(_ENDLESS)
                    for key, _ in waiting.select(1):
                        piece = os.read(key.fd, 2**16)
                        key.data.extend(piece)
                        if not piece:
                            waiting.unregister(key.fileobj)
                    if max(map(len, said.values())) > _LINE * (packets + _LINE):
                        raise UnreadableCapture(_ENDLESS)
            except BaseException:
                process.kill()
                raise
    lines = said["errors"].decode(errors="replace").splitlines()
    words = " ".join(line.removeprefix("tshark: ") for line in lines if _is_complaint(line))
    if process.returncode:
        status = f"exit status {process.returncode}"
        raise UnreadableCapture(f"tshark fails: {words or status}"[:_LINE])
    return bytes(said["rows"])


def _is_complaint(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("Running as user")
