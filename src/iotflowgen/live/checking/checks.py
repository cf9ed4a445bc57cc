"""Looks at a network before decoys come: does it let them through, and what is to be changed.

What is sent for it is little and harmless: probes by ARP, which nobody learns an address from, and
frames of an EtherType for experiments, from one end to the other.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Final

from iotflowgen.errors import NetworkError
from iotflowgen.live.checking.ends import Ends
from iotflowgen.live.checking.finding import Finding
from iotflowgen.live.checking.machine import may_hand_over, may_send, offloads, timing
from iotflowgen.live.compose import Composer
from iotflowgen.live.emitting.guard import Host
from iotflowgen.live.fence import bridge_port, fence, probe
from iotflowgen.live.home import Home
from iotflowgen.live.interfaces import Interfaces, survey
from iotflowgen.live.running.place import Place
from iotflowgen.live.running.supervise import behind

__all__ = ["check"]

_LINK: Final = 14
_EVERYBODY: Final = b"\xff" * 6
_AT_ONCE: Final = 32
_WAIT_S: Final = 0.5


def check(home: Home, place: Place) -> list[Finding]:
    """Look at what decoys need, one thing after another; where one fails that others need, end.

    Args:
        home: Which decoys.
        place: Where they are to be.

    Raises:
        NetworkError: The place is no place, or nothing can be looked at.
        ModelError: A model is absent or damaged.
        ArgumentError: A decoy does not fit the network.
    """
    with ExitStack() as stack:
        if place.bridge:
            near = stack.enter_context(bridge_port(place.bridge))
            place = replace(place, near=near, far=place.bridge)
        return [*_findings(home, place)]


def _findings(home: Home, place: Place) -> Iterator[Finding]:
    interfaces = survey()
    found = [*_places(place, interfaces), may_send(place.near)]
    yield from found
    if not all(each.is_well for each in found):
        return
    home = behind(home, place.far, interfaces)
    composer = Composer(home, is_live=True)
    decoys, gateway = composer.identities(), composer.gateway()
    yield _identities(decoys, interfaces)
    yield _size(composer.longest(), place, interfaces)
    yield offloads(place.near)
    if any(decoy.ports for decoy in home.decoys):
        yield may_hand_over()
    decoy = _mac(decoys[0]["mac"])
    with closing(Ends(place.near, place.far, home.network.vlan)) as ends:
        passing = [*_passing(ends, decoy, interfaces, is_bridge=bool(place.bridge))]
        yield from passing
        if all(each.is_well for each in passing):
            yield _free(ends, decoys)
            if home.network.gateway or not all(each.is_leased for each in home.decoys):
                yield _gateway(ends, decoy, gateway)
            yield _fenced(place, interfaces, decoys, _mac(gateway["mac"]))
    yield timing(place.near, decoy, _nobody())


def _places(place: Place, interfaces: Interfaces) -> Iterator[Finding]:
    """Interfaces: that they are there, may be used, and are up."""
    for name in (place.near, place.far):
        try:
            interfaces.check(name, place.confirmed)
        except NetworkError as error:
            yield _of(error, "interfaces")
            continue
        own = interfaces.ip4(name)
        if "UP" not in interfaces.flags[name]:
            yield Finding("interfaces", f"{name} is down", f"ip link set {name} up")
        elif "LOWER_UP" not in interfaces.flags[name]:
            yield Finding("interfaces", f"{name} has no carrier", "plug its cable in")
        elif name == place.near and own is not None:
            found = f"{name} has an address of its own, {own}, for which its kernel speaks"
            yield Finding("interfaces", found, f"ip address flush dev {name}")
        else:
            yield Finding("interfaces", f"{name} is up")


def _identities(decoys: Sequence[Mapping[str, str]], interfaces: Interfaces) -> Finding:
    try:
        for decoy in decoys:
            interfaces.check_unlike(decoy["mac"], decoy["ip"])
    except NetworkError as error:
        return _of(error, "addresses")
    return Finding("addresses", "none is this computer's")


def _size(longest: int, place: Place, interfaces: Interfaces) -> Finding:
    names = (place.near, place.far)
    small = [name for name in names if interfaces.mtus[name] < longest - _LINK]
    if small:
        found = (
            f"{' and '.join(small)} cannot take frames of {longest} bytes, as captures have them"
        )
        advice = [f"ip link set {name} mtu {longest - _LINK}" for name in small]
        advice += ["or learn from captures of a card that merges no segments"]
        return Finding("size", found, "; ".join(advice))
    return Finding("size", f"frames of up to {longest} bytes fit")


def _passing(
    ends: Ends, decoy: bytes, interfaces: Interfaces, *, is_bridge: bool
) -> Iterator[Finding]:
    """Whether frames get from one end to the other, and whether a switch learns who is where."""
    peer = _nobody()
    are_filtered = False
    for source, target, back in ((peer, _EVERYBODY, True), (decoy, peer, False)):
        here, there = ends.names[::-1] if back else ends.names
        if ends.passes(source, target, back=back):
            yield Finding("frames", f"those of a foreign MAC address pass from {here} to {there}")
        elif ends.passes(_mac(interfaces.macs[here]), target, back=back):
            are_filtered = True
            yield Finding(
                "frames",
                f"from {here}, {there} hears those of its own MAC address and no others",
                "switch off port security, or the filter of MAC addresses of the hypervisor "
                "(allow forged transmits and promiscuous mode); Wi-Fi cannot do it: take a cable",
            )
        else:
            yield _cut_off(ends, here, there)
            return
    if are_filtered:
        return
    if not ends.passes(peer, decoy, back=True):
        found = f"those to a decoy do not arrive at {ends.names[0]}"
        yield Finding("frames", found, "allow promiscuous mode, and more than one MAC address")
    elif is_bridge:
        # it hears all that passes
        return
    elif ends.passes(_nobody(), decoy):
        yield Finding("switch", "it sends all frames everywhere; each host hears decoys")
    else:
        yield Finding("switch", "it learns where decoys are")


def _cut_off(ends: Ends, here: str, there: str) -> Finding:
    if ends.vlan is not None:
        with closing(Ends(*ends.names, None)) as untagged:
            if untagged.passes(_nobody(), _EVERYBODY, back=here == ends.names[1]):
                found = f"from {here} to {there} pass those without a tag, not those of {ends.vlan}"
                advice = "have the switch carry that VLAN on both ports, tagged; or leave vlan out"
                return Finding("frames", found, advice)
    found = f"none get from {here} to {there}"
    return Finding("frames", found, "plug both into one network, and into one VLAN of it")


def _free(ends: Ends, decoys: Sequence[Mapping[str, str]]) -> Finding:
    """Whether nobody has an address of a decoy's."""
    wanted = [decoy for decoy in decoys if "." in decoy["ip"]]
    for start in range(0, len(wanted), _AT_ONCE):
        some = {_ip(decoy["ip"]): decoy for decoy in wanted[start : start + _AT_ONCE]}
        asker = _mac(wanted[start]["mac"])
        for address, mac in ends.who_has(asker, [*some], _WAIT_S).items():
            taken = (
                f"{mac.hex(':')} has {some[address]['ip']}, the address of {some[address]['name']}"
            )
            is_own = mac == _mac(some[address]["mac"])
            advice = "stop decoys that run already" if is_own else "give the decoy another"
            return Finding("addresses", taken, advice)
    return Finding("addresses", "nobody else has a decoy's")


def _gateway(ends: Ends, decoy: bytes, gateway: Mapping[str, str]) -> Finding:
    mac = ends.who_has(decoy, [_ip(gateway["ip"])], _WAIT_S).get(_ip(gateway["ip"]))
    if mac is None:
        found = f"nobody answers for {gateway['ip']}"
        return Finding("gateway", found, "say the gateway of this network, and its MAC address")
    if mac != _mac(gateway["mac"]):
        found = f"{gateway['ip']} is at {mac.hex(':')}, not at {gateway['mac']}"
        return Finding("gateway", found, f'say gateway_mac = "{mac.hex(":")}"')
    return Finding("gateway", f"{gateway['ip']} is at {gateway['mac']}")


def _fenced(
    place: Place, interfaces: Interfaces, decoys: Sequence[Mapping[str, str]], gateway: bytes
) -> Finding:
    """Whether what decoys say stays inside."""
    if interfaces.macs[place.far] != gateway.hex(":"):
        return Finding("uplink", "the gateway is another computer: have it drop what decoys say")
    first = Host(_mac(decoys[0]["mac"]), _ip(decoys[0]["ip"]))
    try:
        with fence(place.far, [decoy["mac"] for decoy in decoys]) as table:
            probe(table, place.near, gateway, first, interfaces.uplinks)
    except NetworkError as error:
        return _of(error, "uplink")
    return Finding("uplink", "what decoys say is dropped before it is sent on")


def _of(error: NetworkError, check: str) -> Finding:
    """Errors say what is wrong, and what to do."""
    found, _, advice = str(error).partition("; ")
    return Finding(check, found, advice or "see above")


def _nobody() -> bytes:
    """A MAC address that is nobody's: local, and drawn."""
    return b"\x02" + secrets.token_bytes(5)


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _ip(text: str) -> bytes:
    return IPv4Address(text).packed if "." in text else b""
