"""Which host is the device, and which way its packets go."""

import numpy as np
import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.eap import EAPOL
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6ND_NS, IPv6
from scapy.layers.l2 import ARP, Ether

from iotflowgen.capture import (
    CaptureWarning,
    Device,
    builtin,
    describe,
    hosts,
    read_captures,
    read_frames,
)
from iotflowgen.capture.builtin import dissect
from iotflowgen.capture.device import count_hosts, find_device, outgoing
from iotflowgen.capture.dissection import Usable
from iotflowgen.capture.ethernet import read_ethernet
from iotflowgen.capture.hosts import Host
from iotflowgen.capture.tshark import FIELDS, parse
from iotflowgen.errors import DeviceNotFound
from tests.unit.capture.conftest import (
    CLOUD,
    DEVICE,
    GATEWAY,
    HOME,
    PHONE,
    ROUTER,
    both_dissectors,
    down,
    pcap,
    talk,
    up,
)


def capture(*packets):
    """What dissecting these (source MAC, source IP, destination IP) gives."""
    rows = ""
    for mac, src, dst in packets:
        family = "ipv6" if ":" in src else "ip"
        layers = f"eth:ethertype:{family}" if src else "eth:ethertype:arp"
        known = {
            "frame.protocols": layers,
            "eth.src": mac,
            "eth.dst": "02:00:00:00:00:99",
            f"{family}.src": src,
            f"{family}.dst": dst,
        }
        rows += "\t".join(known.get(name, "") for name in FIELDS) + "\n"
    place = np.arange(len(packets))
    return parse(rows.encode(), Usable(place, place * 10**9, ""))


ASKS, ANSWERS = (DEVICE, HOME, CLOUD), (GATEWAY, CLOUD, HOME)


def test_the_most_common_address_is_the_device():
    other = (GATEWAY, "93.184.216.99", HOME)
    assert find_device([capture(ASKS, ANSWERS, other)]) == Device(HOME, DEVICE)


def test_addresses_are_counted_over_all_captures():
    many = capture(*[(PHONE, "10.0.0.9", CLOUD)] * 3)
    few = capture(ASKS, (DEVICE, HOME, ROUTER))
    assert find_device([few, many]).ip == "10.0.0.9"
    assert find_device([few, many, few]).ip == HOME


@pytest.mark.parametrize("nobody", ["224.0.0.251", "255.255.255.255", "ff02::fb", "10.0.0.255"])
def test_addresses_of_nobody_are_no_candidates(nobody):
    source = "fe80::6" if ":" in nobody else HOME
    asked = "fe80::1" if ":" in nobody else ROUTER
    dissection = capture(*[(DEVICE, source, nobody)] * 5, (DEVICE, source, asked))
    assert set(count_hosts([dissection])) == {source}
    assert find_device([dissection]).ip == source


def test_a_booting_device_is_not_called_unspecified():
    boot = (DEVICE, "0.0.0.0", "255.255.255.255")
    assert find_device([capture(*[boot] * 5, ASKS, ANSWERS)]).ip == HOME


def test_of_equally_common_addresses_the_private_one_is_the_device():
    assert find_device([capture(ANSWERS, ASKS)]).ip == HOME


def test_of_equally_common_public_addresses_who_begins_is_the_device():
    there = (DEVICE, "2a02:8071::50", "2a00:1450::7")
    back = (GATEWAY, "2a00:1450::7", "2a02:8071::50")
    for home in (there, back):
        away = back if home is there else there
        assert find_device([capture(home, away)]).ip == home[1]


def test_packets_without_an_address_go_by_mac():
    dissection = capture(
        (DEVICE, "", ""),
        (GATEWAY, "", ""),
        (DEVICE, "0.0.0.0", "255.255.255.255"),
        (DEVICE, "fe80::6", "ff02::fb"),
        *(ASKS, ANSWERS, ASKS),
    )
    sent = outgoing(dissection, find_device([dissection]))
    assert sent.tolist() == [True, False, True, True, True, False, True]


def test_other_leases_and_addresses_of_the_device_are_its_own():
    first = capture(ASKS, ANSWERS, (DEVICE, HOME, ROUTER), (DEVICE, "192.168.0.20", ROUTER))
    second = capture((DEVICE, "10.0.0.77", ROUTER), (GATEWAY, "93.184.216.99", "10.0.0.77"))
    device = find_device([first, second])
    assert device == Device(HOME, DEVICE, mac_is_own=True)
    assert outgoing(first, device).tolist() == [True, False, True, True]
    assert outgoing(second, device).tolist() == [True, False]


def app_and_device(phone="192.168.1.77", more=()):
    """As many packets of either: an app asks a plug, which answers on a port of its own."""
    plug, app = ("50:c7:bf:12:34:56", "192.168.1.50"), ("da:a1:19:7c:42:e8", phone)
    frames = [
        Ether(src=plug[0], dst="ff:ff:ff:ff:ff:ff")
        / IP(src="0.0.0.0", dst="255.255.255.255")
        / UDP(sport=68, dport=67)
        / BOOTP(chaddr=bytes.fromhex(plug[0].replace(":", "")))
        / DHCP(options=[("message-type", "request"), ("hostname", b"HS110"), "end"])
    ]
    for i in range(8):
        pair = (app, plug) if i % 2 == 0 else (plug, app)
        (source, src), (destination, dst) = pair
        ports = (50000 + i // 2, 9999) if i % 2 == 0 else (9999, 50000 + i // 2)
        head = Ether(src=source, dst=destination) / IP(src=src, dst=dst)
        frames.append(head / TCP(sport=ports[0], dport=ports[1], flags="PA") / b"state")
    return [*frames, *more]


@both_dissectors
def test_a_device_is_not_taken_for_the_app_that_asks_it(write, dissect):
    path = write(app_and_device())
    kind = "tshark" if dissect is not builtin.dissect else "builtin"
    with pytest.raises(DeviceNotFound) as error:
        read_captures([path], dissector=kind)
    first, *hosts = str(error.value).split("\n")
    assert "name it with --device" in first
    said = {line.split(",")[0].strip(): line for line in hosts}
    assert {*said} == {"192.168.1.50", "192.168.1.77"}
    assert "answers on TCP 9999" in said["192.168.1.50"]
    assert "calls itself HS110" in said["192.168.1.50"]
    assert "made up, as phones do" in said["192.168.1.77"]
    assert read_captures([path], "192.168.1.50", dissector=kind)[0].outgoing.sum() == 5


def test_what_is_said_of_hosts_is_also_described(write):
    summary = describe([write(app_and_device())])
    assert summary.device is None
    assert {host.ip: host.services for host in summary.hosts} == {
        "192.168.1.50": ("TCP 9999",),
        "192.168.1.77": (),
    }


def test_where_all_speaks_for_the_most_common_host_it_is_the_device(write):
    more = [Ether(src="50:c7:bf:12:34:56") / IP(src="192.168.1.50", dst=CLOUD) / UDP()]
    path = write(app_and_device(more=more))
    assert read_captures([path])[0].outgoing.sum() == 6


def test_vendors_are_those_of_wireshark(tmp_path, monkeypatch):
    program = tmp_path / "bin/tshark"
    for path in (program, tmp_path / "share/wireshark/manuf"):
        path.parent.mkdir(parents=True)
        path.write_text(
            "# comment\n50:C7:BF\tTP-Link\tTP-Link Ltd.\n"
            "00:1B:C5:00:10:00/36\tOpenRBco\tOpenRB.com\n"
        )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    hosts._vendors.cache_clear()
    named = [
        Host("", mac, 0, 0, (), "", is_gateway=False)
        for mac in (
            "50:c7:bf:12:34:56",
            "00:1b:c5:00:11:22",
            "00:1b:c5:00:21:22",
            "da:a1:19:00:00:01",
        )
    ]
    assert [host.vendor for host in named] == ["TP-Link Ltd.", "OpenRB.com", "", ""]
    hosts._vendors.cache_clear()


def test_names_in_mdns_are_those_of_answers(write):
    answer = DNS(qr=1, aa=1, an=DNSRR(rrname="tasmota-1.local.", rdata="192.168.1.50"))
    asked = DNS(qd=DNSQR(qname="_http._tcp.local."))
    group = {"src": "192.168.1.50", "dst": "224.0.0.251"}
    frames = [
        Ether(src=mac, dst="01:00:5e:00:00:fb") / IP(**group) / UDP(sport=5353, dport=5353) / said
        for mac, said in ((PHONE, asked), (DEVICE, answer))
    ]
    path = write(frames)
    assert hosts.find_names(dissect(path), read_ethernet(path)) == {DEVICE: "tasmota-1"}


def test_behind_a_router_only_the_address_counts():
    """Seen upstream of a router, whose MAC address sends for every host behind it."""
    hosts = [(DEVICE, f"10.0.0.{i}", f"93.184.216.{i}") for i in range(20, 26)]
    dissection = capture(
        ASKS, ANSWERS, ASKS, (DEVICE, "", ""), *hosts, (DEVICE, "fe80::6", "ff02::1")
    )
    device = find_device([dissection])
    assert device == Device(HOME, DEVICE, mac_is_own=False)
    assert outgoing(dissection, device).tolist() == [True, False, True, True, *[False] * 6, True]


@pytest.mark.parametrize(
    "wanted",
    [PHONE, "38-0B-40-EF-85-41", "380b.40ef.8541", "380b40ef8541", " 10.0.0.9 "],
)
def test_the_device_can_be_named(wanted):
    phone = (PHONE, "10.0.0.9", HOME)
    dissection = capture(ASKS, ANSWERS, ASKS, phone)
    device = find_device([dissection], wanted)
    assert device.mac == PHONE
    assert outgoing(dissection, device).tolist() == [False, False, False, True]


def test_the_device_can_be_named_by_ipv6_in_any_spelling():
    dissection = capture((DEVICE, "fe80::6", "fe80::1"), ASKS, ASKS)
    assert find_device([dissection], "FE80:0:0:0::6") == Device("fe80::6", DEVICE)


@pytest.mark.parametrize(
    "wanted", ["", "lamp", "10.0.0.300", "00:17:88:24:76", "00:17:88:24:76:fg"]
)
def test_what_is_no_address_is_said_to_be_none(wanted):
    with pytest.raises(DeviceNotFound, match="is not an address; name the device as"):
        find_device([capture(ASKS)], wanted)


def test_a_device_without_packets_is_not_found_and_those_there_are_named():
    dissection = capture(*[ASKS] * 4, *[ANSWERS] * 2, (PHONE, "10.0.0.9", HOME))
    with pytest.raises(DeviceNotFound) as error:
        find_device([dissection], "10.0.0.200")
    assert str(error.value) == (
        "no packet comes from or goes to 10.0.0.200; the most common are 10.0.0.6 (7 packets), "
        "93.184.216.34 (6 packets), 10.0.0.9 (1 packets)"
    )
    with pytest.raises(DeviceNotFound, match=f"most common are {DEVICE} .4 packets.*{PHONE}"):
        find_device([dissection], "02:00:00:00:00:77")


def test_without_any_ip_address_the_mac_has_to_be_named():
    dissection = capture((DEVICE, "", ""), (GATEWAY, "", ""), (DEVICE, "", ""))
    with pytest.raises(DeviceNotFound, match=f"--device; the most common are {DEVICE} .2 packets"):
        find_device([dissection])
    assert outgoing(dissection, find_device([dissection], DEVICE)).tolist() == [True, False, True]


@pytest.mark.filterwarnings("ignore:.*made up:UserWarning")
def test_raw_ip_has_mac_addresses_that_are_made_up(write):
    path = write(pcap([bytes(frame)[14:] for frame in talk(3)], link=101))
    assert read_captures([path])[0].outgoing.tolist() == [True, False, True]
    found = find_device([dissect(path)])
    assert found.ip == HOME
    assert found.mac_is_own
    with pytest.raises(DeviceNotFound, match="no packet comes from"):
        read_captures([path], DEVICE)


def test_a_boot_on_the_wire(write):
    everyone = "ff:ff:ff:ff:ff:ff"
    frames = [
        Ether(src=GATEWAY, dst=DEVICE) / EAPOL(type=3) / b"\2",
        Ether(src=DEVICE, dst=GATEWAY) / EAPOL(type=3) / b"\2",
        Ether(src=DEVICE, dst=everyone) / IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68),
        Ether(src=DEVICE, dst="33:33:00:00:00:01") / IPv6(src="::", dst="ff02::1") / ICMPv6ND_NS(),
        Ether(src=DEVICE, dst=everyone) / ARP(),
        up() / TCP(),
        down() / TCP(),
        up() / TCP(),
    ]
    trace = read_captures([write(frames)])[0]
    assert trace.outgoing.tolist() == [False, True, True, True, True, True, False, True]


def test_what_others_send_each_other_is_left_out(write):
    def phone(mac, ip):
        return Ether(src=PHONE, dst=mac) / IP(src="10.0.0.9", dst=ip) / UDP(sport=5, dport=6)

    everyone = phone("ff:ff:ff:ff:ff:ff", "10.0.0.255")
    group = phone("01:00:5e:00:00:fb", "224.0.0.251")
    strange, heard = phone(GATEWAY, CLOUD), [everyone, group, phone(DEVICE, HOME)]
    path = write([*talk(20)[:10], strange, *talk(10), *heard])
    with pytest.warns(
        CaptureWarning, match=r"^1 of 24 packets are between others than 10\.0\.0\.6"
    ):
        (trace,) = read_captures([path])
    assert trace.outgoing.sum() == 10
    assert not trace.outgoing[-3:].any()
    # the frames are those of the packets that are left
    ((_, frames),) = read_frames([path], [trace])
    assert frames.tolist() == [bytes(frame) for frame in [*talk(20), *heard]]


def test_many_packets_of_others_ask_for_the_device(write):
    other = Ether(src=PHONE, dst=GATEWAY) / IP(src="10.0.0.9", dst="93.184.216.99") / UDP()
    path = write([*talk(10), *[other] * 4])
    with pytest.raises(DeviceNotFound, match=r"(?s)4 of 14 packets .*--device:\n  10.* 10 packets"):
        read_captures([path])
    with pytest.warns(CaptureWarning, match="4 of 14 packets .* left out"):
        assert len(read_captures([path], HOME)[0]) == 10


@pytest.mark.captures
@pytest.mark.parametrize("device", ["HomeMaticPlug", "EdnetCam1", "WeMoInsightSwitch2"])
def test_the_true_device_is_found(aalto, device):
    """One with as many packets from its server, one with three leases, one with two networks."""
    folder = aalto / device
    truth = (folder / "_iotdevice-mac.txt").read_text().strip().lower()
    inferred, named = read_captures([folder]), read_captures([folder], truth)
    for ours, true in zip(inferred, named, strict=True):
        np.testing.assert_array_equal(ours.outgoing, true.outgoing)
