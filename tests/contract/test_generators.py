"""What every generator promises, whichever method it is."""

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors import safe_open
from safetensors.numpy import save_file

from iotflowgen import load
from iotflowgen.errors import ModelError, OutputError, TooShort
from iotflowgen.generators import GENERATORS, read_model
from iotflowgen.generators.model_file import SCHEMA
from iotflowgen.traffic import Windows
from tests.conftest import make_trace
from tests.small import SMALL

pytestmark = pytest.mark.parametrize("name", sorted(GENERATORS))


def fit(name, traces, seed=0):
    return GENERATORS[name](SMALL[name], seed=seed).fit(traces)


@pytest.fixture(scope="module")
def fitted(traces):
    return {name: fit(name, traces) for name in GENERATORS}


def same(a, b):
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in Windows.columns())


def test_draws_as_many_windows_as_asked(name, fitted):
    for n in (0, 1, 250):
        windows = fitted[name].sample(n, np.random.default_rng(0))
        assert windows.length.shape == (n, SMALL[name].window)


def test_windows_could_be_the_devices(name, fitted, traces):
    windows = fitted[name].sample(300, np.random.default_rng(0))
    lengths = {length for trace in traces for length in trace.length.tolist()}
    assert set(windows.length.ravel().tolist()) <= lengths
    configurations = {p for trace in traces for p in trace.protocols.tolist()}
    assert set(windows.protocols.ravel().tolist()) <= configurations
    assert windows.duration_ns.min() >= 0
    assert 0.3 < windows.outgoing.mean() < 0.7
    assert np.isin([123, 443], windows.dst_port).all()


def test_windows_differ(name, fitted):
    windows = fitted[name].sample(100, np.random.default_rng(0))
    assert len(np.unique(windows.duration_ns, axis=0)) == 100


def test_what_repeats_captured_packets_says_which(name, fitted, traces):
    windows = fitted[name].sample(100, np.random.default_rng(0))
    if windows.source is None:
        assert windows.flow is None
        return
    assert windows.source.shape == windows.flow.shape == windows.length.shape
    for column in ("outgoing", "protocols"):
        captured = np.concatenate([getattr(trace, column) for trace in traces])
        assert np.array_equal(getattr(windows, column), captured[windows.source])
    device = np.where(windows.outgoing, windows.src_port, windows.dst_port)
    peer = np.where(windows.outgoing, windows.dst_port, windows.src_port)
    for row in range(len(windows)):
        columns = (column[row].tolist() for column in (windows.flow, device, peer))
        pairs = {(flow, *ports) for flow, *ports in zip(*columns, strict=True) if flow >= 0}
        assert pairs
        assert len(pairs) == len({flow for flow, *_ in pairs})


def test_the_same_seed_gives_the_same_windows(name, fitted, traces):
    first, again = (fitted[name].sample(50, np.random.default_rng(3)) for _ in range(2))
    assert same(first, again)
    assert not same(first, fitted[name].sample(50, np.random.default_rng(4)))
    assert same(first, fit(name, traces).sample(50, np.random.default_rng(3)))


def test_a_saved_model_draws_the_same_windows(name, fitted, tmp_path):
    path = tmp_path / "device.model"
    fitted[name].save(path)
    model = load(path)
    assert model.recording is None
    loaded = model.generator
    assert type(loaded) is GENERATORS[name]
    assert same(
        loaded.sample(50, np.random.default_rng(3)),
        fitted[name].sample(50, np.random.default_rng(3)),
    )
    loaded.save(tmp_path / "again.model")
    assert path.read_bytes() == (tmp_path / "again.model").read_bytes()


def test_a_model_says_what_made_it(name, fitted, traces, tmp_path):
    fitted[name].save(tmp_path / "device.model")
    metadata = read_model(tmp_path / "device.model").metadata
    assert metadata.generator == name
    assert list(metadata.captures) == [len(trace) for trace in traces]
    assert {"iotflowgen", "torch", "numpy"} <= set(metadata.versions)


def test_progress_is_told_to_the_end(name, traces):
    told = {}

    def progress(stage, done, total, note=""):
        told.setdefault(stage, []).append((done, total))

    fitted = GENERATORS[name](SMALL[name]).fit(traces, progress=progress)
    fitted.sample(20, np.random.default_rng(0), progress=progress)
    assert "sample" in told
    assert len(told) > 1
    for steps in told.values():
        assert [done for done, _ in steps] == sorted(done for done, _ in steps)
        assert steps[-1][0] == steps[-1][1]


def test_captures_shorter_than_a_window_are_refused(name):
    with pytest.raises(TooShort, match="--window"):
        fit(name, [make_trace(str(i), i, packets=5) for i in range(4)])


def test_no_captures_are_refused(name):
    with pytest.raises(TooShort):
        fit(name, [])


def test_an_interrupted_fit_goes_no_further(name, traces):
    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        GENERATORS[name](SMALL[name]).fit(traces, progress=interrupt)


def test_a_misspelt_setting_is_refused(name):
    with pytest.raises(ValidationError, match="windw"):
        GENERATORS[name].Config.model_validate({"windw": 20})


def test_a_model_is_written_whole_or_not_at_all(name, fitted, tmp_path):
    occupied = tmp_path / "folder.model"
    occupied.mkdir()
    with pytest.raises(OutputError, match=r"folder\.model"):
        fitted[name].save(occupied)
    assert list(tmp_path.iterdir()) == [occupied]


@pytest.mark.parametrize("keep", [0, 7, 1000, -100])
def test_a_cut_model_is_refused(name, fitted, tmp_path, keep):
    path = tmp_path / "device.model"
    fitted[name].save(path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelError, match="fit it again" if keep > 8 or keep < 0 else "not a model"):
        load(path)


def test_a_model_of_another_version_is_refused_by_name(name, fitted, tmp_path):
    path = tmp_path / "device.model"
    fitted[name].save(path)
    with safe_open(path, framework="np") as file:
        said = file.metadata()["iotflowgen"]
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    newer = said.replace(f'"schema_version":{SCHEMA}', '"schema_version":99')
    assert newer != said
    save_file(tensors, path, metadata={"iotflowgen": newer})
    with pytest.raises(ModelError, match=f"schema version 99, this iotflowgen reads {SCHEMA}"):
        load(path)
    other = said.replace(f'"generator":"{name}"', '"generator":"nonesuch"')
    save_file(tensors, path, metadata={"iotflowgen": other})
    with pytest.raises(ModelError, match="nonesuch"):
        load(path)
    first = sorted(tensors)[0]
    save_file({k: v for k, v in tensors.items() if k != first}, path, metadata={"iotflowgen": said})
    with pytest.raises(ModelError, match="do not fit"):
        load(path)


def test_what_is_no_model_is_refused(name, tmp_path):
    assert name in GENERATORS
    with pytest.raises(ModelError, match="there is no model"):
        load(tmp_path / "absent.model")
    (tmp_path / "text.model").write_text("not a model")
    with pytest.raises(ModelError, match="is not a model; make one"):
        load(tmp_path / "text.model")
    save_file({}, tmp_path / "other.model", metadata={"who": "somebody"})
    with pytest.raises(ModelError, match="not of iotflowgen"):
        load(tmp_path / "other.model")
