"""What is asked of tshark, what its words become, and what was asked before."""

import lzma
import shutil
import struct
import threading
import time

import numpy as np
import pytest
from scapy.layers.inet import UDP
from scapy.layers.ntp import NTP

from iotflowgen.capture import CaptureWarning, default_cache, describe, tshark
from iotflowgen.capture import read_captures as read
from iotflowgen.capture.dissection import Dissection, Usable
from iotflowgen.capture.tshark import FIELDS, dissect_by_tshark, own_layers, parse
from iotflowgen.errors import TsharkMissing, UnreadableCapture
from iotflowgen.traffic import protocol_mask
from tests.unit.capture.conftest import CLOUD, DEVICE, HOME, needs_tshark, pcap, talk, up
from tests.unit.capture.test_read import assert_same


def read_captures(*args, **settings):
    return read(*args, dissector="tshark", **settings)


@needs_tshark
def test_the_users_own_tshark_settings_change_nothing(write, tmp_path, monkeypatch):
    (tmp_path / "disabled_protos").write_text("ntp\n")
    monkeypatch.setenv("WIRESHARK_CONFIG_DIR", str(tmp_path))
    dissection = dissect_by_tshark(write([up() / UDP(sport=123, dport=123) / NTP()]))
    assert dissection.protocols.tolist() == [protocol_mask(["ip", "udp", "ntp"])]


@pytest.mark.parametrize(
    ("layers", "own"),
    [
        ("eth:ethertype:ip:udp:dns", ["eth", "ethertype", "ip", "udp", "dns"]),
        ("eth:ethertype:ip:icmp:ip:udp:dns", ["eth", "ethertype", "ip", "icmp"]),
        ("eth:ethertype:ipv6:icmpv6:ipv6:tcp", ["eth", "ethertype", "ipv6", "icmpv6"]),
        ("eth", ["eth"]),
    ],
)
def test_own_layers_end_at_icmp(layers, own):
    assert own_layers(layers) == own


TWO = Usable(np.arange(2), np.array([7, 5]), "")


def rows(**fields):
    """What tshark prints of two packets, of which the first has these fields."""
    first = {"frame_len": "60", "frame_protocols": "eth:ethertype:ip:tcp", **fields}
    lines = [
        "\t".join(each.get(name.replace(".", "_"), "") for name in FIELDS)
        for each in (first, {"frame_len": "60", "frame_protocols": "eth"})
    ]
    return "\n".join(lines).encode() + b"\n"


def test_packets_come_in_the_order_of_their_times():
    dissection = parse(rows(tcp_srcport="80"), TWO)
    assert dissection.in_file.tolist() == [1, 0]
    assert dissection.time_ns.tolist() == [5, 7]
    assert dissection.src_port.tolist() == [0, 80]


@pytest.mark.parametrize(
    "printed",
    [
        b"",
        b"hello\n",
        b"\xff\xfe\x00\n" * 2,
        rows() * 2,
        rows()[:-9],
        rows(tcp_srcport="-5"),
        rows(tcp_srcport="99999999999"),
        rows(frame_len="http"),
        rows(ip_src="10.0.0"),
        rows(eth_src="somebody"),
        rows(ip_src="\xff".encode("latin-1").decode("latin-1")),
    ],
)
def test_what_tshark_was_not_asked_for_is_not_believed(printed):
    with pytest.raises(UnreadableCapture, match="tshark printed"):
        parse(printed, TWO)


MAC = bytes.fromhex(DEVICE.replace(":", ""))
RADIOTAP = struct.pack("<BBHI", 0, 0, 8, 0)
WLAN = struct.pack("<HH", 0x0108, 0) + bytes.fromhex("020000000001") + MAC + b"\2\0\0\0\0\1\0\0"
SNAP = bytes.fromhex("aaaa030000000800")


@needs_tshark
@pytest.mark.parametrize(("link", "header"), [(127, RADIOTAP + WLAN), (105, WLAN)])
def test_it_reads_a_link_type_that_we_do_not(write, link, header):
    path = write(pcap([header + SNAP + bytes(talk(1)[0])[14:]], link=link))
    dissection = dissect_by_tshark(path)
    assert dissection.link == "802.11"
    assert dissection.addresses[dissection.src_mac[0]] == DEVICE
    assert dissection.addresses[dissection.src_ip[0]] == HOME
    assert dissection.addresses[dissection.dst_ip[0]] == CLOUD
    assert dissection.protocols.tolist() == [protocol_mask(["llc", "ip", "udp"])]
    with pytest.raises(UnreadableCapture, match=r"link type 802\.11 is not read.*dissector tshark"):
        read([path])


def test_without_tshark_it_says_how_to_get_it(write, monkeypatch, tmp_path):
    path = write(talk(2))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TsharkMissing, match="apt install tshark"):
        read_captures([path])
    assert len(read([path])[0]) == 2


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo 'tshark: Out of memory' >&2; exit 1", "tshark fails: Out of memory"),
        ("exit 3", "tshark fails: exit status 3"),
        ("exit 0", "tshark printed nothing for 2 packets"),
        ("echo hello", "tshark printed"),
        ("yes", "tshark does not come to an end"),
        pytest.param('$REAL "$@"; kill -SEGV $$', "exit status -11", marks=needs_tshark),
    ],
)
def test_a_failure_of_tshark_is_told_and_forgotten(write, stand_in, own_cache, script, says):
    path = write(talk(2))
    stand_in(script)
    with pytest.raises(UnreadableCapture, match=rf"capture\.pcap: .*{says}"):
        read_captures([path])
    assert not list(own_cache.iterdir())


def test_a_tshark_that_never_ends_is_not_waited_for(write, stand_in, monkeypatch):
    monkeypatch.setattr(tshark, "_SECONDS", 0.5)
    # what it has started may go on
    stand_in("sleep 5 & sleep 5")
    start = time.monotonic()
    with pytest.raises(UnreadableCapture, match=r"capture\.pcap: tshark does not come to an end"):
        read_captures([write(talk(2))])
    assert time.monotonic() < start + 4


@needs_tshark
def test_a_damaged_end_is_told_also_from_the_cache(write):
    path = write(pcap(talk(5))[:-7])
    for _ in range(2):
        with pytest.warns(CaptureWarning, match="cut short after 4 packets") as said:
            (trace,) = read_captures([path])
        assert (len(trace), len(said)) == (4, 1)


@needs_tshark
def test_packed_captures_are_unpacked_for_tshark(write):
    (first,) = read_captures([write(talk(4), "a.pcap")])
    (other,) = read_captures([write(lzma.compress(pcap(talk(4))), "b.pcap.xz")])
    assert_same(first, other)


@pytest.fixture
def runs(stand_in):
    """How often tshark has been started."""
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    folder = stand_in('echo run >> "$(dirname "$0")/log"; exec $REAL "$@"')
    return lambda: len((folder / "log").read_text().split()) if (folder / "log").exists() else 0


def test_it_is_started_only_where_it_is_asked_for(write, runs):
    path = write(talk(4))
    read([path])
    describe([path])
    assert runs() == 0
    describe([path], dissector="tshark")
    assert runs() == 1


def test_the_second_run_dissects_nothing_whatever_the_device(write, runs, tmp_path):
    path = write(talk(4))
    (first,) = read_captures([path])
    (again,) = read_captures([path])
    (other,) = read_captures([path], "93.184.216.34")
    (renamed,) = read_captures([path.rename(tmp_path / "renamed.pcap")])
    assert runs() == 1
    assert_same(first, again)
    assert_same(first, renamed)
    assert renamed.name == "renamed.pcap"
    assert other.outgoing.tolist() == [False, True, False, True]


def test_what_was_changed_is_dissected_anew(write, runs):
    read_captures([write(talk(4))])
    assert len(read_captures([write(talk(6))])[0]) == 6
    assert runs() == 2


@needs_tshark
def test_another_tshark_dissects_anew(write, stand_in):
    path = write(talk(4))
    read_captures([path])
    stand_in("exit 3")
    with pytest.raises(UnreadableCapture):
        read_captures([path])


def test_a_damaged_entry_is_made_anew(write, runs, own_cache):
    path = write(talk(4))
    (first,) = read_captures([path])
    (entry,) = own_cache.iterdir()
    whole = entry.read_bytes()
    damaged = [b"", b"hello", whole[: len(whole) // 2], b"PK\x03\x04" + b"\0" * len(whole)]
    for content in damaged:
        entry.write_bytes(content)
        assert_same(first, read_captures([path])[0])
    assert runs() == 1 + len(damaged)
    assert_same(first, read_captures([path])[0])
    assert runs() == 1 + len(damaged)


@needs_tshark
def test_one_entry_is_loaded_at_a_time(write, monkeypatch):
    """In two threads at once, Python up to 3.11.7 fails to parse what NumPy reads."""
    paths = [write(talk(2 * i), f"{i}.pcap") for i in range(1, 5)]
    read_captures(paths)
    busy, read_array = threading.Lock(), np.lib.format.read_array

    def read_alone(*args, **settings):
        assert busy.acquire(blocking=False)
        time.sleep(0.002)
        busy.release()
        return read_array(*args, **settings)

    monkeypatch.setattr("numpy.lib._npyio_impl.format.read_array", read_alone)
    assert [len(trace) for trace in read_captures(paths, processes=4)] == [2, 4, 6, 8]


def test_without_a_cache_it_goes_on(write, runs, tmp_path, own_cache):
    path = write(talk(4))
    read_captures([path], cache=None)
    read_captures([path], cache=None)
    assert not list(own_cache.iterdir())
    (tmp_path / "file").write_text("no folder")
    read_captures([path], cache=tmp_path / "file" / "cache")
    assert runs() == 3


def test_the_cache_is_the_users_unless_named(monkeypatch, own_cache):
    assert default_cache() == own_cache
    monkeypatch.delenv("IOTFLOWGEN_CACHE")
    assert default_cache().name == "iotflowgen"


@needs_tshark
def test_the_cache_keeps_all_of_a_dissection(write, own_cache):
    path = write(talk(4))
    fresh = dissect_by_tshark(path)
    read_captures([path])
    cached = describe([path], dissector="tshark")
    assert cached.links == (fresh.link,)
    assert {entry.suffix for entry in own_cache.iterdir()} == {".npz"}
    with np.load(next(own_cache.iterdir()), allow_pickle=False) as stored:
        assert set(stored.files) == set(Dissection.__dataclass_fields__)


@needs_tshark
@pytest.mark.captures
def test_real_captures_in_parallel_are_the_same_as_one_by_one(aalto):
    folder = aalto / "WeMoSwitch2"
    together = read_captures([folder], processes=2, cache=None)
    one_by_one = read_captures([folder], processes=1, cache=None)
    assert sum(map(len, together)) == 1224
    for one, other in zip(together, one_by_one, strict=True):
        assert one.name == other.name
        assert_same(one, other)
