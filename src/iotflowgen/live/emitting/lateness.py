"""How late packets were: counts by size, which do not grow with their number."""

from typing import Any, Final

__all__ = ["Lateness"]

_STEPS: Final = 16
"""Of each doubling: a percentile is right to 1 part in 16."""
_BUCKETS: Final = 48 * _STEPS
_LIMITS_S: Final = (1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 0.01, 0.1, 1.0)


class Lateness:
    """A histogram of nanoseconds, as in HdrHistogram: buckets widen with what they hold."""

    def __init__(self) -> None:
        self.packets = 0
        """That were counted."""
        self.most_ns = 0
        """The latest of them."""
        self._sum_ns = 0
        self._counts = [0] * _BUCKETS

    def add(self, late_ns: int) -> None:
        """Count a packet that was so late; what is early is on time."""
        late_ns = max(late_ns, 0)
        self.packets += 1
        self.most_ns = max(self.most_ns, late_ns)
        self._sum_ns += late_ns
        self._counts[_bucket(late_ns)] += 1

    def percentile_ns(self, share: float) -> int:
        """What the given share of packets, 0 to 1, was not later than; 0 without any."""
        left = share * self.packets
        for bucket, count in enumerate(self._counts):
            left -= count
            if count and left <= 0:
                return min(_last_of(bucket), self.most_ns)
        return 0

    def histogram(self) -> dict[str, Any]:
        """How many were not later than some limits, seconds, and all together."""
        counts = [(limit, self._until(int(limit * 1e9))) for limit in _LIMITS_S]
        return {"buckets": counts, "seconds": self._sum_ns / 1e9, "count": self.packets}

    def _until(self, limit_ns: int) -> int:
        return sum(self._counts[: _bucket(limit_ns) + 1])

    def summary(self) -> dict[str, Any]:
        """Milliseconds, by percentile."""
        named = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
        found = {name: self.percentile_ns(share) / 1e6 for name, share in named.items()}
        return found | {"most": self.most_ns / 1e6}


def _bucket(number: int) -> int:
    if number < _STEPS:
        return number
    shift = number.bit_length() - _STEPS.bit_length()
    return min(_BUCKETS - 1, (shift + 1) * _STEPS + (number >> shift) - _STEPS)


def _last_of(bucket: int) -> int:
    """The largest number in a bucket."""
    if bucket < _STEPS:
        return bucket
    shift, rest = divmod(bucket, _STEPS)
    return ((rest + _STEPS + 1) << (shift - 1)) - 1
