"""Who is seen in captures of one device."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

__all__ = ["Identities"]


class Identities(BaseModel):
    """Who is seen in captures of one device; addresses are lower-case texts, `:` between bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device_mac: str = ""
    device_ip: str = ""
    """The address that the device mostly sends from; empty where it was seen under none."""
    own_addresses: tuple[str, ...] = ()
    """All IP addresses of the device: it may have another in each capture."""
    gateway_mac: str = ""
    """MAC address of the gateway, behind which most hosts are; empty where none was seen."""
    gateway_ip: str = ""
    """Empty where the gateway was seen under no address of its own."""
    other_gateways: tuple[str, ...] = ()
    """MAC addresses that its IP address had in other captures."""
    macs: tuple[str, ...] = ()
    """Every MAC address of a host."""
    addresses: tuple[str, ...] = ()
    """Every IP address of a host, also of those that are only named."""
    words: tuple[Annotated[str, StringConstraints(min_length=4)], ...] = ()
    """Texts that identify: UUIDs, serial numbers, cookies, tokens; a letter a byte (Latin-1)."""
