"""The results of an evaluation, as stored in a results file (JSON).

One entry a measurement, each with its keys: a table to select from rather than a tree to traverse.
`evaluate` writes such a file for one device, `benchmark` for many, `report` reads both.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, computed_field

from iotflowgen.errors import ResultsError
from iotflowgen.evaluation.cross_validation import Detection
from iotflowgen.evaluation.day import Day
from iotflowgen.evaluation.profile import Profile
from iotflowgen.evaluation.trials import Protocol
from iotflowgen.files import parsed_text, whole_file

__all__ = ["Attack", "Cell", "Device", "Identification", "Results", "Sample", "read_results"]

SCHEMA = 2

Figure = Annotated[
    float | None, BeforeValidator(lambda x: x if x is None or math.isfinite(x) else None)
]
"""None where it is infinite or undefined, which JSON cannot say."""


class _Entry(BaseModel):
    # computed fields are written, and computed anew when read
    model_config = ConfigDict(frozen=True, extra="ignore")


class Device(_Entry):
    """A device and its captures."""

    name: str
    captures: dict[str, str]
    """SHA-256 of each file, by name."""
    packets: int


class Attack(_Entry):
    """One adversary in one trial."""

    detection: Detection
    """Synthetic windows against real ones."""
    control: Detection
    """Genuine windows in place of the synthetic ones; under `held-out` windows of G."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def excess(self) -> float:
        """Accuracy minus that of the control; 0 where synthetic is as hard to tell as genuine."""
        return self.detection.mean - self.control.mean


class Cell(_Entry):
    """One adversary against one generator on one device under one protocol."""

    device: str
    protocol: Protocol
    generator: str
    adversary: str
    attacks: tuple[Attack, ...] = ()
    """One a trial."""
    error: str | None = None
    """Why there are none."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def accuracy(self) -> float | None:
        """Mean over the trials."""
        return mean(a.detection.mean for a in self.attacks) if self.attacks else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def excess(self) -> float | None:
        """Mean over the trials; their own are the spread."""
        return mean(a.excess for a in self.attacks) if self.attacks else None


class Sample(_Entry):
    """What one generator drew in one trial."""

    device: str
    protocol: Protocol
    generator: str
    trial: int
    """Which of the protocol, from 0."""
    windows: int = 0
    """Synthetic windows, and as many real ones."""
    train: tuple[str, ...] = ()
    """Captures that it was fitted on."""
    unseen: tuple[str, ...] = ()
    """Captures that its windows were told from."""
    fit_seconds: float | None = None
    """Of one core."""
    sample_seconds: float | None = None
    """Of one core."""
    metrics: dict[str, dict[str, Figure]] = {}
    """`evaluation.metrics`, under `held-out` only: elsewhere nothing is unseen."""
    profiles: dict[str, Profile] = {}
    """Of `real`, `control` and `synthetic` windows, for pictures."""
    days: dict[str, Day] = {}
    """Of `real` and `synthetic` traffic, for a picture; where both last for days."""
    error: str | None = None
    """Why it drew nothing."""


class Identification(_Entry):
    """A device-type classifier over all devices, in one split (threat model, section 3).

    Real windows of G train it; each figure is a share of windows by device.
    """

    generator: str
    trial: int
    accuracy: dict[str, float]
    """Real windows of H taken for the device that they are of."""
    acceptance: dict[str, float]
    """Synthetic windows taken for their device: train on real, test on synthetic."""
    train_on_synthetic: dict[str, float]
    """Real windows of H taken for their device by a classifier that synthetic windows trained."""
    error: str | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ratio(self) -> float | None:
        """Mean acceptance over mean accuracy: 1 where synthetic windows pass as new real ones do.

        More than 1 where they repeat what the classifier was trained on, windows of G.
        """
        if not self.acceptance or not any(self.accuracy.values()):
            return None
        return mean(self.acceptance.values()) / mean(self.accuracy.values())


class Results(_Entry):
    """A results file."""

    schema_version: int = SCHEMA
    made_with: dict[str, Any]
    """Settings, seed and versions."""
    devices: tuple[Device, ...] = ()
    cells: tuple[Cell, ...] = ()
    samples: tuple[Sample, ...] = ()
    identification: tuple[Identification, ...] = ()

    def select(self, **wanted: str) -> Iterator[Cell]:
        """Cells of the given device, protocol, generator and adversary, errors left out."""
        for cell in self.cells:
            if cell.error is None and all(getattr(cell, k) == v for k, v in wanted.items()):
                yield cell

    def write(self, path: Path) -> Self:
        """Write the file, whole or not at all.

        Raises:
            OutputError: It cannot be written.
        """
        text = json.dumps(_rounded(self.model_dump(mode="json")), allow_nan=False)
        with whole_file(path) as temporary:
            temporary.write_text(text + "\n")
        return self


def read_results(path: Path) -> Results:
    """Read a results file.

    Raises:
        ResultsError: It is absent, damaged, no results file, or of another schema version.
    """
    try:
        said = parsed_text(path, json.loads)
        version = said.get("schema_version")
    except OSError as error:
        raise ResultsError(f"cannot read {path} ({error.strerror}); check the name") from error
    except (ValueError, AttributeError) as error:
        raise ResultsError(
            f"{path} is not a results file; evaluate and benchmark write them"
        ) from error
    if version != SCHEMA:
        raise ResultsError(
            f"{path} has schema version {version}, this iotflowgen reads {SCHEMA}; make it again"
        )
    try:
        return Results.model_validate(said)
    except ValidationError as error:
        raise ResultsError(f"{path} has unknown entries; make it again") from error


def _rounded(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Six digits behind the point: more is noise, and fills the file."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return value
