"""What hears those who ask for something while decoys run: a control socket, or metrics."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

__all__ = ["Listener"]


class Listener(Protocol):
    """What hears somebody who asks for something."""

    def fileno(self) -> int:
        """Who asks can be heard from here."""

    def answer(self, reply: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> object:
        """Answer one who asks."""
