"""The man page and the completions that are committed, and how they are made."""

import shutil
import subprocess

import pytest
from pages import pages

from iotflowgen.plugins import GENERATORS
from tests.conftest import REPOSITORY

SHARE = REPOSITORY / "share"
MAN = SHARE / "man/man1/iotflowgen.1"


def test_they_are_those_of_the_command_line():
    assert {name: (SHARE / name).read_text() for name in pages()} == pages(), "make share"


def test_the_man_page_has_commands_options_and_choices():
    text = MAN.read_text().replace("\\-", "-")
    for word in ("iotflowgen fit", "iotflowgen evaluate", "--sessions", "--adversary", *GENERATORS):
        assert word in text


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_the_man_page_is_set_without_a_warning():
    command = ["groff", "-man", "-Tutf8", "-ww", "-z", str(MAN)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
