"""Properties of generated windows that need no adversary: metrics, and data for plots."""

from iotflowgen.encoding import SignatureConfig, extract_signatures
from iotflowgen.evaluation.metrics import METRICS, signature_rates
from iotflowgen.evaluation.profile import Profile, profile
from iotflowgen.evaluation.trials import Trial
from iotflowgen.traffic import Windows, cut_windows, every_window_start

__all__ = ["describe", "measure"]


def measure(trial: Trial[Windows], synthetic: Windows) -> dict[str, dict[str, float]]:
    """Every metric of a `held-out` trial; under `paper` none, for there nothing is unseen."""
    if trial.dealt is None:
        return {}
    train = cut_windows(trial.train, every_window_start(trial.train, synthetic.size))
    signatures = extract_signatures(trial.unseen, SignatureConfig())
    metrics = {**METRICS, "signature_rates": signature_rates(signatures)}
    return {name: metric(trial.real, synthetic, train) for name, metric in metrics.items()}


def describe(trial: Trial[Windows], synthetic: Windows) -> dict[str, Profile]:
    """Profiles of the real, the control's and the synthetic windows."""
    sets = {"real": trial.real, "control": trial.control, "synthetic": synthetic}
    return {name: profile(windows, trial.real) for name, windows in sets.items()}
