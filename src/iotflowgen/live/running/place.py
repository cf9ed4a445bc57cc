"""Where in a network decoys are."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from iotflowgen.errors import NetworkError
from iotflowgen.live.operating.control import DEFAULT_SOCKET

__all__ = ["MOST_RATE", "Place"]

MOST_RATE: Final = 50_000
"""Frames a second, beyond which no decoys are to go."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where in a network decoys are.

    Raises:
        NetworkError: The rate is none that decoys may have.
    """

    near: str = ""
    """The interface where decoys are plugged in."""
    far: str = ""
    """The interface where the gateway is: there, frames of the decoys' peers come from."""
    bridge: str = ""
    """Instead of both: a bridge on this computer, which is the gateway; decoys get a port there."""
    rate: int = 1000
    """Frames a second, at most."""
    confirmed: Collection[str] = field(default=())
    """Interfaces that decoys may use although they have a default route."""
    ledger: Path | None = None
    """The folder of the ledger of fake flows; None for no ledger."""
    metrics: int | None = None
    """The port of the loopback interface where Prometheus may ask; None for no metrics."""
    socket: Path = DEFAULT_SOCKET
    """Where decoys can be asked how they are, and be stopped."""

    def __post_init__(self) -> None:
        if not 0 < self.rate <= MOST_RATE:
            raise NetworkError(f"{self.rate} frames a second are not 1 to {MOST_RATE}")
