"""The guide's commands run as they stand, in namespaces."""

import os
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.live.networks import run

NEEDED = ("nft", "nmap", "arping")


@pytest.mark.network
@pytest.mark.skipif(not all(map(shutil.which, NEEDED)), reason=f"{NEEDED} are not all installed")
def test_a_decoy_in_ten_minutes(tmp_path, request):
    for name in ("gateway", "attacker"):
        request.addfinalizer(partial(run, "ip", "netns", "del", name))
    text = (REPOSITORY / "docs" / "live.md").read_text()
    look, harmless = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)[:2]
    shutil.copytree(REPOSITORY / "samples" / "plug", tmp_path / "captures" / "plug")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for block in (look, harmless):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "check.pcap").stat().st_size > 1000
    assert "2 packets received" in done.stdout
    assert re.search(r"80/tcp +open", done.stdout)
    assert "99 closed tcp ports (reset)" in done.stdout
