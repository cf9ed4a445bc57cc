"""Leases of captures that are too short to show it are renewed as RFC 2131 has it."""

import subprocess
from dataclasses import replace

import pytest

import iotflowgen as iot
from iotflowgen.library import Captures

FIELDS = {
    "time": "frame.time_relative",
    "type": "dhcp.option.dhcp",
    "id": "dhcp.id",
    "client": "dhcp.ip.client",
    "yours": "dhcp.ip.your",
    "t1": "dhcp.option.renewal_time_value",
    "requested": "dhcp.option.requested_ip_address",
    "server": "dhcp.option.dhcp_server_id",
    "parameters": "dhcp.option.request_list_item",
    "from": "ip.src",
    "to": "ip.dst",
    "receiver": "eth.dst",
    "sender": "eth.src",
    "ip_sum": "ip.checksum.status",
    "udp_sum": "udp.checksum.status",
}
CHECKED = ("-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE")


def messages(path):
    wanted = [part for field in FIELDS.values() for part in ("-e", field)]
    command = ["tshark", "-n", "-r", str(path), *CHECKED, "-Y", "dhcp", "-T", "fields", *wanted]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [dict(zip(FIELDS, line.split("\t"), strict=True)) for line in lines]


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    path = tmp_path_factory.mktemp("leases") / "stream.pcap"
    model = iot.fit([f"samples/plug/plug-0{i}.pcapng" for i in range(1, 6)])
    model.generate(duration="14h", start="2026-01-01T00:00:00Z").to_pcap(path)
    return messages(path)


def test_a_lease_is_got_once_and_renewed_at_t1(spoken):
    assert [m["type"] for m in spoken] == [*"1235"] + [*"35"] * 2
    t1 = float(spoken[3]["t1"])
    answers = [float(m["time"]) for m in spoken if m["type"] == "5"]
    asked = [float(m["time"]) for m in spoken[4::2]]
    assert [b - a for a, b in zip(answers, asked, strict=False)] == pytest.approx([t1] * 2)


def test_a_client_with_an_address_asks_its_server_from_it(spoken):
    got = spoken[3]
    assert spoken[2]["requested"]
    for asks, answers in zip(spoken[4::2], spoken[5::2], strict=True):
        assert asks["client"] == asks["from"] == answers["to"] == got["yours"]
        assert asks["to"] == got["server"]
        assert (asks["sender"], asks["receiver"]) == (answers["receiver"], answers["sender"])
        assert not (asks["requested"] or asks["server"])
        assert asks["parameters"] == spoken[2]["parameters"]
        assert asks["id"] == answers["id"]
        assert (answers["yours"], answers["client"]) == (got["yours"], got["yours"])


def test_checksums_are_right(spoken):
    assert {(m["ip_sum"], m["udp_sum"]) for m in spoken} <= {("1", "1"), ("1", "2"), ("1", "3")}


def test_a_device_that_is_silent_beyond_a_lease_renews_none(tmp_path):
    """As one does that sleeps, and gets a lease each time when it wakes up."""
    found = iot.read_captures([f"samples/plug/plug-0{i}.pcapng" for i in range(1, 6)])
    asleep = [replace(trace, silence_ns=50 * 3600 * 10**9) for trace in found]
    model = iot.fit(Captures(found.paths, asleep, found.frames))
    model.save(tmp_path / "asleep.model")
    path = tmp_path / "stream.pcap"
    loaded = iot.load(tmp_path / "asleep.model")
    loaded.generate(duration="14h", start="2026-01-01T00:00:00Z").to_pcap(path)
    assert {each["client"] for each in messages(path)} <= {"0.0.0.0", ""}
