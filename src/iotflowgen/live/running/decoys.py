"""Which decoys there are, by their places, and how they are."""

from collections.abc import Collection, Mapping
from typing import Any

from iotflowgen.live.leasing.lease import Lease

__all__ = ["Decoys"]


class Decoys:
    """Those that there are, and those that there were.

    Attributes:
        called: All their names, also of those that have gone.
        paused: Those that somebody has silenced.
        homeless: Those without an address, or with one that somebody else has.
        gone: They will not come back.
        arriving: Those that have come, and look whether somebody has their addresses.
        leases: What servers have given.
    """

    def __init__(self) -> None:
        self._known: dict[int, Mapping[str, str]] = {}
        self._leaving: set[str] = set()
        self.called: dict[int, str] = {}
        self.paused: set[int] = set()
        self.homeless: set[int] = set()
        self.gone: set[int] = set()
        self.arriving: list[int] = []
        self.leases: dict[int, Lease] = {}

    def __len__(self) -> int:
        return len(self._known)

    def __getitem__(self, place: int) -> Mapping[str, str]:
        """The `name`, `mac` and `ip` with which one came, of which the last may be to come."""
        return self._known[place]

    def come(self, found: Mapping[str, Any]) -> None:
        """There are more: what who composes has found out of them."""
        for place, each in zip(found["places"], found["decoys"], strict=True):
            self._known[place], self.called[place] = each, each["name"]

    def leave(self, places: Collection[int]) -> None:
        """Some go; what they have said is on its way yet."""
        self.gone.update(places)
        self._leaving |= {self._known[place]["mac"] for place in places}
        for place in places:
            del self._known[place]
            self.leases.pop(place, None)
        self.paused -= self.gone
        self.homeless -= self.gone

    def left(self) -> None:
        """All that they have said has been sent."""
        self._leaving.clear()

    @property
    def macs(self) -> set[str]:
        """From which MAC addresses frames may come."""
        return {each["mac"] for each in self._known.values()} | self._leaving

    @property
    def addresses(self) -> list[str]:
        """Addresses of IP that they have without a server, which knows of the others."""
        return [each["ip"] for each in self._known.values()]

    @property
    def places(self) -> dict[str, int]:
        """Their places by their names."""
        return {each["name"]: place for place, each in self._known.items()}

    @property
    def silent(self) -> set[int]:
        """Those that are to say nothing."""
        return self.paused | self.homeless | self.gone

    def status(self) -> dict[str, str]:
        """How each is, by its name."""
        silent = self.silent
        return {name: "silent" if i in silent else "on" for name, i in self.places.items()}
