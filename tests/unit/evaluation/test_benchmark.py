import json

import numpy as np
import pytest

from iotflowgen.evaluation import Benchmark, BenchmarkConfig, read_results
from tests.conftest import REPOSITORY

SAMPLES = REPOSITORY / "samples"


@pytest.fixture(scope="module", autouse=True)
def toys():
    """A quick adversary among the known ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(REPOSITORY / "tests" / "outside")
        yield


def config(**more):
    chosen = {
        "devices": ("plug", "camera"),
        "generators": ("markov", "replay"),
        "adversaries": ("toy-adversary",),
        "window": 8,
        "windows": 40,
    }
    return BenchmarkConfig(**{**chosen, **more})


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    results = Benchmark(config(), SAMPLES, folder).run(processes=1)
    return folder, results


def stamps(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_every_cell_is_there_and_the_file_says_the_same(done):
    folder, results = done
    assert read_results(folder / "results.json").model_dump_json()
    assert len(results.cells) == 2 * 2 * 2
    for cell in results.cells:
        assert cell.error is None
        assert len(cell.attacks) == (1 if cell.protocol == "paper" else 2)
        excess = np.mean([a.detection.mean - a.control.mean for a in cell.attacks])
        assert cell.excess == pytest.approx(excess)
    assert len(results.samples) == 2 * 2 * (1 + 2)
    assert {entry.generator for entry in results.identification} == {"markov", "replay"}
    assert {device.name for device in results.devices} == {"plug", "camera"}
    copied = {
        sample.generator: sample.metrics["copied_share"]["synthetic"]
        for sample in results.samples
        if sample.protocol == "held-out"
    }
    assert copied["replay"] == 1


def test_one_control_serves_all_generators(done):
    _, results = done
    controls = {}
    for cell in results.cells:
        for i, attack in enumerate(cell.attacks):
            controls.setdefault((cell.device, cell.protocol, i), set()).add(attack.control)
    assert all(len(found) == 1 for found in controls.values())


def test_what_is_done_is_not_done_again_and_more_costs_only_its_own(done, tmp_path):
    folder, _ = done
    before, said = stamps(folder), (folder / "results.json").read_bytes()
    Benchmark(config(), SAMPLES, folder).run(processes=1)
    after = stamps(folder)
    assert (folder / "results.json").read_bytes() == said
    assert {p for p in after if after[p] != before.get(p)} == {folder / "results.json"}
    Benchmark(config(generators=("markov",)), SAMPLES, folder).run(processes=1)
    assert {p for p in stamps(folder) if before.get(p) == stamps(folder)[p]} >= {
        p for p in before if p.parent.name in ("markov", "control")
    }


def test_a_failed_step_is_recorded_and_the_rest_goes_on(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "plug").symlink_to(SAMPLES / "plug")
    (root / "empty").mkdir()
    chosen = config(devices=("plug", "empty"), generators=("replay",), protocols=("paper",))
    results = Benchmark(chosen, root, tmp_path / "out").run(processes=1)
    plug, empty = results.cells
    assert plug.error is None
    assert empty.accuracy is None
    assert "no pcap or pcapng captures" in empty.error
    said = json.loads((tmp_path / "out" / "results.json").read_text())
    assert said["samples"][1]["error"] == empty.error


def test_other_settings_are_other_windows(done, tmp_path):
    folder, _ = done
    before = stamps(folder)
    Benchmark(config(seed=1, devices=("plug",)), SAMPLES, tmp_path).run(processes=1)
    assert stamps(folder) == before
    one = (folder / "windows/plug/paper/markov/0.parquet").read_bytes()
    assert one != (tmp_path / "windows/plug/paper/markov/0.parquet").read_bytes()
