"""A decoy as a client of DHCP (RFC 2131), which says what its device does."""

import secrets
from collections.abc import Callable, Mapping
from typing import Final

from iotflowgen.live.leasing.lease import FOREVER, Lease
from iotflowgen.live.leasing.messages import (
    ACK,
    CLIENT_ID,
    DECLINE,
    DISCOVER,
    EVERYBODY,
    NAK,
    OFFER,
    RELEASE,
    REQUEST,
    REQUESTED,
    SERVER,
    TYPE,
    Answer,
    Question,
    read_answer,
    write_question,
)
from iotflowgen.live.leasing.settling import Means, Settling
from iotflowgen.wire.messages import dhcp_options

__all__ = ["Client"]

_SECOND: Final = 10**9
_FIRST_S, _LONGEST_S = 4, 64
"""Between tries, at first and in the end (RFC 2131, section 4.1)."""
_SILENCE: Final = 3
"""After so many tries it is said that no server answers."""
_TRIES: Final = 4
"""Requests of an address; then it begins anew."""
_LEAST_S: Final = 60
"""Between tries to renew a lease (RFC 2131, section 4.4.5)."""
_DECLINED_S: Final = 10
"""After an address was declined (RFC 2131, section 3.1.5)."""
_SOONEST_NS: Final = 10_000_000
_USUAL: Final = {
    "discover": ("discover", "select", "reboot", "renew"),
    "select": ("select", "discover", "reboot", "renew"),
    "reboot": ("reboot", "select", "discover", "renew"),
    "renew": ("renew", "select", "reboot", "discover"),
    "decline": ("decline", "select", "discover", "reboot", "renew"),
    "release": ("release",),
}
"""Which of a device's messages others are made of, the likest first."""


class Client(Settling):
    """A decoy that a server gives an address.

    Args:
        complaint: Why an offered address is none for decoys; empty if it is.
    """

    def __init__(self, means: Means, complaint: Callable[[Answer], str]) -> None:
        super().__init__(means)
        self._complaint = complaint
        self._waits_for: tuple[int, ...] = ()
        self._xid = b""
        self._since_ns = self._asked_ns = self._leased_ns = 0
        self._tries = self._refused = 0
        self._said: set[str] = set()
        self._offer: Answer | None = None
        self._server_mac = b""
        self._lease: Answer | None = None
        """The last one, which it may have lost."""
        self._in_use = False

    def begin(self, now_ns: int) -> None:
        """It is switched on."""
        self._said.clear()
        if self._lease is not None and self._how["reboots"]:
            self._reboot(now_ns)
        else:
            self._discover(now_ns)

    def end(self, now_ns: int) -> None:
        """It is switched off, and gives its address back if its device does."""
        super().end(now_ns)
        self._waits_for = ()
        if self._in_use and self._lease and "release" in self._how["frames"]:
            self._begin_exchange(now_ns)
            self._ask("release", RELEASE, {SERVER: self._lease.server.packed}, now_ns, to_one=True)
        self._in_use = False

    def conflict(self, mac: bytes, now_ns: int) -> None:
        """Somebody else has the address: it is declined, and another one asked for."""
        self._probing, self._in_use = None, False
        if self._lease is None:
            return
        self._tell({"lost": f"{mac.hex(':')} has {self._lease.address}; asking for another"})
        theirs = {REQUESTED: self._lease.address.packed, SERVER: self._lease.server.packed}
        self._begin_exchange(now_ns)
        self._ask("decline", DECLINE, theirs, now_ns)
        self._lease, self._waits_for = None, ()
        self._later(self._paced(_DECLINED_S), now_ns, self._discover)

    def hear(self, message: bytes, server_mac: bytes, now_ns: int) -> None:
        """A server has sent a message of DHCP to this MAC address."""
        if not self._waits_for:
            return
        try:
            answer = read_answer(message)
        except ValueError as error:
            self._complain(f"what a DHCP server says does not count: {error}")
            return
        if answer.xid != self._xid:
            self._complain("a DHCP server answers what was not asked (another transaction id)")
        elif answer.kind in self._waits_for:
            if answer.kind == NAK:
                self._refuse(answer, now_ns)
            elif why := self._complaint(answer):
                self._complain(f"what {answer.server} offers does not count: {why}")
            elif answer.kind == OFFER:
                self._select(answer, now_ns)
            else:
                self._server_mac = server_mac
                self._take(answer, now_ns)

    def _complain(self, why: str) -> None:
        """Say what is wrong, once."""
        if why not in self._said:
            self._said.add(why)
            self._tell({"complaint": why})

    # asking for an address: RFC 2131, sections 3.1 and 3.2

    def _discover(self, now_ns: int) -> None:
        self._begin_exchange(now_ns)
        self._waits_for, self._tries = (OFFER,), 0
        self._say_discover(now_ns)

    def _say_discover(self, now_ns: int) -> None:
        if self._tries == _SILENCE:
            self._complain("no DHCP server answers; it goes on asking")
        options: dict[int, bytes | None] = {SERVER: None}
        if self._how["remembers"] or "discover" not in self._how["frames"]:
            options[REQUESTED] = self._lease.address.packed if self._lease else None
        self._ask("discover", DISCOVER, options, now_ns)
        self._again(now_ns, self._say_discover)

    def _select(self, offer: Answer, now_ns: int) -> None:
        self._offer, self._tries, self._waits_for = offer, 0, (ACK, NAK)
        delays = self._how["delays_ns"] or [_SOONEST_NS]
        self._later(delays[secrets.randbelow(len(delays))], now_ns, self._say_select)

    def _say_select(self, now_ns: int) -> None:
        offer = self._offer
        if offer is None or self._tries == _TRIES:
            self._discover(now_ns)
            return
        theirs = {REQUESTED: offer.address.packed, SERVER: offer.server.packed}
        self._ask("select", REQUEST, theirs, now_ns)
        self._again(now_ns, self._say_select)

    def _reboot(self, now_ns: int) -> None:
        self._begin_exchange(now_ns)
        self._waits_for, self._tries = (ACK, NAK), 0
        self._say_reboot(now_ns)

    def _say_reboot(self, now_ns: int) -> None:
        if self._lease is None or self._tries == _TRIES:
            self._discover(now_ns)
            return
        theirs = {REQUESTED: self._lease.address.packed, SERVER: None}
        self._ask("reboot", REQUEST, theirs, now_ns)
        self._again(now_ns, self._say_reboot)

    def _again(self, now_ns: int, then: Callable[[int], None]) -> None:
        """Try once more if nobody answers, each time later (RFC 2131, section 4.1)."""
        wait_ns = min(_FIRST_S << self._tries, _LONGEST_S) * _SECOND
        self._tries += 1
        self._later(wait_ns - _SECOND + secrets.randbelow(2 * _SECOND), now_ns, then)

    def _refuse(self, answer: Answer, now_ns: int) -> None:
        why = f"{answer.server} refuses its address" + (f" ({answer.said})" if answer.said else "")
        if self._in_use:
            self._tell({"lost": f"{why}; asking for another"})
        else:
            self._complain(f"{why}; asking for another")
        self._in_use, self._lease, self._waits_for = False, None, ()
        self._later(self._paced(min(1 << self._refused, _LONGEST_S)), now_ns, self._discover)
        self._refused += 1

    # keeping it: RFC 2131, section 4.4.5

    def _take(self, lease: Answer, now_ns: int) -> None:
        before, self._lease, self._waits_for = self._lease, lease, ()
        self._leased_ns, self._refused = self._asked_ns, 0
        if self._in_use and before and before.address == lease.address:
            self._keep(now_ns)
            return
        if self._in_use:
            self._in_use = False
            self._tell({"lost": f"{lease.server} gives it {lease.address} from now on"})
        self._probe(lease.address, now_ns, is_leased=True)

    def _nobody_has_it(self, _now_ns: int) -> None:
        lease = self._lease
        if lease is None:
            return
        self._in_use = True
        self._said.clear()
        given = Lease(
            address=lease.address,
            server=lease.server,
            seconds=lease.lease_s,
            subnet=lease.subnet,
            gateway=lease.router,
            gateway_mac=self._server_mac.hex(":") if lease.router == lease.server else None,
            resolver=lease.resolver,
        )
        self._tell({"lease": given.model_dump(mode="json")})
        self._keep(_now_ns)

    def _keep(self, now_ns: int) -> None:
        if self._lease is not None and self._lease.lease_s < FOREVER:
            left_ns = self._at_ns(self._lease.renewal_s) - now_ns
            self._later(max(0, left_ns), now_ns, self._renew)

    def _renew(self, now_ns: int) -> None:
        self._begin_exchange(now_ns)
        self._waits_for = (ACK, NAK)
        self._say_renew(now_ns)

    def _say_renew(self, now_ns: int) -> None:
        """Ask the server until T2, and then any, until the lease is over."""
        lease = self._lease
        if lease is None or now_ns >= self._at_ns(lease.lease_s):
            self._lose(now_ns)
            return
        rebinding_ns = self._at_ns(lease.rebinding_s)
        is_one = now_ns < rebinding_ns
        self._ask("renew", REQUEST, {REQUESTED: None, SERVER: None}, now_ns, to_one=is_one)
        until_ns = rebinding_ns if is_one else self._at_ns(lease.lease_s)
        left_ns = until_ns - now_ns
        wait_ns = min(max(left_ns // 2, self._paced(_LEAST_S)), left_ns)
        self._later(wait_ns, now_ns, self._say_renew)

    def _lose(self, now_ns: int) -> None:
        self._tell({"lost": "its lease is over, and no server renews it; it goes on asking"})
        self._in_use, self._lease = False, None
        self._discover(now_ns)

    def _at_ns(self, seconds: int) -> int:
        """So long after the lease began, which is when it was asked for."""
        return self._leased_ns + self._paced(seconds)

    # what it says

    def _begin_exchange(self, now_ns: int) -> None:
        same = self._how["xid"]
        self._xid = bytes.fromhex(same) if same else secrets.token_bytes(4)
        self._since_ns = now_ns

    def _ask(
        self,
        kind: str,
        code: int,
        options: Mapping[int, bytes | None],
        now_ns: int,
        *,
        to_one: bool = False,
    ) -> None:
        frames = self._how["frames"]
        of = next(each for each in _USUAL[kind] if each in frames)
        template = bytes.fromhex(frames[of])
        if kind == "decline" != of:
            # RFC 2131, table 5: hardly any is allowed
            options = dict.fromkeys(_options_of(template) - {TYPE, CLIENT_ID}) | {**options}
        lease = self._lease
        has_address = kind in ("renew", "release") and lease is not None
        question = Question(
            kind=code,
            xid=self._xid,
            secs=int((now_ns - self._since_ns) * self._pace / _SECOND),
            number=self._how["number"] if self._how["number"] is not None else _number(),
            options=options,
            client=lease.address.packed if has_address and lease else bytes(4),
            to=(self._server_mac, lease.server.packed) if to_one and lease else EVERYBODY,
        )
        self._asked_ns = now_ns
        self._send(write_question(template, question))


def _options_of(template: bytes) -> set[int]:
    at = 14 + 4 * (template[14] & 15) + 8
    return {code for code, _, _ in dhcp_options(template[at:])}


def _number() -> int:
    """An IP ID."""
    return secrets.randbelow(2**16)
