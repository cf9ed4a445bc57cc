"""What a check finds."""

from typing import NamedTuple

__all__ = ["Finding"]


class Finding(NamedTuple):
    """One thing that is as decoys need it, or is not."""

    check: str
    """What was looked at, in a word or two."""
    found: str
    """What is so."""
    advice: str = ""
    """What to do about it; empty if it is well."""

    @property
    def is_well(self) -> bool:
        """Whether nothing has to be done."""
        return not self.advice
