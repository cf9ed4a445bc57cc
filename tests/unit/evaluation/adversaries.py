"""Adversaries small enough to say beforehand what they find."""

import numpy as np
from sklearn.tree import DecisionTreeClassifier

from iotflowgen.traffic import Windows


def windows_of(lengths):
    """Windows of two packets that differ in length only."""
    length = np.repeat(np.asarray(lengths, dtype=np.int32)[:, None], 2, axis=1)
    nothing = np.zeros_like(length)
    return Windows(
        nothing.astype(np.int64),
        length,
        nothing.astype(bool),
        nothing,
        nothing,
        nothing.astype(np.uint16),
    )


class Oracle:
    """Learns nothing: the length of a window says how synthetic it looks, in percent."""

    name = "oracle"

    def fit(self, windows, synthetic):
        return self

    def score(self, windows):
        return windows.length[:, 0] / 100


class Separation(Oracle):
    """Fails where a length stands on both sides of a fold."""

    def fit(self, windows, synthetic):
        self.seen = windows.length
        return self

    def score(self, windows):
        assert not np.isin(windows.length, self.seen).any()
        return super().score(windows)


class Tree:
    """A decision tree over lengths and ports."""

    name = "tree"

    def fit(self, windows, synthetic):
        self.tree = DecisionTreeClassifier(random_state=0).fit(self.features(windows), synthetic)
        return self

    def score(self, windows):
        return self.tree.predict_proba(self.features(windows))[:, 1]

    @staticmethod
    def features(windows):
        return np.concatenate([windows.length, windows.src_port, windows.dst_port], axis=1)
