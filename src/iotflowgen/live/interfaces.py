"""Network interfaces of this computer: what they are, and whether decoys may use them."""

import json
from collections.abc import Collection
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from pathlib import Path
from typing import Any, Final, NamedTuple

from iotflowgen.errors import NetworkError
from iotflowgen.live.programs import do

__all__ = ["Interfaces", "silence", "survey"]

_SETTING: Final = "/proc/sys/net/ipv6/conf/{}/disable_ipv6"


class Interfaces(NamedTuple):
    """What interfaces there are."""

    macs: dict[str, str]
    """MAC addresses, by the interface's name."""
    addresses: dict[str, tuple[IPv4Interface | IPv6Interface, ...]]
    """IP addresses of each, with their networks."""
    uplinks: frozenset[str]
    """Interfaces that have a default route."""
    flags: dict[str, frozenset[str]]
    """What the kernel says of each, such as `UP`, and `LOWER_UP` where it has a carrier."""
    mtus: dict[str, int]
    """Bytes behind the link layer's header that a frame may have, by the interface's name."""

    def check(self, name: str, confirmed: Collection[str]) -> None:
        """Check that decoys may use an interface; one with a default route has to be confirmed.

        Raises:
            NetworkError: They may not.
        """
        if name not in self.macs:
            known = ", ".join(sorted(self.macs))
            raise NetworkError(f"there is no interface {name}; there are {known}")
        if name in self.uplinks and name not in confirmed:
            raise NetworkError(
                f"{name} has a default route: it leads to others; name it again with --confirm "
                f"{name} if decoys are to be there"
            )

    def ip4(self, name: str) -> IPv4Interface | None:
        """The first address of IPv4 of an interface."""
        own = self.addresses[name]
        return next((each for each in own if isinstance(each, IPv4Interface)), None)

    def check_unlike(self, mac: str, ip: str) -> None:
        """Check that a decoy has no address of this computer.

        Raises:
            NetworkError: It has.
        """
        for name, own in self.macs.items():
            for address in filter(None, (mac, ip)):
                if address in (own, *(str(each.ip) for each in self.addresses[name])):
                    raise NetworkError(
                        f"{address} is an address of this computer, on {name}; give the decoy "
                        "another"
                    )


def survey() -> Interfaces:
    """What interfaces there are, in this network namespace.

    Raises:
        NetworkError: The program `ip`, which tells, is missing.
    """
    links = _ip("address")
    routes = [*_ip("route", "show", "default"), *_ip("-6", "route", "show", "default")]
    return Interfaces(
        macs={link["ifname"]: link.get("address", "") for link in links},
        addresses={
            link["ifname"]: tuple(
                ip_interface(f"{each['local']}/{each['prefixlen']}")
                for each in link["addr_info"]
                if "local" in each
            )
            for link in links
        },
        uplinks=frozenset(route["dev"] for route in routes if "dev" in route),
        flags={link["ifname"]: frozenset(link["flags"]) for link in links},
        mtus={link["ifname"]: link["mtu"] for link in links},
    )


def silence(name: str, interfaces: Interfaces) -> bool:
    """Have the kernel send nothing of its own on an interface that is there for decoys alone.

    That is one without an address of IPv4: IPv6, by which it asks for routers and reports groups,
    is switched off, and stays so, for what it says after decoys have gone gives them away as well.

    Returns:
        Whether it was on.

    Raises:
        NetworkError: It is on, and there is no right to switch it off.
    """
    setting = Path(_SETTING.format(name))
    is_used = interfaces.ip4(name) is not None
    if is_used or not setting.exists() or setting.read_text().strip() == "1":
        return False
    try:
        setting.write_text("1")
    except OSError as error:
        raise NetworkError(
            f"cannot switch IPv6 off on {name}: {error.strerror}; as root, run: "
            f"sysctl net.ipv6.conf.{name}.disable_ipv6=1"
        ) from error
    return True


def _ip(*words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(do("ip", "-json", *words) or "[]")
    return [each for each in found if each]
