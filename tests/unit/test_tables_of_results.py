"""Every table in README and docs is what the committed results say; and these are whole."""

import json
import subprocess
import sys

from tests.conftest import REPOSITORY


def test_tables_are_those_of_the_results():
    command = [sys.executable, "benchmarks/tables.py", "--check"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_each_trial_of_the_benchmark_is_there_once():
    found = json.loads((REPOSITORY / "benchmarks" / "results" / "benchmark.json").read_text())
    trials = [
        (each["device"], each["protocol"], each["generator"], each["trial"])
        for each in found["samples"]
    ]
    cells = [
        (each["device"], each["protocol"], each["generator"], each["adversary"])
        for each in found["cells"]
    ]
    assert trials
    assert cells
    assert len(set(trials)) == len(trials)
    assert len(set(cells)) == len(cells)
