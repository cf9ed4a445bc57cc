"""Whether ids count on, and in which order of bytes.

Shapes: M ids.
"""

from typing import Final

import numpy as np

from iotflowgen.recording import Groups
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["counts_on", "steps", "swapped"]

_NEAR: Final = 16
_MOSTLY: Final = 0.6
"""Share of steps up to `_NEAR` from which on ids count; at random there are hardly any."""
_LEAST: Final = 3
"""Steps that it takes to tell."""


def swapped(value: Integers, width: int) -> Integers:
    """Numbers (M) of `width` bytes in the other order."""
    letters = value.astype("<i8").view(np.uint8).reshape(-1, 8)
    whole = np.zeros_like(letters)
    whole[:, :width] = letters[:, :width][:, ::-1]
    number: Integers = whole.view("<i8").ravel().astype(np.int64)
    return number


def steps(value: Integers, line: Integers, width: int, near: int = _NEAR) -> tuple[Integers, Flags]:
    """By how much each id (M) counts on from the one before of its line (M), up to `near`.

    Returns:
        Steps, 0 where an id does not count on, and whether there is one before (M).
    """
    groups = Groups(line)
    step = value - groups.previous(value, 0)
    if width < 8:
        step %= 1 << 8 * width
    has = ~groups.is_first
    return np.where(has & (step > 0) & (step <= near), step, 0), has


def counts_on(value: Integers, line: Integers, width: int, near: int = _NEAR) -> bool:
    """Whether ids (M) mostly count on, in either order of bytes."""
    for each in (value, swapped(value, width)):
        step, has = steps(each, line, width, near)
        if has.sum() >= _LEAST and (step > 0).sum() >= _MOSTLY * has.sum():
            return True
    return False
