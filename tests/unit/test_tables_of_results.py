"""Every table in README and docs is what the committed results say."""

import subprocess
import sys

from tests.conftest import REPOSITORY


def test_tables_are_those_of_the_results():
    command = [sys.executable, "benchmarks/tables.py", "--check"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
