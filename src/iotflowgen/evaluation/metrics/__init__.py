"""Figures that compare synthetic windows with real ones; each metric is one pure function."""

from collections.abc import Mapping

from iotflowgen import plugins
from iotflowgen.evaluation.metrics.copying import (
    copied_run,
    copied_share,
    membership_inference,
    nearest_distance,
)
from iotflowgen.evaluation.metrics.features import embed
from iotflowgen.evaluation.metrics.fields import (
    duration_autocorrelation,
    duration_distance,
    field_distance,
    signature_rates,
)
from iotflowgen.evaluation.metrics.metric import Metric
from iotflowgen.evaluation.metrics.variety import density_coverage, precision_recall, unique_share

__all__ = [
    "METRICS",
    "Metric",
    "copied_run",
    "copied_share",
    "density_coverage",
    "duration_autocorrelation",
    "duration_distance",
    "embed",
    "field_distance",
    "membership_inference",
    "nearest_distance",
    "precision_recall",
    "signature_rates",
    "unique_share",
]

METRICS: Mapping[str, Metric] = plugins.METRICS
"""Every metric that needs nothing but windows; `signature_rates` makes one more."""
