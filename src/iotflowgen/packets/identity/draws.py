"""Random substitutes for identifiers: of the same form, and not in use."""

import ipaddress
import re
import string
from collections.abc import Callable, Iterable
from typing import Final

import numpy as np

__all__ = ["Draws"]

_TRIES: Final = 64
_HEX: Final = "0123456789abcdef"
_KEPT: Final = re.compile(r"(.)\1{3,}|%[0-9A-Fa-f]{2}")
"""What fills a word up, or escapes a letter of it."""
_ALPHABETS: Final = {
    letter: letters
    for letters in (string.digits, string.ascii_lowercase, string.ascii_uppercase)
    for letter in letters
}
"""Of each letter those that may stand in its place."""
_HEX_ALPHABETS: Final = {
    letter: letters if letters is string.digits else letters[:6]
    for letter, letters in _ALPHABETS.items()
}


class Draws:
    """Draws whatever is not given.

    Args:
        rng: Draws.
        taken: What is not to be drawn; each draw is added to it.
    """

    def __init__(self, rng: np.random.Generator, taken: Iterable[str]) -> None:
        self._rng = rng
        self._taken = {*taken}

    def take(self, given: Iterable[str]) -> None:
        """Let nobody have these."""
        self._taken.update(given)

    def unlike(self, draw: Callable[[], str]) -> str:
        """A draw that is nobody's yet; the last of many, where there are so few."""
        for _ in range(_TRIES):
            drawn = draw()
            if drawn not in self._taken:
                break
        self._taken.add(drawn)
        return drawn

    def word(self, old: str) -> str:
        """Another word of the same letters, digits and cases."""
        kept = {i for match in _KEPT.finditer(old) for i in range(*match.span())}
        is_hex = all(letter in string.hexdigits for letter in old if letter.isalnum())
        alphabets = _HEX_ALPHABETS if is_hex else _ALPHABETS
        places = [(i, alphabets[old[i]]) for i in range(len(old)) if old[i] in alphabets]
        places = [(i, letters) for i, letters in places if i not in kept]

        def draw() -> str:
            drawn = [*old]
            for (i, letters), share in zip(places, self._rng.random(len(places)), strict=True):
                drawn[i] = letters[int(share * len(letters))]
            return "".join(drawn)

        return self.unlike(draw) if places else old

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
        return "".join(d if d == "0" else _HEX[self._rng.integers(1, 16)] for d in old)
