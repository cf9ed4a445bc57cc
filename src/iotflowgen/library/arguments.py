"""Checks of arguments, made before anything is read: a wrong one is told of at once."""

from collections.abc import Iterable
from numbers import Integral
from typing import Any

from iotflowgen.errors import ArgumentError

__all__ = ["check_choice", "check_whole", "seed_numbers"]


def check_choice(value: object, choices: Iterable[str], argument: str) -> None:
    """Check that a value is one of those that there are.

    Raises:
        ArgumentError: It is none of them.
    """
    choices = list(choices)
    if value not in choices:
        raise ArgumentError(f"{value!r} is none of: {', '.join(choices)}", argument)


def check_whole(value: object, least: int, argument: str) -> None:
    """Check that a value is a whole number.

    Raises:
        ArgumentError: It is none, or less than the least that there may be.
    """
    if not isinstance(value, Integral) or int(value) < least:
        raise ArgumentError(
            f"{argument} is {value!r}; it must be a whole number, at least {least}", argument
        )


def seed_numbers(seed: Any) -> tuple[int, ...]:  # noqa: ANN401 - whatever is given is checked
    """A seed, one number or several, as a tuple.

    Raises:
        ArgumentError: One is no whole number, or negative.
    """
    numbers = tuple(seed) if isinstance(seed, Iterable) else (seed,)
    for number in numbers:
        check_whole(number, 0, "seed")
    return tuple(map(int, numbers))
