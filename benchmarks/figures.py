"""How figures are shown in tables."""

import statistics
from collections.abc import Sequence

__all__ = ["mean", "share"]


def mean(values: Sequence[float]) -> float | None:
    """Of some values; of none, none."""
    return statistics.mean(values) if values else None


def share(name: str, value: float | None) -> str:
    """A share in percent; an excess with its sign, in points."""
    if value is None:
        return "failed"
    return f"{100 * value:+.1f}" if "excess" in name else f"{value:.1%}"
