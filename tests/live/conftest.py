"""A model, and networks in namespaces."""

import subprocess
import sys
from pathlib import Path

import pytest

import iotflowgen as iot
from tests.live.networks import allowed, site

PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
REPOSITORY = Path(__file__).parents[2]


def pytest_collection_modifyitems(items):
    if allowed():
        return
    for item in items:
        if "network" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="no right to make network namespaces"))


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for name in ("plug", "camera"):
        iot.fit(REPOSITORY / "samples" / name).save(folder / f"{name}.model")
    return folder


@pytest.fixture
def network(tmp_path):
    with site() as made:
        made.started = started = []

        def start_command(*words):
            """Start something; it ends with the test."""
            command = [*map(str, words)]
            started.append(process := subprocess.Popen(command, text=True, **PIPES))
            return process

        made.start_command = start_command
        # puts decoys on the network
        made.start = lambda *words: start_command(*made.live(*words, "--json"))
        made.host = made.namespace("host")
        made.plug_in(made.host, "near0")
        made.plug_in(made.host, "far0")
        made.live = lambda *words: made.host.command(
            *(Path(sys.executable).with_name("iotflowgen"), "live"),
            *("--socket", tmp_path / "live.sock", *words),
        )
        yield made
        for process in started:
            process.terminate()
            process.communicate(timeout=10)
