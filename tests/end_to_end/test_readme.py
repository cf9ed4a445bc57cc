"""The README's commands and its Python run as they stand, one after the other."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```",
    re.M | re.S,
)
BLOCKS = [*BLOCK.finditer((REPOSITORY / "README.md").read_text())]
RUN = {"sh": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    """A folder with the captures that the README names: every other one is held out."""
    folder = tmp_path_factory.mktemp("readme")
    for name in ("plug", "plug-later"):
        (folder / "captures" / name).mkdir(parents=True)
    for number, capture in enumerate(sorted((REPOSITORY / "samples" / "plug").iterdir())):
        shutil.copy(capture, folder / "captures" / ("plug-later" if number % 2 else "plug"))
    return folder


def test_only_what_sets_up_an_environment_is_not_run():
    assert {block["language"] for block in BLOCKS} == set(RUN)
    left_out = [block["text"] for block in BLOCKS if block["reason"]]
    assert len(left_out) == 2
    assert "pip install ." in left_out[0]
    assert "make test" in left_out[1]


@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if not b["reason"]], ids=lambda b: b["language"]
)
def test_blocks_run_as_they_stand(captures, block):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [*RUN[block["language"]], block["text"]],
        cwd=captures,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {"plug.model", "honeydata.pcap"} <= {file.name for file in captures.iterdir()}
