"""Durations over magnitudes (paper, sections 4.2 and 4.5): durations <-> cluster tokens.

Token 0 is the duration 0, which has no logarithm; the others are clusters of log durations.
A token becomes a duration by drawing one from its cluster and adding noise of at most a tenth.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

__all__ = ["DurationEncoder"]

_NOISE = 0.1  # e = q / 10, section 4.5


class DurationEncoder(BaseModel):
    """Durations to tokens and back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clusters: tuple[tuple[int, ...], ...]
    """The fitted durations of each cluster in nanoseconds, rising within and between clusters."""

    @classmethod
    def fit(cls, duration_ns: NDArray[np.int64], clusters: int, seed: int) -> "DurationEncoder":
        """Cluster the logarithms of the positive durations, of any shape, by k-means."""
        from sklearn.cluster import KMeans  # noqa: PLC0415 - takes a second, and only fitting needs it

        positive = np.sort(duration_ns[duration_ns > 0])
        distinct = len(np.unique(positive))
        if not distinct:
            return cls(clusters=())
        logs = np.log10(positive)[:, None]
        labels = KMeans(min(clusters, distinct), n_init=4, random_state=seed).fit(logs).labels_
        starts = np.flatnonzero(np.diff(labels)) + 1
        return cls(clusters=tuple(tuple(c.tolist()) for c in np.split(positive, starts)))

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return 1 + len(self.clusters)

    def encode(self, duration_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tokens, in the same shape; a duration outside every cluster goes to the nearest."""
        tokens = np.searchsorted(self._borders, np.maximum(duration_ns, 1), side="right") + 1
        return np.where((duration_ns > 0) & bool(self.clusters), tokens, 0)

    def decode(self, tokens: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """A duration in nanoseconds for each token, in the same shape (section 4.5)."""
        values, first, count = self._drawn_from
        drawn = values[first[tokens] + (rng.random(tokens.shape) * count[tokens]).astype(np.int64)]
        noise = 1 + rng.uniform(-_NOISE, _NOISE, tokens.shape)
        return np.rint(drawn * noise).astype(np.int64)

    @cached_property
    def _borders(self) -> NDArray[np.float64]:
        """Between neighbouring clusters, half way on the logarithmic axis."""
        below = np.array([c[-1] for c in self.clusters[:-1]], dtype=np.float64)
        above = np.array([c[0] for c in self.clusters[1:]], dtype=np.float64)
        return np.sqrt(below * above)

    @cached_property
    def _drawn_from(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """All values end to end, and where each token's begin and how many they are."""
        groups = [(0,), *self.clusters]
        count = np.array([len(g) for g in groups])
        return np.concatenate([np.array(g) for g in groups]), np.cumsum(count) - count, count
