"""What a server has given a decoy."""

from ipaddress import IPv4Address, IPv4Network
from typing import Final

from pydantic import BaseModel, ConfigDict

from iotflowgen.live.home import Network

__all__ = ["FOREVER", "Lease"]

FOREVER: Final = 2**32 - 1
"""Seconds of a lease that does not end (RFC 2131, section 3.3)."""


class Lease(BaseModel):
    """An address, and what the network is like around it."""

    model_config = ConfigDict(frozen=True)

    address: IPv4Address
    server: IPv4Address
    seconds: int
    """How long it was leased for."""
    subnet: IPv4Network | None = None
    gateway: IPv4Address | None = None
    gateway_mac: str | None = None
    """Known where the gateway is the server."""
    resolver: IPv4Address | None = None

    def network(self, said: Network) -> Network:
        """The network as the decoy is to show it: what is said of its gateway stays as it is."""
        changes: dict[str, object] = {"subnet": said.subnet or self.subnet}
        if said.gateway in (None, self.gateway) and self.gateway is not None:
            changes |= {
                "gateway": self.gateway,
                "gateway_mac": said.gateway_mac or self.gateway_mac,
            }
        return said.model_copy(update={**changes, "resolver": self.resolver or said.resolver})
