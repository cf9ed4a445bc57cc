"""How a decoy comes to an address.

Nothing here waits: whoever runs it calls `act` when it is `due_ns`. Times are those of a clock that
never jumps, nanoseconds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, Final

from iotflowgen.live.leasing.probing import Probing

__all__ = ["Claim", "Means", "Settling"]

_SECOND: Final = 10**9


@dataclass(frozen=True)
class Means:
    """What a decoy gets its address with."""

    mac: bytes
    """Its own."""
    how: Mapping[str, Any]
    """How its device does: `Asking` in JSON, and `frames`, its messages by their kinds."""
    pace: float
    """Times as fast as the clock."""
    send: Callable[[bytes], object]
    """Sends a frame at the near end."""
    tell: Callable[[Mapping[str, Any]], object]
    """Tells what happens: it is `free`; the `lease`; a `complaint`; why the address is `lost`."""


class Settling:
    """What gets an address and keeps it; by itself it needs none.

    Attributes:
        holds_up: Nobody is to be switched on before this is over.
    """

    holds_up = False

    def __init__(self, means: Means) -> None:
        self._mac, self._how, self._pace = means.mac, means.how, means.pace
        self._send, self._tell = means.send, means.tell
        self._then: Callable[[int], None] = self._idle
        self._probing: Probing | None = None
        self._waits: list[int] = []
        self.due_ns: int | None = None
        """When to `act`; None while there is nothing to wait for."""

    @property
    def is_probing(self) -> bool:
        """Whether it asks by ARP if somebody has the address."""
        return self._probing is not None

    def begin(self, now_ns: int) -> None:
        """It is switched on."""

    def act(self, now_ns: int) -> None:
        """Do what is due."""
        self.due_ns = None
        self._then(now_ns)

    def hear_arp(self, frame: bytes, now_ns: int) -> None:
        """Somebody says something by ARP."""
        if self._probing is not None and (mac := self._probing.rival(frame)):
            self.conflict(mac, now_ns)

    def hear(self, message: bytes, server_mac: bytes, now_ns: int) -> None:
        """A server has sent a message of DHCP to this MAC address."""

    def conflict(self, mac: bytes, now_ns: int) -> None:
        """Somebody else has the address."""

    def end(self, now_ns: int) -> None:  # noqa: ARG002 - others say something
        """It is switched off."""
        self.due_ns = self._probing = None

    def _later(self, wait_ns: int, now_ns: int, then: Callable[[int], None]) -> None:
        self.due_ns, self._then = now_ns + wait_ns, then

    def _paced(self, seconds: int) -> int:
        """Nanoseconds that device time takes; who is asked for something lives on the wall's."""
        return int(seconds * _SECOND / self._pace)

    def _idle(self, _now_ns: int) -> None:
        return

    def _probe(self, address: IPv4Address, now_ns: int, *, is_leased: bool) -> None:
        how = self._how["probes"]
        self._probing = Probing(self._mac, address, how, is_leased=is_leased)
        first_ns, *self._waits = self._probing.waits_ns
        self._later(first_ns, now_ns, self._probe_on)

    def _probe_on(self, now_ns: int) -> None:
        if self._waits and self._probing is not None:
            self._send(self._probing.frame)
            self._later(self._waits.pop(0), now_ns, self._probe_on)
            return
        self._probing = None
        self._nobody_has_it(now_ns)

    def _nobody_has_it(self, _now_ns: int) -> None:
        """The address is free."""


class Claim(Settling):
    """A decoy with a fixed address, which it uses if nobody else has it.

    Args:
        address: That one.
    """

    def __init__(self, means: Means, address: IPv4Address) -> None:
        super().__init__(means)
        self._address = address

    def begin(self, now_ns: int) -> None:
        """Look whether somebody has it."""
        self._probe(self._address, now_ns, is_leased=False)

    def conflict(self, mac: bytes, now_ns: int) -> None:
        """Somebody has it."""
        self.holds_up = False
        self.end(now_ns)
        self._tell({"lost": f"{mac.hex(':')} has its address"})

    def _nobody_has_it(self, _now_ns: int) -> None:
        self.holds_up = False
        self._tell({"free": True})
