"""What processes are told to begin with, in types that JSON has."""

from collections.abc import Collection, Mapping
from ipaddress import IPv4Network
from typing import Any

from iotflowgen.errors import NetworkError
from iotflowgen.live.interfaces import Interfaces
from iotflowgen.live.running.place import Place

__all__ = ["checked", "handed_over", "host_of", "packed", "to_answer", "to_settle"]


def checked(
    network: Mapping[str, Any],
    found: Mapping[str, Any],
    interfaces: Interfaces,
    place: Place,
) -> dict[str, Any]:
    """What those who send are to know, if decoys may be where they are to be.

    Args:
        network: `Network`, in JSON.
        found: What who composes has found out of decoys.
        interfaces: Those that there are.
        place: Where decoys are.

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
        "near": place.near,
        "far": place.far,
        "rate": place.rate,
        "vlan": network["vlan"],
        "subnet": str(IPv4Network(subnet, strict=False)),
        "decoys": [*map(host_of, found["decoys"])],
        "others": sorted(each.hex() for each in own if any(each)),
    }


def handed_over(
    found: Mapping[str, Any], asked: Mapping[str, Any], mtu: int
) -> dict[str, dict[str, Any]]:
    """What the namespaces of decoys that hand ports over are to know, by the decoys' names.

    Raises:
        NetworkError: One has no IPv4.
    """
    every = [*zip(found["settings"], found["decoys"], found["models"], strict=True)]
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
            "reflexes": {
                name: found["reflexes"][model][name] for name in ("headers", "tcp", "tcp_ports")
            },
        }
        for decoy, who, model in every
        if decoy["ports"]
    }


def to_answer(found: Mapping[str, Any]) -> dict[str, Any]:
    """What the process that answers is to know of decoys."""
    names = ("places", "decoys", "settings", "models", "discovery")
    come = [
        {
            "place": place,
            "host": host_of(who),
            "ports": decoy["ports"],
            "model": model,
            "discovery": discovery,
        }
        for place, who, decoy, model, discovery in zip(
            *(found[name] for name in names), strict=True
        )
    ]
    return {"come": come, "reflexes": found["reflexes"]}


def to_settle(
    network: Mapping[str, Any],
    found: Mapping[str, Any],
    interfaces: Interfaces,
    asked: Mapping[str, Any],
    others: Collection[str] = (),
) -> dict[str, Any]:
    """What the process that gets addresses is to know; `others` have theirs already."""
    names = ("places", "settings", "decoys", "asking")
    own = [str(each.ip) for all_ in interfaces.addresses.values() for each in all_]
    taken = [*own, *others, found["gateway"]["ip"], *(each["ip"] for each in found["decoys"])]
    return {
        "near": asked["near"],
        "vlan": asked["vlan"],
        "rate": asked["rate"],
        "subnet": network["subnet"],
        "taken": [each for each in taken if "." in each],
        "come": [
            {
                "place": place,
                "decoy": decoy,
                "how": how,
                "mac": packed(who["mac"]).hex(),
                "ip": who["ip"],
            }
            for place, decoy, who, how in zip(*(found[name] for name in names), strict=True)
        ],
    }


def host_of(who: Mapping[str, str]) -> list[str]:
    """A decoy's MAC and IPv4 address, in hexadecimal."""
    return [packed(who["mac"]).hex(), packed(who["ip"]).hex()]


def packed(address: str) -> bytes:
    """A MAC address, or one of IPv4; empty for others."""
    if "." in address:
        return bytes(map(int, address.split(".")))
    parts = address.split(":")
    return bytes.fromhex("".join(parts)) if [*map(len, parts)] == [2] * 6 else b""
