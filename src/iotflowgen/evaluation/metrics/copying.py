"""Is the generated traffic new, or a copy of what the generator was fitted on?

`train` should hold every window of the captures (`traffic.every_window_start`): a sample of them
misses copies. Lengths and directions tell what a copy is; ports and durations change too easily.

Shapes: N windows, L packets each; D coordinates of a point (`features.embed`).
"""

import math

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.neighbors import NearestNeighbors

from iotflowgen.evaluation.metrics.features import embed
from iotflowgen.traffic import Windows

__all__ = ["copied_run", "copied_share", "membership_inference", "nearest_distance"]

_FALSE_POSITIVES = 0.01
"""Share of windows not learnt from that a membership inference may be wrong about."""


def copied_share(real: Windows, synthetic: Windows, train: Windows) -> dict[str, float]:
    """Share of windows whose whole sequence of (length, direction) stands in `train`, 0 to 1.

    `synthetic` is 0 where nothing is a copy and 1 where everything is. Devices repeat themselves,
    so `real` says how much of new real traffic stands there too; only more than that is copying.
    """
    return {
        "synthetic": float(np.mean(_longest_runs(synthetic, train) == train.size)),
        "real": float(np.mean(_longest_runs(real, train) == train.size)),
    }


def copied_run(real: Windows, synthetic: Windows, train: Windows) -> dict[str, float]:
    """Longest run of (length, direction) in a window that stands in `train`, in packets, 0 to L.

    The mean over the windows and the longest of all, for synthetic windows and for new real ones.
    """
    runs = {"synthetic": _longest_runs(synthetic, train), "real": _longest_runs(real, train)}
    means = {name: float(run.mean()) for name, run in runs.items()}
    return means | {f"{name}_longest": float(run.max()) for name, run in runs.items()}


def nearest_distance(real: Windows, synthetic: Windows, train: Windows) -> dict[str, float]:
    """Mean distance from a window to the nearest one of `train`, and the ratio of the two.

    `ratio` is synthetic over real: 0 where all synthetic windows are copies, 1 where they are as
    far from what was learnt as new real traffic is, more where they are farther; infinite where
    only the real windows are copies. Distances are those of `features.embed`.

    Source: distance to the closest record, with held-out records as the measure (Platzer and
    Reutterer 2021, "Holdout-Based Empirical Assessment of Mixed-Type Synthetic Data").
    """
    points = embed(train, real)
    far = {
        "synthetic": float(_nearest(embed(synthetic, real), points).mean()),
        "real": float(_nearest(embed(real, real), points).mean()),
    }
    if far["synthetic"] == far["real"]:
        return far | {"ratio": 1.0}
    return far | {"ratio": far["synthetic"] / far["real"] if far["real"] else math.inf}


def membership_inference(real: Windows, synthetic: Windows, train: Windows) -> dict[str, float]:
    """How well synthetic windows give away which windows the generator was fitted on.

    The attacker holds them against each window of `train` (members) and of `real` (not members)
    and takes those near a synthetic window for members. `auc`, the area under its ROC curve, is
    0.5 where nothing leaks and 1 where every member is known for one; few synthetic windows can
    only give away few members. `tpr` is the share of members that are known for one when 1 % of
    the others are taken for members, too: 0.01 where nothing leaks.

    Source: the full black-box attack of GAN-Leaks (Chen, Yu, Zhang and Fritz 2020); true positives
    at few false ones as of Carlini et al. 2022, "Membership Inference Attacks From First
    Principles".
    """
    candidates = Windows.concatenate([train, real])
    member = np.arange(len(candidates)) < len(train)
    distance = _nearest(embed(candidates, real), embed(synthetic, real))
    # of those at the same distance only a share is taken: the curve between its points
    false, true, _ = roc_curve(member, -distance)
    return {
        "auc": float(roc_auc_score(member, -distance)),
        "tpr": float(np.interp(_FALSE_POSITIVES, false, true)),
    }


def _nearest(points_ND: NDArray[np.float64], among_MD: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance (N) from each point to the nearest of M others, exactly 0 to an equal one."""
    search = NearestNeighbors(n_neighbors=1).fit(among_MD)
    nearest = search.kneighbors(points_ND, return_distance=False)[:, 0]
    # the search expands squares, whose rounding keeps equal points a little apart
    distance: NDArray[np.float64] = np.linalg.norm(points_ND - among_MD[nearest], axis=1)
    return distance


def _longest_runs(windows: Windows, train: Windows) -> NDArray[np.int64]:
    """The longest run of (length, direction) of each window that stands in `train` (N)."""
    both = Windows.concatenate([train, windows])
    packet = both.length.astype(np.int64) * 2 + both.outgoing
    kinds = int(packet.max(initial=0)) + 1
    longest = np.zeros(len(windows), dtype=np.int64)
    run = np.zeros_like(packet)
    for size in range(1, both.size + 1):
        # a run is the one without its last packet, and that packet; each gets a number
        joined = run[:, : both.size - size + 1] * kinds + packet[:, size - 1 :]
        _, run = np.unique(joined, return_inverse=True)
        run = run.reshape(joined.shape)
        stands = np.isin(run[len(train) :], run[: len(train)]).any(axis=1)
        if not stands.any():
            break
        longest[stands] = size
    return longest
