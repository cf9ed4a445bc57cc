"""Random substitutes for identifiers: of the same form, and not in use."""

import ipaddress
import re
import string
from collections.abc import Callable, Container, Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Draws"]

_TRIES: Final = 64
_DIGITS: Final = "0123456789abcdef"
_KEPT: Final = re.compile(r"(.)\1{3,}|%[0-9A-Fa-f]{2}")
"""What fills a word up, or escapes a letter of it."""
_FIRST, _COUNT = np.arange(256, dtype=np.uint8), np.ones(256)
"""Of each letter those that may stand in its place: the first, and how many."""
for _letters in (string.digits, string.ascii_lowercase, string.ascii_uppercase):
    _FIRST[[*_letters.encode()]], _COUNT[[*_letters.encode()]] = ord(_letters[0]), len(_letters)
_HEX_COUNT: Final = np.where(_COUNT == 26, 6.0, _COUNT)
_NUMBER: Final = re.compile(r"[1-9][0-9]*(?:\.[0-9]+)?")
_WIDE: Final = 3
"""Digits of a longitude that stays below 200."""
_IS_HEX: Final = re.compile(r"[0-9A-Fa-f\W_]+")


def _spans_of(data: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The first letter that may stand in each place, and how many."""
    text = data.tobytes()
    try:
        is_text = text.decode().isprintable()
    except UnicodeDecodeError:
        is_text = False
    if not is_text:
        return np.zeros_like(data), np.full(len(data), 256.0)
    is_hex = _IS_HEX.fullmatch(old := text.decode("latin-1")) is not None
    first, count = _FIRST[data], (_HEX_COUNT if is_hex else _COUNT)[data]
    for match in _KEPT.finditer(old):
        first[slice(*match.span())], count[slice(*match.span())] = data[slice(*match.span())], 1
    # the last byte of a letter of several tells which it is of 64 that stand together
    if _NUMBER.fullmatch(old):
        # without a zero in front, and no latitude above 90
        first[0], count[0] = ord("1"), 8 if len(old.partition(".")[0]) < _WIDE else 1
    if not text.isascii():
        last = np.flatnonzero((data & 0xC0 == 0x80) & (np.append(data[1:], 0) & 0xC0 != 0x80))
        first[last], count[last] = data[last] & 0xF0, 16
    return first, count


class Draws:
    """Draws whatever is not given.

    Args:
        rng: Draws.
        taken: What is not to be drawn; nor is what was drawn.
        others: What else is not.
    """

    def __init__(
        self, rng: np.random.Generator, taken: Iterable[str], others: Container[str] = ()
    ) -> None:
        self._rng, self._others = rng, others
        self._taken = {*taken}

    def take(self, given: Iterable[str]) -> None:
        """Let nobody have these."""
        self._taken.update(given)

    def unlike(self, draw: Callable[[], str]) -> str:
        """A draw that is nobody's yet; the last of many, where there are so few."""
        for _ in range(_TRIES):
            drawn = draw()
            if drawn not in self._taken and drawn not in self._others:
                break
        self._taken.add(drawn)
        return drawn

    def word(self, old: str) -> str:
        """Another word of the same letters, digits and cases, a letter a byte (Latin-1).

        Bytes of other letters are drawn so that they remain UTF-8; of what is no text, all are.
        """
        data = np.frombuffer(old.encode("latin-1"), np.uint8)
        first, count = _spans_of(data)
        # whose mail it is does not depend on the country
        domain = old.rfind(".") if "@" in old else len(data)
        first[domain:], count[domain:] = data[domain:], 1
        if not (count > 1).any():
            return old

        def draw() -> str:
            shares = self._rng.random(len(data))
            return (first + (shares * count).astype(np.uint8)).tobytes().decode("latin-1")

        return self.unlike(draw)

    def mac(self, old: str) -> str:
        """A MAC address of the same vendor, in an address of IPv6 as long as a text."""
        digits = len(f"{int(old[12:].replace(':', ''), 16):x}")
        least = 16 ** (digits - 1) if digits > 1 else 0

        def draw() -> str:
            last = int(self._rng.integers(least, 16**digits))
            return old[:9] + (self._rng.bytes(1) + last.to_bytes(2)).hex(":")

        return self.unlike(draw)

    def ip6(self, old: str, identifier: str = "") -> str:
        """An IPv6 address of as many bytes and zeros, and so as long as a text.

        Args:
            old: The address.
            identifier: The 16 hexadecimal digits of its second half; by default drawn.
        """
        digits = ipaddress.IPv6Address(old).packed.hex()

        def draw() -> str:
            new = (
                digits[:4] + self._digits(digits[4:16]) + (identifier or self._digits(digits[16:]))
            )
            return str(ipaddress.IPv6Address(bytes.fromhex(new)))

        return self.unlike(draw)

    def public(self, old: str) -> str:
        """A public IPv4 address with as many digits in each part; the same, where there is none."""

        def draw() -> str:
            parts = enumerate(old.split("."))
            address = ipaddress.ip_address(
                ".".join(self._part(part, 254 if i else 223) for i, part in parts)
            )
            return str(address) if address.is_global and not address.is_multicast else old

        return self.unlike(draw)

    def private(self, old: str) -> str:
        """The first three parts of an IPv4 address in a private network of the same kind."""

        def draw() -> str:
            first, second, third = old.split(".")
            if first == "10":
                second = self._part(second, 255)
            elif first == "172":
                second = str(self._rng.integers(16, 32))
            return f"{first}.{second}.{self._part(third, 255)}"

        return self.unlike(draw)

    def in_network(self, network: str, last: str) -> str:
        """An IPv4 address in a network of three parts, its last with as many digits."""
        return self.unlike(lambda: f"{network}.{self._part(last, 253)}")

    def _part(self, old: str, most: int) -> str:
        """A part of an IPv4 address with as many digits."""
        least = (1, 10, 100)[len(old) - 1]
        return str(self._rng.integers(least, min(most, 10 ** len(old) - 1) + 1))

    def _digits(self, old: str) -> str:
        return "".join(d if d == "0" else _DIGITS[self._rng.integers(1, 16)] for d in old)
