"""Whether ids count on, and in which order of bytes.

Shapes: M ids.
"""

from typing import Final

import numpy as np

from iotflowgen.packets.transactions.payloads import DIGITS, LOW_BITS, RAW
from iotflowgen.recording import Groups
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["counts_on", "span_of", "steps", "swapped"]

_NEAR: Final = 16
_MOSTLY: Final = 0.6
"""Share of steps up to `_NEAR` from which on ids count; at random there are hardly any."""
_LEAST: Final = 3
"""Steps that it takes to tell."""
_LONGEST: Final = 8
"""Bytes of a number."""


def swapped(value: Integers, width: int) -> Integers:
    """Numbers (M) of `width` bytes in the other order."""
    letters = value.astype("<i8").view(np.uint8).reshape(-1, 8)
    whole = np.zeros_like(letters)
    whole[:, :width] = letters[:, :width][:, ::-1]
    number: Integers = whole.view("<i8").ravel().astype(np.int64)
    return number


def span_of(width: int, form: int) -> int:
    """How many ids there are of `width` bytes in a form, after which they begin again; 0 if none.

    Decimal digits become more.
    """
    if form in LOW_BITS:
        return 1 << LOW_BITS[form]
    return 0 if form == DIGITS or width >= _LONGEST else 1 << 8 * width


def steps(value: Integers, line: Integers, span: int, near: int = _NEAR) -> tuple[Integers, Flags]:
    """By how much each id (M) counts on from the one before of its line (M), up to `near`.

    Args:
        value: Ids (M).
        line: Who counts (M).
        span: As of `span_of`.
        near: So far at most.

    Returns:
        Steps, 0 where an id does not count on, and whether there is one before (M).
    """
    groups = Groups(line)
    step = value - groups.previous(value, 0)
    if span:
        step %= span
        near = min(near, span // 4)
    has = ~groups.is_first
    return np.where(has & (step > 0) & (step <= near), step, 0), has


def counts_on(
    value: Integers, line: Integers, width: int, near: int = _NEAR, form: int = RAW
) -> bool:
    """Whether ids (M) mostly count on, of bytes in either order."""
    orders = (value, swapped(value, width)) if form == RAW else (value,)
    for each in orders:
        step, has = steps(each, line, span_of(width, form), near)
        if has.sum() >= _LEAST and (step > 0).sum() >= _MOSTLY * has.sum():
            return True
    return False
