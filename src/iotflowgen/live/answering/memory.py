"""What is remembered of others: the last of it, so that nobody can fill a computer's memory."""

from typing import Any, Final

__all__ = ["remember"]

_MOST: Final = 512


def remember(known: dict[Any, Any], what: object, value: object = None) -> None:
    """Note something as the last of what is known."""
    known.pop(what, None)
    known[what] = value
    if len(known) > _MOST:
        del known[next(iter(known))]
