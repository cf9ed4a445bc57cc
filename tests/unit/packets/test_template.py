import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scapy.layers.l2 import ARP, Ether
from scapy.utils import RawPcapReader, wrpcap

from iotflowgen.capture import read_captures, read_frames
from iotflowgen.errors import OutputError
from iotflowgen.packets import (
    Headers,
    Persona,
    TemplateBuilder,
    WriteReport,
    learn_headers,
    write_capture,
    write_sessions,
)
from iotflowgen.packets.layout import ACK, FIN, RST, SYN, find_layout
from iotflowgen.traffic import Trace, Windows, cut_windows, draw_places, protocol_mask
from tests.unit.packets.conftest import Learnt
from tests.unit.packets.spoken import OPENING, learnt_from
from tests.unit.packets.test_write import complaints


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def write(
    headers: Headers, windows: Windows, path: Path, seed: int = 0, **given: str | bool
) -> WriteReport:
    draws = rng(seed)
    persona = Persona(headers, draws, **given)  # type: ignore[arg-type]
    builder = TemplateBuilder(headers, persona, draws)
    return write_capture(windows, path, draws, builder=builder)


def session(learnt: Learnt, place: int = 0) -> Windows:
    """One whole capture as one long window."""
    trace = learnt.traces[place]
    return Windows(*(getattr(trace, name)[None] for name in Windows.columns()))


def some_windows(learnt: Learnt, count: int = 60) -> Windows:
    return cut_windows(learnt.traces, draw_places(learnt.traces, count, 20, rng(3)))


def frames_in(path: Path) -> list[bytes]:
    with RawPcapReader(str(path)) as reader:
        return [bytes(frame) for frame, _ in reader]


def test_windows_come_back_from_the_capture(learnt: Learnt, tmp_path: Path) -> None:
    windows, path = some_windows(learnt), tmp_path / "honeydata.pcap"
    report = write(learnt.headers, windows, path)
    (trace,) = read_captures([path], report.device_mac, cache=None)
    for name in ("length", "outgoing", "src_port", "dst_port"):
        np.testing.assert_array_equal(getattr(trace, name), getattr(windows, name).ravel(), name)
    # a window that begins within a message shows the rest of it as no protocol
    assert np.mean(trace.protocols != windows.protocols.ravel()) < 0.01
    assert complaints(path) == []


def test_a_whole_session_adds_up_to_tshark(learnt: Learnt, tmp_path: Path) -> None:
    path = tmp_path / "honeydata.pcap"
    write(learnt.headers, session(learnt), path)
    assert complaints(path) == []


def test_nothing_is_acknowledged_that_was_not_sent(learnt: Learnt, tmp_path: Path) -> None:
    path = tmp_path / "honeydata.pcap"
    write(learnt.headers, session(learnt), path)
    sent: dict[bytes, dict[bytes, int]] = defaultdict(dict)
    opened = 0
    for frame in frames_in(path):
        layout = find_layout(frame)
        if layout.protocol != 6 or not layout.is_ip4:
            continue
        at = layout.transport
        ends = [frame[layout.network + 12 + 4 * i :][:4] + frame[at + 2 * i :][:2] for i in (0, 1)]
        numbers = sent[b"".join(sorted(ends))]
        flags = frame[at + 13]
        sequence, acknowledged = (int.from_bytes(frame[at + i :][:4]) for i in (4, 8))
        if flags & (SYN | ACK) == SYN and ends[0] not in numbers:
            numbers[ends[0]] = sequence
            opened += 1
        if flags & ACK and ends[1] in numbers:
            assert (numbers[ends[1]] - acknowledged) % 2**32 < 2**31
        if ends[0] in numbers and not flags & RST:
            # segments follow each other without a gap
            assert (sequence - numbers[ends[0]]) % 2**32 in (0, 2**32 - 1)
        size = layout.end - layout.payload + bool(flags & SYN) + bool(flags & FIN)
        numbers[ends[0]] = (sequence + size) % 2**32
    assert opened > 0


def identifiers(headers: Headers) -> set[bytes]:
    """Every identifier of the captures, in bytes and as text."""
    found = {word.encode("latin-1") for word in headers.words}
    for mac in headers.macs:
        raw = bytes.fromhex(mac.replace(":", ""))
        found |= {raw, bytes([raw[0] ^ 2]) + raw[1:3] + b"\xff\xfe" + raw[3:]}
        for text in (mac, mac.replace(":", "-"), mac.replace(":", "")):
            found |= {text.encode(), text.upper().encode()}
        found |= {b"-" + mac[-5:].replace(":", "").upper().encode()}
    for address in headers.addresses:
        found |= {address.encode(), address.replace(".", "-").encode()}
        found.add(ipaddress.ip_address(address).packed)
    return found


def test_ports_that_are_used_again_go_to_another_address(learnt: Learnt, tmp_path: Path) -> None:
    path = tmp_path / "honeydata.pcap"
    twice = Windows(*(np.tile(getattr(session(learnt), name), 2) for name in Windows.columns()))
    write(learnt.headers, twice, path)
    assert complaints(path) == []


def test_no_identifier_of_the_captures_comes_out(learnt: Learnt, tmp_path: Path) -> None:
    path, kept = tmp_path / "honeydata.pcap", tmp_path / "kept.pcap"
    windows = some_windows(learnt, 150)
    write(learnt.headers, windows, path)
    written = path.read_bytes()
    wanted = identifiers(learnt.headers)
    assert len(wanted) > 20
    assert [each for each in wanted if each in written] == []
    # the same look finds many where they are kept
    report = write(learnt.headers, windows, kept, keep=True)
    assert report.device_mac == learnt.headers.hosts[0].mac
    written = kept.read_bytes()
    assert sum(each in written for each in wanted) > 10


def test_a_persona_that_is_given_comes_out(learnt: Learnt, tmp_path: Path) -> None:
    path = tmp_path / "honeydata.pcap"
    given = {"mac": "02:11:22:33:44:55", "ip": "10.20.30.40", "gateway": "10.20.30.1"}
    report = write(learnt.headers, some_windows(learnt), path, **given)
    assert (report.device_mac, report.device_ip) == (given["mac"], given["ip"])
    arp = [frame for frame in frames_in(path) if frame[12:14] == b"\x08\x06"]
    assert any(bytes([10, 20, 30, 1]) in frame for frame in arp)
    assert any(bytes([10, 20, 30, 40]) in frame for frame in arp)
    (trace,) = read_captures([path], cache=None)
    assert trace.outgoing.any()


def test_the_vendor_of_the_device_is_kept(learnt: Learnt) -> None:
    mac = Persona(learnt.headers, rng()).device_mac
    assert mac[:8] == learnt.headers.hosts[0].mac[:8]
    assert mac != learnt.headers.hosts[0].mac


@pytest.mark.parametrize("seed", range(5))
def test_nobody_else_has_an_address_that_was_asked_for(learnt: Learnt, seed: int) -> None:
    for given in ({"ip": "10.7.0.1"}, {"gateway": "10.7.0.40"}):
        persona = Persona(learnt.headers, rng(seed), **given)
        shown = [persona.ip(host.ip) for host in learnt.headers.hosts]
        assert shown.count(*given.values()) == 1
        assert len({*shown}) == len({host.ip for host in learnt.headers.hosts})


def test_the_same_seed_gives_the_same_file(learnt: Learnt, tmp_path: Path) -> None:
    one, two, other = (tmp_path / name for name in ("1.pcap", "2.pcap", "3.pcap"))
    windows = some_windows(learnt, 10)
    assert write(learnt.headers, windows, one) == write(learnt.headers, windows, two)
    write(learnt.headers, windows, other, seed=1)
    assert one.read_bytes() == two.read_bytes() != other.read_bytes()


def test_what_was_learnt_survives_as_json(learnt: Learnt) -> None:
    assert Headers.model_validate_json(learnt.headers.model_dump_json()) == learnt.headers


def test_the_ways_of_a_host_are_learnt(learnt: Learnt) -> None:
    device = learnt.headers.hosts[0]
    # as samples/README.md says of the two
    assert device.ttl == (128 if device.mac.startswith("5e") else 64)
    router = learnt.headers.hosts[learnt.headers.gateway]
    assert router.ip.endswith(".1")
    assert router.mac == learnt.headers.gateway_mac


def test_the_device_keeps_its_time_to_live(learnt: Learnt, tmp_path: Path) -> None:
    path = tmp_path / "honeydata.pcap"
    write(learnt.headers, session(learnt), path)
    tcp = [(f, find_layout(f)) for f in frames_in(path)]
    own = bytes.fromhex(Persona(learnt.headers, rng()).device_mac.replace(":", ""))
    ttls = {f[at.network + 8] for f, at in tcp if at.protocol == 6 and f[6:12] == own}
    assert ttls == {learnt.headers.hosts[0].ttl}


def apart(traces: list[Trace]) -> Iterator[Trace]:
    """Traces one after the other, a day between them."""
    for i, trace in enumerate(traces):
        yield replace(trace, time_ns=trace.time_ns - trace.time_ns[0] + i * 86_400 * 10**9)


def stream(
    headers: Headers, sessions: Iterable[Trace], path: Path, *, keep: bool = False, seed: int = 0
) -> WriteReport:
    draws = rng(seed)
    builder = TemplateBuilder(headers, Persona(headers, draws, keep=keep), draws)
    return write_sessions(sessions, path, builder)


def test_a_device_that_had_addresses_of_several_lengths_keeps_the_lengths_of_frames(
    learnt: Learnt,
) -> None:
    """A text of one of them has no room for another, and what follows it would move."""
    others = ("10.1.1.9", "192.168.100.200")
    headers = learnt.headers.model_copy(update={"own_addresses": others})
    frames = [b"at %s or at %s: the end" % tuple(map(str.encode, others))] * 3
    for frame in Persona(headers, rng()).disguise(frames):
        assert len(frame) == len(frames[0])
        assert frame.endswith(b": the end")
        assert not any(each.encode() in frame for each in others)


def test_sessions_come_back_one_after_the_other(learnt: Learnt, tmp_path: Path) -> None:
    path, wanted = tmp_path / "honeydata.pcap", [*apart(learnt.traces)]
    report = stream(learnt.headers, iter(wanted), path)
    (trace,) = read_captures([path], report.device_mac, cache=None)
    assert report.packets == len(trace) == sum(map(len, wanted))
    for name in ("time_ns", "length", "outgoing", "src_port", "dst_port"):
        expected = np.concatenate([getattr(session, name) for session in wanted])
        np.testing.assert_array_equal(getattr(trace, name), expected, name)


def test_a_session_in_pieces_goes_on(learnt: Learnt, tmp_path: Path) -> None:
    path = tmp_path / "honeydata.pcap"
    (session,) = apart(learnt.traces[:1])
    pieces = [session[i : i + 50] for i in range(0, len(session), 50)]
    stream(learnt.headers, pieces, path)
    assert (
        complaints(path, wrong="tcp.analysis.lost_segment or tcp.analysis.ack_lost_segment") == []
    )


def test_an_interrupted_stream_is_a_whole_file(learnt: Learnt, tmp_path: Path) -> None:
    def interrupted() -> Iterator[Trace]:
        yield from apart(learnt.traces[:2])
        raise KeyboardInterrupt

    path = tmp_path / "honeydata.pcapng"
    report = stream(learnt.headers, interrupted(), path)
    (trace,) = read_captures([path], report.device_mac, cache=None)
    assert len(trace) == report.packets == sum(map(len, learnt.traces[:2]))


def test_sessions_that_overlap_are_refused(learnt: Learnt, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="begins before"):
        stream(learnt.headers, [*apart(learnt.traces)][::-1], tmp_path / "honeydata.pcap")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.captures
@pytest.mark.parametrize("device", ["EdnetGateway", "WeMoSwitch"])
def test_aalto_devices_come_back(device: str, aalto: Path, tmp_path: Path) -> None:
    paths = sorted((aalto / device).glob("*.pcap"))[:6]
    traces = read_captures(paths)
    headers = learn_headers(read_frames(paths, traces))
    assert headers is not None
    learnt, path = Learnt(traces, headers), tmp_path / "honeydata.pcap"
    windows = some_windows(learnt)
    report = write(headers, windows, path)
    (trace,) = read_captures([path], report.device_mac, cache=None)
    np.testing.assert_array_equal(trace.length, windows.length.ravel())
    np.testing.assert_array_equal(trace.outgoing, windows.outgoing.ravel())
    assert np.mean(trace.protocols != windows.protocols.ravel()) < 0.02
    written = path.read_bytes()
    assert [each for each in identifiers(headers) if each in written] == []


def test_a_connection_in_use_is_not_forgotten_for_very_many_others(
    learnt: Learnt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iotflowgen.packets.conversations._MOST", 4)
    trace = learnt.traces[0]
    peer = np.minimum(trace.src_port, trace.dst_port)
    is_tcp = (trace.protocols & protocol_mask(["tcp"])) > 0
    long = is_tcp & (peer == np.bincount(peer[is_tcp]).argmax())
    asks = np.flatnonzero(trace.outgoing & (trace.dst_port == 53))[:1]
    # a question from another port between any two segments
    order = np.insert(np.flatnonzero(long), np.arange(1, long.sum()), asks)
    others = order == asks
    names = ("length", "outgoing", "dst_port", "protocols", "tcp_payload")
    together = Trace(
        name="long",
        time_ns=np.arange(len(order)) * 10**8,
        src_port=np.where(others, 30_000 + np.cumsum(others), trace.src_port[order]),
        **{name: getattr(trace, name)[order] for name in names},
    )
    report = stream(learnt.headers, [together], tmp_path / "honeydata.pcap")
    assert "sent in a connection whose beginning is not there" not in report.compromises


def test_a_connection_ends_once_where_payload_comes_with_the_end(
    tmp_path: Path,
) -> None:
    asks, hears, closes = (True, "PA", b"?" * 40), (True, "A", b""), (True, "FA", b"")
    more, says, last = (False, "PA", b"!" * 50), (False, "PA", b"!" * 90), (False, "A", b"")
    ends = (False, "FPA", b"!" * 90)
    begins = [*OPENING, asks, more, hears, asks]
    _, headers = learnt_from(tmp_path / "learnt.pcap", [*begins, ends, closes, last])
    wanted = [*begins, says, hears, closes, last]
    trace, _ = learnt_from(tmp_path / "wanted.pcap", wanted)
    path = tmp_path / "honeydata.pcap"
    stream(headers, [trace], path)
    assert complaints(path, wrong="tcp.analysis.flags") == []


def test_a_segment_too_long_for_an_acknowledgment_is_padded(tmp_path: Path) -> None:
    path = tmp_path / "learnt.pcap"
    trace, headers = learnt_from(path, [*OPENING, (False, "A", b"")], port=80)
    longer = trace.length.copy()
    longer[-1] += 5
    report = stream(headers, [replace(trace, length=longer)], tmp_path / "honeydata.pcap")
    assert report.compromises == {"of a kind that was not seen in this length, padded": 1}
    frame = frames_in(tmp_path / "honeydata.pcap")[-1]
    assert frame[:54][22] == headers.hosts[1].ttl
    assert frame[54:] == bytes(5)
    assert complaints(tmp_path / "honeydata.pcap") == []


def test_the_gateways_of_several_homes_are_shown_as_one(learnt: Learnt) -> None:
    mac = learnt.headers.gateway_mac
    other = "02:00:5e:10:20:30"
    both = {"macs": (*learnt.headers.macs, other), "other_gateways": (other,)}
    headers = learnt.headers.model_copy(update=both)
    persona = Persona(headers, rng())
    assert persona.mac(other) == persona.mac(mac) == persona.gateway_mac


@pytest.mark.parametrize("block", [4096, 9, 13])
def test_a_connection_ends_where_it_does_not_where_a_block_does(
    block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iotflowgen.packets.write._BLOCK", block)
    asks = (True, "PA", b"?" * 40)
    exchange = [asks, (False, "A", b""), (False, "PA", b"!" * 90), (True, "A", b"")]
    said = [*OPENING, *exchange * 5, asks, (False, "RA", b"")]
    trace, headers = learnt_from(tmp_path / "learnt.pcap", said)
    stream(headers, [trace], tmp_path / "honeydata.pcap")
    flags = [
        frame[find_layout(frame).transport + 13] & (FIN | RST)
        for frame in frames_in(tmp_path / "honeydata.pcap")
    ]
    assert flags == [0] * (len(said) - 1) + [RST]


def test_a_device_with_arp_alone_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "learnt.pcap"
    asks = Ether(src="02:00:00:00:00:02", dst="ff:ff:ff:ff:ff:ff") / ARP(psrc="0.0.0.0")
    wrpcap(str(path), [asks] * 3)
    (trace,) = traces = read_captures([path], "02:00:00:00:00:02", cache=None)
    headers = learn_headers(read_frames([path], traces))
    assert headers is not None
    stream(headers, [trace], tmp_path / "honeydata.pcap")
    assert len(frames_in(tmp_path / "honeydata.pcap")) == 3
