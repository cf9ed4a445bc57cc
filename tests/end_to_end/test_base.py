"""What is installed without extras is enough to learn a device and to imitate it."""

import json
import re
import subprocess
import sys
import tomllib

import pytest

from iotflowgen.extras import EXTRAS
from tests.conftest import REPOSITORY

PLUG = REPOSITORY / "samples" / "plug"
PYTHON_NAMES = {"scikit-learn": "sklearn"}

# commands in one fresh interpreter, which then says how they ended and what they imported; with
# `absent`, as if no extra were installed
SCRIPT = """
import json, sys
arguments, absent = json.loads(sys.argv[1])

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from iotflowgen.cli import main

for sys.argv in arguments:
    try:
        main()
    except SystemExit as end:
        print("status", end.code, file=sys.stderr)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def run(*commands, absent=()):
    """The status and the last line of each command, and what was imported."""
    arguments = [["iotflowgen", *map(str, command)] for command in commands]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps([arguments, list(absent)])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    *said, rest = re.split(r"^status (\d+)\n", done.stderr, flags=re.MULTILINE)
    assert not rest
    lines = [" ".join(text.split("\n")[-2:]).strip() for text in said[::2]]
    statuses = list(map(int, said[1::2]))
    return list(zip(statuses, lines, strict=True)), set(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("base") / "plug.model"
    [(status, said)], _ = run(("fit", PLUG, "--out", path), absent=EXTRAS)
    assert status == 0, said
    return path


def test_versions_and_help_are_told_without_numpy():
    done, imported = run(("--version",), ("--help",), ("generate", "--help"))
    assert [status for status, _ in done] == [0] * 3, done
    assert "numpy" not in imported


def test_what_is_not_asked_for_is_not_imported(model, tmp_path):
    persona = tmp_path / "decoy.toml"
    persona.write_text('ip = "192.168.20.31"\n')
    done, imported = run(
        ("--version",),
        ("--help",),
        ("fit", "--help"),
        ("evaluate", "--help"),
        ("info", PLUG),
        ("info", model),
        ("fit", PLUG, "--generator", "sessions", "--out", tmp_path / "again.model"),
        ("generate", model, "--sessions", 2, "--persona", persona, "--out", tmp_path / "a.pcap"),
        ("generate", model, "--duration", "1m", "--out", tmp_path / "b.pcapng"),
        ("generate", model, "--windows", 5, "--out", tmp_path / "c.pcapng"),
    )
    assert [status for status, _ in done] == [0] * 10, done
    assert "numpy" in imported
    assert imported & EXTRAS.keys() == set()


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (("extract", PLUG, "--out", "{}/x.parquet"), "tables"),
        (("generate", "{model}", "--out", "{}/x.csv"), "tables"),
        (("generate", "{model}", "-n", 3, "--out", "{}/x.parquet"), "tables"),
        (("fit", PLUG, "--dissector", "tshark", "--out", "{}/x.model"), "tables"),
        (("fit", PLUG, "--generator", "iotflow", "--out", "{}/x.model"), "paper"),
        (("fit", PLUG, "--generator", "doppelganger", "--out", "{}/x.model"), "paper"),
        (("generate", "{model}", "-n", 3, "--payload", "fuzz", "--out", "{}/x.pcap"), "paper"),
        (("evaluate", "--real", PLUG, "--fake", PLUG, "--out", "{}/x.json"), "evaluate"),
        (("report", "{}", "--out", "{}/x.html"), "evaluate"),
        (("benchmark", PLUG.parent, "--quick", "--out", "{}/x"), "evaluate"),
    ],
)
def test_what_is_not_installed_is_named_with_how_to_get_it(command, extra, model, tmp_path):
    words = [str(word).format(tmp_path, model=model) for word in command]
    [(status, said)], _ = run(words, absent=EXTRAS)
    assert status == 1
    assert f"pip install 'iotflowgen[{extra}]'" in said
    assert list(tmp_path.iterdir()) == []


def test_tables_take_their_extra_alone(model, tmp_path):
    done, _ = run(
        ("extract", PLUG, "--dissector", "tshark", "--out", tmp_path / "a.parquet"),
        ("generate", model, "--sessions", 1, "--out", tmp_path / "b.csv"),
        ("generate", model, "--windows", 3, "--out", tmp_path / "c.parquet"),
        absent=[library for library, extra in EXTRAS.items() if extra != "tables"],
    )
    assert [status for status, _ in done] == [0] * 3, done


def test_evaluating_does_without_pytorch(model, tmp_path):
    fake, results = tmp_path / "fake.pcap", tmp_path / "results.json"
    done, _ = run(
        ("generate", model, "--sessions", 5, "--out", fake),
        (
            *("evaluate", "--real", PLUG, "--fake", fake, "--adversary", "boosting"),
            *("--windows", 40, "--out", results),
        ),
        ("report", results, "--out", tmp_path / "page.html"),
        absent=[library for library, extra in EXTRAS.items() if extra == "paper"],
    )
    assert [status for status, _ in done] == [0] * 3, done


def test_the_demo_goes_as_far_as_it_can(tmp_path):
    command = ("demo", "--samples", PLUG.parent, "--out", tmp_path)
    [(status, said)], _ = run(command, absent=EXTRAS)
    assert status == 0
    assert "pip install 'iotflowgen[all]'" in said
    assert {file.name for file in tmp_path.iterdir()} == {"sessions.model", "sessions.pcap"}


def test_libraries_are_in_the_extras_that_are_named():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    named = [
        (re.split(r"[<>=]", requirement)[0], extra)
        for extra in set(EXTRAS.values())
        for requirement in extras[extra]
        if not requirement.startswith("iotflowgen[")
    ]
    assert {PYTHON_NAMES.get(n, n.replace("-", "_")): e for n, e in named} == EXTRAS
    base = {re.split(r"[<>=]", requirement)[0] for requirement in project["dependencies"]}
    assert not {name for name, _ in named} & base
