"""References of a model file may be anything: they are refused, or do no harm."""

from dataclasses import replace

import numpy as np
import pytest

from iotflowgen.capture import read_captures, read_frames
from iotflowgen.errors import ModelError
from iotflowgen.packets import Pseudonyms, Renderer, Rows, Templates, record
from iotflowgen.recording import Recording
from tests.conftest import REPOSITORY

PATHS = sorted((REPOSITORY / "samples" / "plug").iterdir())[:1]
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def recording():
    return record(read_frames(PATHS, read_captures(PATHS)))


def damaged(column):
    """What may stand in the place of a column, by what was done to it."""
    yield "longer", np.concatenate([column, column, column[:1], column[:1]])
    yield "none", column[:0]
    yield "deeper", column[..., None]
    yield "of another type", column.astype(np.float32)
    if column.dtype.kind in "iu":
        kind = np.iinfo(column.dtype)
        for number in {kind.min, max(kind.min, -1), kind.max}:
            yield f"all {number}", np.full_like(column, number)
        yield "random", RNG.integers(kind.min, kind.max, column.shape, dtype=column.dtype)
    if column.dtype.kind == "b":
        yield "random", RNG.random(column.shape) < 0.5


def render(recording):
    whole = Recording.of_tensors(recording.tensors(), recording.identities)
    persona = Pseudonyms(whole.identities, np.random.default_rng(0), keep=True)
    templates = Templates(whole)
    renderer = Renderer(templates, templates.disguise(persona), np.random.default_rng(0))
    source = np.arange(0, len(whole), 3)
    ports = np.full(len(source), 50_000, dtype=np.int32)
    rows = Rows(
        number=np.arange(len(source)),
        session=whole.capture[source],
        flow=whole.flow[source],
        time_ns=whole.time_ns[source],
        length=whole.length[source],
        outgoing=whole.outgoing[source],
        src_port=ports,
        dst_port=ports,
        protocols=whole.protocols[source],
        source=source,
    )
    assert renderer.render(rows).size.tolist() == rows.length.tolist()


@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")
def test_references_are_refused_or_do_no_harm(recording):
    render(recording)
    refused = 0
    for name, column in recording.references.items():
        for how, other in damaged(column):
            try:
                render(replace(recording, references={**recording.references, name: other}))
            except ModelError:
                refused += 1
            except Exception as error:
                raise AssertionError(f"{name}, {how}") from error
    assert refused > 3 * len(recording.references)
    size = recording.frames.size.astype(np.int32)
    render(replace(recording, references={**recording.references, "captured": size // 2}))
    for other in (size - 10**6, size + 1, size[:-1]):
        with pytest.raises(ModelError):
            render(replace(recording, references={**recording.references, "captured": other}))
    for name in recording.references:
        without = {
            each: recording.references[each] for each in recording.references.keys() - {name}
        }
        with pytest.raises(ModelError):
            render(replace(recording, references=without))


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("capture", np.array([1, 0])),
        ("capture", np.array([0, 2**40])),
        ("flow", np.array([0, 2])),
        ("flow", np.array([-2, 0])),
        ("flow", np.array([0.0, 0.0])),
        ("length", np.array([60], dtype=np.int32)),
        ("size", np.array([70, -10], dtype=np.int32)),
        ("size", np.array([60, 1], dtype=np.int32)),
    ],
)
def test_columns_of_a_recording_are_refused_where_they_cannot_be(recording, name, column):
    tensors = {name: tensor[:2] for name, tensor in recording.tensors().items()}
    tensors["size"] = np.array([30, 30], dtype=np.int32)
    tensors["data"] = np.zeros(60, dtype=np.uint8)
    Recording.of_tensors(tensors, recording.identities)
    with pytest.raises(ValueError, match="recording"):
        Recording.of_tensors({**tensors, name: column}, recording.identities)
