"""Does each field of the synthetic traffic look like the real, one field at a time?

`_control` figures compare as many windows of `train` with the real ones instead: how far real
traffic of the same device stands from itself.

Shapes: N windows, L packets each.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon  # type: ignore[import-untyped]
from scipy.stats import wasserstein_distance  # type: ignore[import-untyped]

from iotflowgen.encoding import Signature
from iotflowgen.evaluation.metrics.features import evenly, log_seconds, scale
from iotflowgen.evaluation.metrics.metric import Metric
from iotflowgen.traffic import Windows

__all__ = ["duration_autocorrelation", "duration_distance", "field_distance", "signature_rates"]

_LAGS = 5
_SYSTEM_PORTS = 1024  # RFC 6335: numbers below name a service


def field_distance(real: Windows, synthetic: Windows, train: Windows) -> dict[str, float]:
    """Jensen-Shannon distance of each field's distribution over all packets, 0 to 1.

    The square root of the divergence to base 2: 0 where both are the same, 1 where no value is in
    both. Every frame length, protocol configuration and direction is a bin of its own; ports below
    1024 are too, and those above share bins 1024 wide, as single ephemeral ones hardly recur.

    Source: Lin 1991, "Divergence Measures Based on the Shannon Entropy"; Endres and Schindelin
    2003 for the root, which is a metric.
    """
    control = evenly(train, len(synthetic))
    figures: dict[str, float] = {}
    for name in ("length", "src_port", "dst_port", "protocols", "outgoing"):
        bins = _port_bins if name.endswith("port") else np.asarray
        expected = bins(getattr(real, name))
        figures[name] = _jensen_shannon(expected, bins(getattr(synthetic, name)))
        figures[f"{name}_control"] = _jensen_shannon(expected, bins(getattr(control, name)))
    return figures


def duration_distance(real: Windows, synthetic: Windows, train: Windows) -> dict[str, float]:
    """Wasserstein-1 distance of the durations' decimal logarithms over all packets, in decades.

    0 where both distributions are the same; 1 where durations are off by a factor of ten on
    average. Durations below a microsecond, which captures do not resolve, count as one.

    Source: Villani 2009, "Optimal Transport", chapter 6.
    """
    expected = log_seconds(real).ravel()
    control = evenly(train, len(synthetic))
    return {
        "decades": float(wasserstein_distance(expected, log_seconds(synthetic).ravel())),
        "decades_control": float(wasserstein_distance(expected, log_seconds(control).ravel())),
    }


def duration_autocorrelation(real: Windows, synthetic: Windows, train: Windows) -> dict[str, float]:
    """Autocorrelation of log durations at lags 1 to 5, synthetic minus real, -2 to 2.

    0 where the rhythm is the same: bursts and pauses follow each other alike. `mean` is that of
    the absolute differences. Pairs are taken within windows, the mean and the variance over all.
    Lags that a window is too short for are left out.

    Source: Box and Jenkins 1970, "Time Series Analysis", chapter 2.
    """
    expected = _autocorrelation(log_seconds(real))
    difference = _autocorrelation(log_seconds(synthetic)) - expected
    control = _autocorrelation(log_seconds(evenly(train, len(synthetic)))) - expected
    figures = {f"lag_{lag}": float(value) for lag, value in enumerate(difference, start=1)}
    return figures | {
        "mean": float(np.abs(difference).mean()),
        "mean_control": float(np.abs(control).mean()),
    }


def signature_rates(signatures: Sequence[Signature]) -> Metric:
    """The metric of how often packet-level signatures occur (paper, section 4.2).

    Of the signatures that real windows show, `found` is the share that synthetic windows show too,
    0 to 1. A signature's rate is the share of windows that hold it: `real` and `synthetic` are the
    mean rates, `difference` is the mean absolute difference of the two, 0 where both sets show
    each signature as often, at most 1. Where real windows show none, nothing is missing: `found`
    is 1 and the others are 0.

    Args:
        signatures: Those of captures that the generator has not seen, found over all packets
            (`encoding.extract_signatures`): windows do not say which packets carry payload.
    """

    def rates(real: Windows, synthetic: Windows, train: Windows) -> dict[str, float]:
        expected = _rates(real, signatures)
        shown = expected > 0
        if not shown.any():
            return {"found": 1.0} | dict.fromkeys(
                ("real", "synthetic", "difference", "difference_control"), 0.0
            )
        expected = expected[shown]
        drawn = _rates(synthetic, signatures)[shown]
        control = _rates(evenly(train, len(synthetic)), signatures)[shown]
        return {
            "found": float(np.mean(drawn > 0)),
            "real": float(expected.mean()),
            "synthetic": float(drawn.mean()),
            "difference": float(np.abs(drawn - expected).mean()),
            "difference_control": float(np.abs(control - expected).mean()),
        }

    return rates


def _jensen_shannon(one: NDArray[np.generic], other: NDArray[np.generic]) -> float:
    values = np.unique(np.concatenate([one, other]))
    counts = [
        np.bincount(np.searchsorted(values, sample).ravel(), minlength=len(values))
        for sample in (one, other)
    ]
    # rounding may leave equal distributions a hair below 0
    return float(np.nan_to_num(jensenshannon(*counts, base=2)))


def _port_bins(ports: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.where(ports < _SYSTEM_PORTS, ports, ports // _SYSTEM_PORTS * _SYSTEM_PORTS)


def _autocorrelation(values_NL: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each lag from 1 on; 0 where nothing varies."""
    centred = values_NL - values_NL.mean()
    variance = scale(centred.var())
    lags = range(1, min(_LAGS, values_NL.shape[1] - 1) + 1)
    return np.array([np.mean(centred[:, :-lag] * centred[:, lag:]) / variance for lag in lags])


def _rates(windows: Windows, signatures: Sequence[Signature]) -> NDArray[np.float64]:
    """The share of windows that hold each signature."""
    return np.array([_holds(windows, signature).mean() for signature in signatures])


def _holds(windows: Windows, signature: Signature) -> NDArray[np.bool_]:
    """Which windows (N) hold packets in a row that fit the signature."""
    places = max(windows.size - len(signature) + 1, 0)
    fits = np.ones((len(windows), places), dtype=bool)
    ranges = zip(signature.outgoing, signature.shortest, signature.longest, strict=True)
    for i, (outgoing, shortest, longest) in enumerate(ranges):
        length = windows.length[:, i : i + places]
        fits &= windows.outgoing[:, i : i + places] == outgoing
        fits &= (length >= shortest) & (length <= longest)
    return np.asarray(fits.any(axis=1))
