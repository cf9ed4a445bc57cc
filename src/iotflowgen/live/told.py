"""What processes are told to begin with, in types that JSON has."""

import time
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

from iotflowgen.errors import NetworkError
from iotflowgen.live.interfaces import Interfaces

__all__ = ["checked", "handed_over", "packed", "to_settle"]


def checked(
    network: Mapping[str, Any],
    found: Mapping[str, Any],
    interfaces: Interfaces,
    *,
    near: str,
    far: str,
    rate: int,
) -> dict[str, Any]:
    """What those who send are to know, if decoys may be where they are to be.

    Args:
        network: `Network`, in JSON.
        found: What who composes has found out of decoys.
        interfaces: Those that there are.
        near: Where decoys are plugged in.
        far: Where their gateway is.
        rate: Frames a second, at most.

    Raises:
        NetworkError: A decoy has an address of this computer.
    """
    for decoy in found["decoys"]:
        interfaces.check_unlike(decoy["mac"], decoy["ip"])
    gateway = found["gateway"]
    own = {packed(each) for each in interfaces.macs.values() if each != gateway["mac"]}
    for addresses in interfaces.addresses.values():
        own |= {each.ip.packed for each in addresses if str(each.ip) != gateway["ip"]}
    # of devices that have IPv6 alone nobody is in a network of IPv4
    first = next((each["ip"] for each in found["decoys"] if "." in each["ip"]), "")
    subnet = network["subnet"] or (f"{first}/24" if first else "0.0.0.0/32")
    return {
        "near": near,
        "far": far,
        "rate": rate,
        "vlan": network["vlan"],
        "subnet": str(IPv4Network(subnet, strict=False)),
        "decoys": [
            [packed(each["mac"]).hex(), packed(each["ip"]).hex()] for each in found["decoys"]
        ],
        "others": sorted(each.hex() for each in own if any(each)),
    }


def handed_over(
    decoys: Sequence[Mapping[str, Any]],
    found: Mapping[str, Any],
    asked: Mapping[str, Any],
    mtu: int,
) -> dict[str, dict[str, Any]]:
    """What the namespaces of decoys that hand ports over are to know, by the decoys' names.

    Raises:
        NetworkError: One has no IPv4.
    """
    every = [*zip(decoys, found["decoys"], found["reflexes"], strict=True)]
    for decoy, who, _ in every:
        if decoy["ports"] and ":" in who["ip"]:
            raise NetworkError(f"{who['name']} has IPv6 alone, and no ports to hand over")
    return {
        who["name"]: {
            "ports": decoy["ports"],
            "mac": who["mac"],
            "ip": who["ip"],
            "subnet": asked["subnet"],
            "gateway": found["gateway"]["ip"],
            "mtu": mtu,
            "reflexes": {name: reflexes[name] for name in ("headers", "tcp", "tcp_ports")},
        }
        for decoy, who, reflexes in every
        if decoy["ports"]
    }


def to_settle(
    told: Mapping[str, Any],
    found: Mapping[str, Any],
    interfaces: Interfaces,
    asked: Mapping[str, Any],
) -> dict[str, Any]:
    """What the process that gets addresses is to know."""
    columns = told["home"]["decoys"], found["decoys"], found["asking"]
    own = [str(each.ip) for all_ in interfaces.addresses.values() for each in all_]
    taken = [*own, found["gateway"]["ip"], *(each["ip"] for each in found["decoys"])]
    return {
        "near": asked["near"],
        "vlan": asked["vlan"],
        "rate": asked["rate"],
        "subnet": told["home"]["network"]["subnet"],
        "taken": [each for each in taken if "." in each],
        "pace": told["pace"],
        "start_ns": time.time_ns() if told["start_ns"] is None else told["start_ns"],
        "looks": told["looks"],
        "decoys": [
            {"decoy": decoy, "how": how, "mac": packed(each["mac"]).hex(), "ip": each["ip"]}
            for decoy, each, how in zip(*columns, strict=True)
        ],
    }


def packed(address: str) -> bytes:
    """A MAC address, or one of IPv4; empty for others."""
    if "." in address:
        return bytes(map(int, address.split(".")))
    parts = address.split(":")
    return bytes.fromhex("".join(parts)) if [*map(len, parts)] == [2] * 6 else b""
