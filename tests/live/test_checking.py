"""`live check`: what it says of networks that let decoys through, and of those that do not."""

import json
import shutil

import pytest

from tests.live.networks import run
from tests.live.test_network import ENDS, HOME

pytestmark = pytest.mark.network

GATEWAY_MAC = "02:00:5e:10:00:01"
nft = pytest.mark.skipif(not shutil.which("nft"), reason="nft is not installed")


@pytest.fixture
def home(models):
    path = models / "check.toml"
    path.write_text(HOME + 'ports = ["443/tcp"]\n')
    return path


@pytest.fixture
def gateway(network):
    where = network.namespace("gateway")
    network.plug_in(where, "lan0")
    where.run("ip", "link", "set", "lan0", "address", GATEWAY_MAC)
    where.run("ip", "address", "add", "192.168.20.1/24", "dev", "lan0")
    return where


@pytest.fixture
def check(network):
    """What is found to be well, and what is not, line by line."""

    def found(*words):
        done = run(*network.live("check", *words))
        assert done.stderr == ""
        lines = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
        assert done.returncode == any(kind == "wrong" for kind, _, _ in lines)
        # how well this computer keeps time depends on what else it does
        kinds = {"ok": [], "wrong": []}
        for kind, what, text in lines:
            kinds[kind] += [text] if what != "timing" else []
        assert "timing" in done.stdout or not kinds["ok"] or kinds["wrong"]
        return kinds["ok"], kinds["wrong"]

    return found


def switch_drops(network, rule):
    network.switch.run("nft", "add", "table", "bridge", "filter")
    chain = "{ type filter hook prerouting priority 0; }"
    network.switch.run("nft", f"add chain bridge filter in {chain}")
    network.switch.run("nft", f"add rule bridge filter in {rule} drop")


def test_a_network_that_lets_decoys_through(gateway, check, home):
    well, wrong = check(home, *ENDS)
    assert wrong == []
    assert well == [
        "near0 is up",
        "far0 is up",
        "raw packets are allowed",
        "none is this computer's",
        "frames of up to 1514 bytes fit",
        "near0 merges no segments",
        "namespaces can be made, and named",
        "those of a foreign MAC address pass from far0 to near0",
        "those of a foreign MAC address pass from near0 to far0",
        # its MAC addresses age at once
        "it sends all frames everywhere; each host hears decoys",
        "nobody else has a decoy's",
        f"192.168.20.1 is at {GATEWAY_MAC}",
        "the gateway is another computer: have it drop what decoys say",
    ]


def test_what_is_wrong_with_the_ends_and_with_others_there(network, gateway, check, home):
    gateway.run("ip", "address", "add", "192.168.20.31/24", "dev", "lan0")
    gateway.run("ip", "link", "set", "lan0", "address", "02:00:5e:10:00:02")
    network.host.run("ip", "link", "set", "near0", "mtu", 1000)
    merges = network.host.run("ethtool", "-K", "near0", "gro", "on", check=False).returncode == 0
    _, wrong = check(home, *ENDS)
    assert [line for line in wrong if "near0 merges" not in line] == [
        "near0 cannot take frames of 1514 bytes, as captures have them: "
        "ip link set near0 mtu 1500; or learn from captures of a card that merges no segments",
        "02:00:5e:10:00:02 has 192.168.20.31, the address of door: give the decoy another",
        f"192.168.20.1 is at 02:00:5e:10:00:02, not at {GATEWAY_MAC}: "
        'say gateway_mac = "02:00:5e:10:00:02"',
    ]
    assert not merges or "near0 merges segments (gro): ethtool -K near0 gro off" in wrong


@nft
def test_a_switch_that_knows_one_mac_address_at_a_port(network, gateway, check, home):
    (link,) = json.loads(network.host.run("ip", "-j", "link", "show", "near0").stdout)
    switch_drops(network, f"iifname p-near0 ether saddr != {link['address']}")
    well, (wrong,) = check(home, *ENDS)
    assert wrong.startswith(
        "from near0, far0 hears those of its own MAC address and no others: switch off port"
    )
    assert "those of a foreign MAC address pass from far0 to near0" in well


@nft
def test_a_switch_that_does_not_carry_the_vlan(network, check, home):
    home.write_text(home.read_text().replace("[network]", "[network]\nvlan = 20"))
    switch_drops(network, "ether type vlan")
    _, wrong = check(home, *ENDS)
    assert wrong == [
        "from far0 to near0 pass those without a tag, not those of 20: "
        "have the switch carry that VLAN on both ports, tagged; or leave vlan out"
    ]


def test_interfaces_that_cannot_be_used(network, check, home):
    network.host.run("ip", "link", "set", "far0", "down")
    assert check(home, *ENDS)[1] == ["far0 is down: ip link set far0 up"]
    network.host.run("ip", "link", "set", "far0", "up")
    network.switch.run("ip", "link", "set", "p-far0", "nomaster")
    _, wrong = check(home, *ENDS)
    assert wrong == [
        "none get from far0 to near0: plug both into one network, and into one VLAN of it"
    ]


@nft
def test_on_a_bridge_the_rule_is_tried(network, check, home):
    host = network.host
    host.run("ip", "link", "add", "name", "lan0", "type", "bridge", "mcast_snooping", 0)
    host.run("ip", "link", "set", "lan0", "up")
    host.run("ip", "address", "add", "192.168.20.1/24", "dev", "lan0")
    home.write_text(home.read_text().replace(f'gateway_mac = "{GATEWAY_MAC}"\n', ""))
    well, wrong = check(home, "--bridge", "lan0")
    assert wrong == []
    assert "what decoys say is dropped before it is sent on" in well
    assert host.run("nft", "list", "ruleset").stdout == ""
    assert "decoys" not in host.run("ip", "link").stdout
