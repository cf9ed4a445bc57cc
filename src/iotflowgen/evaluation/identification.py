"""Which device a window is of, among all devices: what the adversary wants to know (section 3).

The paper states that goal and measures another, real against synthetic. Here a random forest tells
device types apart, as in IoT Sentinel (Miettinen et al. 2017), over what a window holds and a
summary of it. IoT Sentinel has a forest a type and settles ties by edit distance, as new types
keep coming; with all types known, one forest is enough. Its settings are scikit-learn's own, save
that devices weigh alike: one with few windows is found more often for it, though not as often as if
it had many.

Three figures a generator, each by device: how often new real windows are identified, how often
synthetic ones are taken for the device they imitate, and how often new real windows are identified
by a forest that has learnt from synthetic ones. Devices that are all but the same hardware are
taken for each other, so the first is what the others are measured by.

A generator gains nothing by failing: where it has no windows of a device, the device stays in the
choice, represented by real windows of G in training, and is left out of all three figures.

The ratio of the second to the first may exceed 1. The forest knows windows of G by heart, so copies
of them, or of their ephemeral ports alone, pass more often than new real windows do. The metrics of
copying tell that apart.

Shapes: N windows.
"""

from collections.abc import Mapping

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from iotflowgen.adversaries.features import features
from iotflowgen.evaluation.results import Identification
from iotflowgen.evaluation.trials import Trial
from iotflowgen.progress import Progress, silent
from iotflowgen.traffic import Windows

__all__ = ["identify"]


def identify(
    trials: Mapping[str, Trial[Windows]],
    synthetic: Mapping[str, Mapping[str, Windows]],
    *,
    trial: int,
    seed: int,
    progress: Progress = silent,
) -> tuple[Identification, ...]:
    """Identify devices by real and by synthetic windows.

    Args:
        trials: A held-out trial a device, of the same number.
        synthetic: By generator, then by device: windows (N) learnt from the G of that trial. A
            generator that drew none for a device lacks it.
        trial: The number, from 0.
        seed: Of every forest, so that naming more generators changes no figure.
        progress: Told after each generator.

    Returns:
        An entry a generator; one without figures says why.
    """
    devices = sorted(trials)
    genuine = {device: trials[device].control for device in devices}
    if len(devices) < 2:
        error = "one device alone is taken for no other; name more --devices"
        return tuple(_failed(generator, trial, error) for generator in synthetic)
    by_genuine = _Classifier(genuine, seed)
    accuracy = by_genuine.identified({device: trials[device].real for device in devices})

    found: list[Identification] = []
    for generator, imitated in synthetic.items():
        windows = {device: imitated[device] for device in devices if device in imitated}
        if windows:
            unseen = {device: trials[device].real for device in windows}
            entry = Identification(
                generator=generator,
                trial=trial,
                accuracy={device: accuracy[device] for device in windows},
                acceptance=by_genuine.identified(windows),
                train_on_synthetic=_Classifier(genuine | windows, seed).identified(unseen),
            )
        else:
            entry = _failed(generator, trial, f"{generator} drew no windows of any device")
        found.append(entry)
        progress("identify", len(found), len(synthetic), generator)
    return tuple(found)


class _Classifier:
    """A random forest that tells devices apart."""

    def __init__(self, windows: Mapping[str, Windows], seed: int) -> None:
        device = np.repeat(list(windows), [len(of_device) for of_device in windows.values()])
        self._forest = RandomForestClassifier(class_weight="balanced", random_state=seed)
        self._forest.fit(features(Windows.concatenate(list(windows.values()))), device)

    def identified(self, windows: Mapping[str, Windows]) -> dict[str, float]:
        """Share of each device's windows that are taken for that device."""
        return {
            device: float(np.mean(self._forest.predict(features(of_device)) == device))
            for device, of_device in windows.items()
        }


def _failed(generator: str, trial: int, error: str) -> Identification:
    return Identification(
        generator=generator,
        trial=trial,
        accuracy={},
        acceptance={},
        train_on_synthetic={},
        error=error,
    )
