"""Who is seen in captures of one device."""

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

__all__ = ["Identities"]


def _as_written(address: str) -> str:
    """Check that an IP address is written as Python writes it, without a zone."""
    if "%" in address or str(ipaddress.ip_address(address)) != address:
        raise ValueError(f"{address!r} is not how that address is written")
    return address


_MAC = "[0-9a-f]{2}(:[0-9a-f]{2}){5}"
_Mac = Annotated[str, StringConstraints(pattern=f"^{_MAC}$")]
_MacOrNone = Annotated[str, StringConstraints(pattern=f"^({_MAC})?$")]
_Ip = Annotated[str, AfterValidator(_as_written)]
_IpOrNone = Annotated[str, AfterValidator(lambda address: address and _as_written(address))]
_Word = Annotated[str, StringConstraints(min_length=4, pattern=r"^[\x00-\xff]*$")]


class Identities(BaseModel):
    """Who is seen in captures of one device; addresses are lower-case texts, `:` between bytes.

    Raises:
        ValidationError: An address is none, or a word has letters that are no bytes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    drawn: bool = False
    """Whether none of them was captured: others were drawn in their place."""
    device_mac: _MacOrNone = ""
    device_ip: _IpOrNone = ""
    """The address that the device mostly sends from; empty where it was seen under none."""
    own_addresses: tuple[_Ip, ...] = ()
    """All IP addresses of the device: it may have another in each capture."""
    gateway_mac: _MacOrNone = ""
    """MAC address of the gateway, behind which most hosts are; empty where none was seen."""
    gateway_ip: _IpOrNone = ""
    """Empty where the gateway was seen under no address of its own."""
    other_gateways: tuple[_Mac, ...] = ()
    """MAC addresses that its IP address had in other captures."""
    macs: tuple[_Mac, ...] = ()
    """Every MAC address of a host."""
    addresses: tuple[_Ip, ...] = ()
    """Every IP address of a host, also of those that are only named."""
    words: tuple[_Word, ...] = ()
    """Texts that identify: UUIDs, serial numbers, cookies, tokens; a letter a byte (Latin-1)."""
