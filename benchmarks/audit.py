"""Search honeydata for what identifies the owners of the captures that it was learnt from.

What searches is not of the package, which is run as a command: what that overlooks must not be
overlooked here as well. Values that identify are read by tshark's dissectors, and found by what
they do: they stay the same over the captures of a device, and no other device has them.

Each is searched for plainly, in capitals, backwards, in hexadecimal, in decimal and in Base64 at
all three phases; and each of these also under all rotations of bytes, at all shifts of the stream
of bits, under XOR by any constant and by the byte before (the autokey cipher of TP-Link), and in
what was compressed.

    python benchmarks/audit.py CAPTURES --devices WeMoLink,HueBridge
"""

import base64
import ipaddress
import json
import re
import subprocess
import sys
import tempfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from by_device import arguments, taken
from joblib import Parallel, delayed
from numpy.typing import NDArray

from iotflowgen.files import whole_file

Bytes = NDArray[np.uint8]

SESSIONS = 20
SEED = 11
START = "2026-01-01"
WINDOW = "5"
"""Packets: whole sessions are drawn, and some captures are short."""
MACS = ("eth.addr", "arp.src.hw_mac", "arp.dst.hw_mac", "dhcp.hw.mac_addr")
ADDRESSES = (
    *("ip.addr", "ipv6.addr", "arp.src.proto_ipv4", "arp.dst.proto_ipv4", "dns.a", "dns.aaaa"),
    *("dhcp.ip.your", "dhcp.ip.client", "dhcp.ip.server", "dhcp.option.requested_ip_address"),
    *("dhcp.option.router", "dhcp.option.domain_name_server", "stun.att.ipv4", "nbns.addr"),
)
NAMES = ("dhcp.option.hostname", "dhcp.fqdn.name", "mqtt.username", "mqtt.passwd", "mqtt.clientid")
PAYLOADS = ("udp.payload", "tcp.payload")
LABELLED = re.compile(
    rb"(?i)(?:serial(?:number|no)?|ssid|session_?id|username|user|psk|password|passwd|token|auth|"
    rb"secret|cookie|alias)[\"']?(?: value)?\s*[=:>]\s*[\"']?([\w+/@.-]{5,}=*)"
)
TOKEN = re.compile(rb"(?<![0-9A-Za-z])(?![0-9]{12}Z)[0-9A-Za-z]{8,64}(?![0-9A-Za-z])")
QUAD = re.compile(rb"(?<![\w.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w.])")
VERSION = re.compile(rb"(?i)(?:version|revision|build|firmware|fw|ver)\W{1,4}$")
EVERYBODYS = {b"admin", b"Admin", b"AdminPassword", b"none", b"null", b"false", b"multipart"}
SHORTEST = 6
"""Bytes that are searched for: shorter ones are found by chance."""
LONGEST = 2**24
"""Bytes that something compressed is unpacked to at most."""

ROTATED = [
    bytes(((letter << k) | (letter >> (8 - k))) & 255 for letter in range(256)) for k in range(8)
]
XORED = [bytes(letter ^ key for letter in range(256)) for key in range(1, 256)]
WAYS = ROTATED + XORED
"""Ways to write each letter by another."""
READABLE = np.isin(np.arange(256), [*range(48, 58), *range(65, 91), *range(97, 123), *b' ."<>=/&'])

READABLE_AS = READABLE[np.frombuffer(b"".join(WAYS), np.uint8).reshape(-1, 256)]
"""Which bytes each way makes readable."""


def dissect(path: Path, fields: Iterable[str], shown: str = "") -> Iterator[list[list[str]]]:
    """The values of fields, frame by frame."""
    fields = [*fields]
    command = ["tshark", "-r", str(path), "-n", "-T", "fields", "-E", "separator=/t"]
    command += ["-E", "occurrence=a", "-E", "aggregator=\x1f", "-Y", shown]
    command += [part for field in fields for part in ("-e", field)]
    done = subprocess.run(command, capture_output=True, check=True, text=True, errors="replace")
    for line in done.stdout.split("\n"):
        values = [value.split("\x1f") if value else [] for value in line.split("\t")]
        if len(values) == len(fields):
            yield values


def readings(payload: bytes) -> Iterator[bytes]:
    """Ways to read a message: as it is, and where others make text of it, these."""
    yield payload
    letters = np.bincount(np.frombuffer(payload, np.uint8), minlength=256)
    # text has many letters, none too often or again and again
    if re.search(rb"(.)\1{7}", payload, re.DOTALL):
        return
    if len(payload) >= 16 and 3 * letters.max() < len(payload) > 2 * (letters @ READABLE_AS[0]):
        for way in np.flatnonzero(READABLE_AS @ letters > 0.85 * len(payload)).tolist():
            text = payload.translate(WAYS[way])
            # capitals and digits alone are what XOR makes of other text
            if way < 8 or 4 * sum(97 <= letter < 123 for letter in text) > len(text):
                yield text
        plain = np.frombuffer(changes(b"\xab" + payload), np.uint8)
        if READABLE[plain].mean() > 0.85:
            yield plain.tobytes()


def is_random(token: bytes) -> bool:
    """Whether a token has digits as words have not, and no letter too often."""
    digits = sum(48 <= letter < 58 for letter in token)
    often = max(map(token.count, {*token}))
    return digits >= 3 and 3 * often <= len(token) and (digits < len(token) or len(token) >= 10)


def told(folder: Path) -> dict[str, Any]:
    """What fields say in the captures of a device, and values in payloads, by captures."""
    seen: defaultdict[str, set[str]] = defaultdict(set)
    values: defaultdict[bytes, set[str]] = defaultdict(set)
    for path in sorted(folder.glob("*.pcap*")):
        fields = (*MACS, *ADDRESSES, *NAMES, *PAYLOADS, "tls.record.version")
        payloads: set[bytes] = set()
        for *found, udp, tcp, tls in dissect(path, fields):
            for field, texts in zip(fields, found, strict=False):
                seen[field].update(texts)
            payloads.update(map(bytes.fromhex, () if tls else udp + tcp))
        for text in (text for payload in payloads for text in readings(payload)):
            for match in TOKEN.finditer(text):
                version = VERSION.search(text, max(0, match.start() - 24), match.start())
                if is_random(match[0]) and not version:
                    values[match[0]].add(path.name)
            labelled = {each for each in LABELLED.findall(text) if is_random(each) or b"@" in each}
            for value in labelled - EVERYBODYS:
                values[value].add(path.name)
                seen["labelled"].add(value.decode("latin-1"))
            seen["quads"].update(quad.decode() for quad in QUAD.findall(text))
    return {"seen": dict(seen), "values": dict(values), "captures": len([*folder.glob("*.pcap*")])}


def read(folder: Path, out: Path) -> dict[str, Any]:
    """What `told` says of a device, kept in a file."""
    path = out / f"{folder.name}.json"
    if not path.exists():
        new = told(folder)
        new["seen"] = {field: sorted(texts) for field, texts in new["seen"].items()}
        new["values"] = {v.decode("latin-1"): sorted(w) for v, w in new["values"].items()}
        with whole_file(path) as temporary:
            temporary.write_text(json.dumps(new))
    found: dict[str, Any] = json.loads(path.read_text())
    return found | {"values": {v.encode("latin-1"): w for v, w in found["values"].items()}}


def read_all(root: Path, out: Path, processes: int) -> dict[str, dict[str, Any]]:
    """What `read` says of all devices, by their names: what no other has identifies an owner."""
    folders = [each for each in sorted(root.iterdir()) if each.is_dir()]
    each = Parallel(processes)(delayed(read)(folder, out) for folder in folders)
    return {folder.name: found for folder, found in zip(folders, each, strict=True)}


def identifiers(name: str, of: Mapping[str, dict[str, Any]]) -> dict[str, set[bytes]]:
    """What tells whose captures those of a device are, by kind; addresses as bytes.

    Args:
        name: Of the device.
        of: By the names of devices what `told` says of them.
    """
    seen, values = defaultdict(set, of[name]["seen"]), of[name]["values"]
    macs = {bytes.fromhex(m.replace(":", "")) for f in MACS for m in seen[f]}
    macs = {mac for mac in macs if not mac[0] & 1 and len({*mac}) > 3}
    addresses = {a for field in ADDRESSES for text in seen[field] for a in text.split(",")}
    known = {ip for ip in map(address_of, addresses) if ip}
    # a version number may look like an address
    known |= {ip for ip in map(address_of, seen["quads"]) if ip and max(ip) >= 32}
    others = [each["values"] for other, each in of.items() if other != name]
    tokens = {
        value
        for value, where in values.items()
        if len(where) >= min(2, of[name]["captures"])
        if not any(value in other for other in others)
    }
    names = {name.encode() for field in NAMES for name in seen[field]}
    return {
        "MAC address": macs,
        "IP address": known,
        "name": {
            name for name in names if re.search(rb"[0-9]{4}|[0-9]\w*[0-9]\w*[0-9]\w*[0-9]|@", name)
        },
        "value": tokens | {value.encode("latin-1") for value in seen["labelled"]},
    }


def address_of(text: str) -> bytes:
    """An address of one host, packed; nothing for others."""
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return b""
    if ip.is_multicast or ip.is_unspecified or ip.is_loopback or ip.packed[0] in (0, 255):
        return b""
    return b"" if ip.packed.endswith(b"\xff") else ip.packed


def spellings(kind: str, value: bytes) -> Iterator[tuple[str, bytes | str]]:
    """How a value may be written, and what that is called."""
    if kind == "MAC address":
        wide = value[:3] + b"\xff\xfe" + value[3:]
        forms = {"": value, "EUI-64 of ": wide, "IPv6 of ": bytes([wide[0] ^ 2]) + wide[1:]}
        for name, form in forms.items():
            yield name + "bytes", form
            for mark in "", ":", "-", " ":
                yield name + "text", form.hex(*mark)
            yield name + "text", form.hex(".", 2)
            yield name + "decimal", str(int.from_bytes(form))
            yield name + "decimal, backwards", str(int.from_bytes(form, "little"))
            yield name + "text, backwards", form[::-1].hex()
        yield "lower half", value[3:].hex()
        yield "lower half", value[3:].hex(":")
    elif kind == "IP address":
        text = str(ipaddress.ip_address(value))
        yield "bytes", value
        yield "text", text
        yield "hexadecimal", value.hex()
        yield "hexadecimal, backwards", value[::-1].hex()
        if len(value) == 4:
            yield "text", text.replace(".", "-")
            yield "name", ".".join(text.split(".")[::-1])
            labels = [bytes([len(part)]) + part.encode() for part in text.split(".")[::-1]]
            yield "name", b"".join(labels)
            yield "decimal", str(int.from_bytes(value))
            yield "decimal, backwards", str(int.from_bytes(value, "little"))
    else:
        yield "text", value
        if len(value) % 2 == 0 and re.fullmatch(rb"[0-9A-Fa-f]{12,}", value):
            yield "bytes", bytes.fromhex(value.decode())
            yield "decimal", str(int(value, 16))


def written(found: Mapping[str, set[bytes]]) -> dict[bytes, tuple[str, str, str]]:
    """What to search for: by its bytes, the kind of value, how it is written, and the value."""
    needles: dict[bytes, tuple[str, str, str]] = {}
    for kind, values in found.items():
        for value in values:
            named = value.decode("latin-1") if kind in ("name", "value") else value.hex()
            for name, plain in spellings(kind, value):
                text = plain.encode() if isinstance(plain, str) else plain
                forms = {"": text, ", backwards": text[::-1]}
                if "bytes" not in name:
                    forms |= {"": text.lower(), ", capitals": text.upper(), ", as is": text}
                    forms |= {", hexadecimal": text.hex().encode()}
                for phase in range(3) if len(text) >= SHORTEST else ():
                    coded = base64.b64encode(bytes(phase) + text)
                    # letters at the ends depend on what is beside
                    whole = coded[(0, 2, 3)[phase] : len(bytes(phase) + text) * 8 // 6]
                    forms[f", Base64 at {phase}"] = whole
                for form, needle in forms.items():
                    if len(needle) >= SHORTEST:
                        needles.setdefault(needle, (kind, name + form, named))
    return needles


def views(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Data, and what they may say otherwise."""
    yield "", data
    for k in range(1, 8):
        yield f"rotated by {k}", data.translate(ROTATED[k])
    octets = np.frombuffer(data, np.uint8).astype(np.uint16)
    pairs = octets[:-1] << 8 | octets[1:]
    for k in range(1, 8):
        yield f"shifted by {k} bits", (pairs >> (8 - k)).astype(np.uint8).tobytes()
    yield "XOR with the byte before", changes(data)


def changes(data: bytes) -> bytes:
    """Each byte XOR the one before: the same, whatever constant all were XORed by."""
    octets = np.frombuffer(data, np.uint8)
    return (octets[1:] ^ octets[:-1]).tobytes()


def occurrences(data: bytes, needles: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Where needles stand in data; several at a place each come."""
    by_head: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for needle in needles:
        by_head[needle[:SHORTEST]].append(needle)
    if not by_head or len(data) < 8:
        return
    words = np.ndarray((len(data) - 7,), np.uint64, data, strides=(1,))
    heads = np.array([int.from_bytes(head, "little") for head in by_head], np.uint64)
    known = np.zeros(2**22, bool)
    known[hashes(heads)] = True
    for low in range(0, len(words), 2**16):
        some = words[low : low + 2**16] & np.uint64(2**48 - 1)
        for at in (low + np.flatnonzero(known[hashes(some)])).tolist():
            for needle in by_head.get(data[at : at + SHORTEST], ()):
                if data.startswith(needle, at):
                    yield at, needle


def hashes(heads: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers of 22 bits."""
    found: NDArray[np.uint64] = (heads * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(42)
    return found


def stands_alone(data: bytes, at: int, needle: bytes) -> bool:
    """Whether a short text is none that is longer, as 10.0.0.18 is not in 10.0.0.186."""
    before, after = data[at - 1 : at], data[at + len(needle) : at + len(needle) + 1]
    return len(needle) > 15 or not (
        (before.isalnum() and needle[:1].isalnum()) or (after.isalnum() and needle[-1:].isalnum())
    )


def leaks(data: bytes, needles: Mapping[bytes, tuple[str, str, str]]) -> Counter[tuple[str, ...]]:
    """How often values are found: by their kind, how they are written, the view, and the value."""
    found: Counter[tuple[str, ...]] = Counter()
    for view, text in views(data):
        for at, needle in occurrences(text, needles):
            kind, name, value = needles[needle]
            if "bytes" in name or stands_alone(text, at, needle):
                found[kind, name, view, value] += 1
    # what one constant makes of a short text another makes of the next
    by_change = {changes(needle): needle for needle in needles if len({*needle}) > 6}
    for at, change in occurrences(changes(data), by_change):
        needle = by_change[change]
        if key := data[at] ^ needle[0]:
            kind, name, value = needles[needle]
            found[kind, name, f"XOR {key}", value] += 1
    return found


def unpacked(data: bytes) -> Iterator[bytes]:
    """What was compressed by gzip or zlib within data."""
    for match in re.finditer(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]", data):
        plain = b""
        try:
            plain = zlib.decompressobj(47).decompress(data[match.start() :], LONGEST)
        except zlib.error:
            continue
        if len(plain) >= SHORTEST:
            yield plain


def streams(path: Path) -> bytes:
    """A capture's frames, what each end of a connection says, and what was compressed in these."""
    said: defaultdict[str, bytearray] = defaultdict(bytearray)
    for stream, port, payload in dissect(
        path,
        ("tcp.stream", "tcp.srcport", "tcp.payload"),
        "tcp.payload and !tcp.analysis.retransmission",
    ):
        said[f"{stream} {port}"] += bytes.fromhex(payload[0])
    whole = path.read_bytes() + bytes(16).join(said.values())
    return bytes(16).join([whole, *unpacked(whole)])


def spoken(path: Path) -> set[bytes]:
    """Addresses that tshark finds in fields of a capture, packed."""
    return {
        ip
        for found in dissect(path, ADDRESSES)
        for texts in found
        for text in texts
        for each in text.split(",")
        if (ip := address_of(each))
    }


def measure(folder: Path, of: Mapping[str, dict[str, Any]], command: str) -> dict[str, Any]:
    """Fit a device, generate, and search for it."""
    found = identifiers(folder.name, of)
    with tempfile.TemporaryDirectory() as scratch:
        model, out = Path(scratch) / "a.model", Path(scratch) / "a.pcap"
        run = partial(subprocess.run, check=True, capture_output=True)
        run([command, "fit", str(folder), "--window", WINDOW, "--out", str(model)])
        draw = ("--sessions", str(SESSIONS), "--seed", str(SEED), "--start", START)
        run([command, "generate", str(model), *draw, "--out", str(out)])
        needles = written(found)
        left = leaks(streams(out), needles)
        fields = spoken(out) & found["IP address"]
        kept = leaks(model.read_bytes(), needles)
        # the same search finds what is there to be found
        some = sorted(folder.glob("*.pcap*"))[:3]
        captured = sum((leaks(streams(path), needles) for path in some), Counter())
    kinds: Counter[str] = Counter()
    for (kind, *_), count in left.items():
        kinds[kind] += count
    return {
        "device": folder.name,
        "sought": {kind: len(values) for kind, values in found.items()},
        "captured": len({(kind, value) for kind, *_, value in captured}),
        "in_model": len({(kind, value) for kind, *_, value in kept}),
        "found": dict(kinds),
        "addresses_in_fields": len(fields),
        "how": sorted({f"{kind}: {name} {view}".strip() for kind, name, view, _ in left}),
    }


if __name__ == "__main__":
    parser = arguments(Path("benchmarks/results/audit"), __doc__)
    parser.add_argument("--command", default=str(Path(sys.executable).parent / "iotflowgen"))
    chosen = parser.parse_args()
    of = read_all(chosen.root, chosen.out / "read", chosen.processes)
    step = partial(measure, of=of, command=chosen.command)
    taken(step, chosen, sessions=SESSIONS, seed=SEED)
