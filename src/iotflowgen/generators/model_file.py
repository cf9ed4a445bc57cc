"""The model file: one safetensors file, whose metadata says in JSON what made it.

Nothing is ever unpickled. A file of another schema version is refused by name.
"""

import hashlib
import json
import platform
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from iotflowgen.capture import is_capture, other_format
from iotflowgen.compression import LARGEST_FILE
from iotflowgen.errors import ModelError
from iotflowgen.files import whole_file
from iotflowgen.plugins import GENERATORS
from iotflowgen.recording import Identities, Recording
from iotflowgen.traffic import check_columns

__all__ = [
    "ModelMetadata",
    "StoredModel",
    "digest",
    "read_model",
    "versions",
    "write_model",
]

SCHEMA = 6
_KEY = "iotflowgen"
_RECORDING = "recording."
_OF_PACKETS = ("", "packets.", _RECORDING)
"""How the names of columns of packets begin: a generator's own, those that ports are drawn from,
and the recorded ones."""


class ModelMetadata(BaseModel):
    """What a model file says, beside its tensors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA
    generator: str
    """Name of the generator that wrote it."""
    seed: NonNegativeInt
    """The seed of the fit."""
    config: dict[str, Any]
    """The generator's configuration."""
    vocabularies: dict[str, Any]
    """What tokens stand for, and whatever else the generator learnt that is not a tensor."""
    report: dict[str, Any]
    """How the fit went."""
    captures: tuple[NonNegativeInt, ...]
    """Packets of each capture that it was fitted on; nothing says which captures these were."""
    versions: dict[str, str]
    """What made it."""
    identities: Identities | None = None
    """Who the captured hosts are; absent where no frames were at hand."""
    sha256: str = ""
    """Of the tensors, by which damage is noticed."""


class StoredModel(NamedTuple):
    """All that a model file holds."""

    path: Path
    metadata: ModelMetadata
    tensors: dict[str, NDArray[Any]]
    """What the generator learnt."""
    recording: Recording | None
    """The captured packets; None where no frames were at hand."""


def versions() -> dict[str, str]:
    """The versions that results depend on, of what is installed."""
    packages = ("iotflowgen", "numpy", "scapy", "scikit-learn", "torch", "vector-quantize-pytorch")
    found = {"python": platform.python_version()}
    for name in packages:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def write_model(
    path: Path,
    metadata: ModelMetadata,
    tensors: Mapping[str, NDArray[Any]],
    recording: Recording | None = None,
) -> None:
    """Write a model file, whole or not at all, for its owner alone to read.

    Raises:
        OutputError: The file cannot be written.
    """
    held = dict(tensors)
    if recording is not None:
        metadata = metadata.model_copy(update={"identities": recording.identities})
        held |= {_RECORDING + name: tensor for name, tensor in recording.tensors().items()}
    plain = {name: np.ascontiguousarray(tensor) for name, tensor in held.items()}
    metadata = metadata.model_copy(update={"sha256": digest(plain)})
    with whole_file(path, private=True) as temporary:
        # not save_file, whose errors of a full disk are no OSError
        temporary.write_bytes(save(plain, metadata={_KEY: metadata.model_dump_json()}))


def read_model(path: Path, of: str | None = None) -> StoredModel:
    """What a model file holds.

    Args:
        path: The file.
        of: The generator that must have written it; any, if none is named.

    Raises:
        ModelError: The file is absent, damaged, no model, of another schema version, or of another
            generator.
    """
    said, tensors = _read(path)
    try:
        found = json.loads(said).get("schema_version")
        if found != SCHEMA:
            raise ModelError(
                f"{path} has schema version {found}, this iotflowgen reads {SCHEMA}; fit it again"
            )
        metadata = ModelMetadata.model_validate_json(said)
    except (ValidationError, ValueError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path} has unknown entries; fit it again") from error
    if metadata.generator not in GENERATORS:
        raise ModelError(f"{path} is a model of {metadata.generator}, which this version lacks")
    if of and metadata.generator != of:
        raise ModelError(f"{path} is a model of {metadata.generator}, not of {of}")
    if metadata.sha256 != digest(tensors):
        raise ModelError(f"{path} holds parts that do not fit; fit it again")
    try:
        for prefix in _OF_PACKETS:
            found = {
                name.removeprefix(prefix): tensors[name]
                for name in tensors
                if name.startswith(prefix)
            }
            check_columns(found)
        recorded = {name: tensors.pop(name) for name in [*tensors] if name.startswith(_RECORDING)}
        recording = None
        if metadata.identities is not None:
            columns = {name.removeprefix(_RECORDING): each for name, each in recorded.items()}
            recording = Recording.of_tensors(columns, metadata.identities)
            if len(recording) != sum(metadata.captures):
                raise ValueError("the recording has other packets than the captures")
    except (ValueError, KeyError) as error:
        raise ModelError(f"{path} holds parts that do not fit; fit it again") from error
    return StoredModel(path, metadata, tensors, recording)


def _why_unreadable(path: Path) -> str:
    """What a file is that is no safetensors file, by how it begins."""
    with path.open("rb") as file:
        begins = file.read(9)
    if begins[8:] == b"{":
        return f"{path} is a damaged model; copy or fit it again"
    others = {b"PAR1": "a Parquet table", b"{": "JSON"}
    kind = "".join(f"{name}, " for start, name in others.items() if begins.startswith(start))
    return f"{path} is {kind}not a model; make one with: iotflowgen fit CAPTURES --out my.model"


def digest(tensors: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 of the names, types, shapes and bytes of tensors."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tensor.shape} ".encode())
        digest.update(np.ascontiguousarray(tensor).tobytes())
    return digest.hexdigest()


def _read(path: Path) -> tuple[str, dict[str, NDArray[Any]]]:
    """The metadata and the tensors of a safetensors file."""
    if not path.exists():
        raise ModelError(f"there is no model {path}; make one with: iotflowgen fit")
    try:
        if path.is_dir() or is_capture(path):
            raise ModelError(
                f"{path} is not a model; make one with: iotflowgen fit {path} --out my.model"
            )
        if other := other_format(path):
            raise ModelError(f"{path} {other}")
        if path.stat().st_size > LARGEST_FILE:
            raise ModelError(f"{path} is larger than any model; choose another")
        with safe_open(path, framework="np") as file:
            said = (file.metadata() or {}).get(_KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        reason = error.strerror or str(error)
        raise ModelError(f"cannot read {path}: {reason}; choose another model") from error
    except (SafetensorError, ValueError) as error:
        raise ModelError(_why_unreadable(path)) from error
    if said is None:
        raise ModelError(f"{path} is a safetensors file, but not of iotflowgen; choose another")
    return said, tensors
