"""How long work reports that it goes on, without knowing who listens."""

from typing import Protocol

__all__ = ["Progress", "silent"]


class Progress(Protocol):
    """Told after each step of a stage; must be cheap, it is called often."""

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Step `done` of `total` of `stage` is over; `note` is a figure worth showing."""


def silent(stage: str, done: int, total: int, note: str = "") -> None:
    """Report nothing."""
