"""The house keeps its order: who may import whom, and what each room shows."""

import ast
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import iotflowgen

ROOT = Path(iotflowgen.__file__).parent

# each may import those before it, none after it
ROOMS = (
    "errors",
    "progress",
    "files",
    "traffic",
    "wire",
    "tables",
    "capture",
    "recording",
    "encoding",
    "nn",
    "packets",
    "adversaries",
    "generators",
    "evaluation",
    "report",
    "cli",
)
# what a room does not touch although it stands above
FORBIDDEN = {
    "traffic": {"progress", "files"},
    "wire": {"progress", "files", "traffic"},
    "nn": {"traffic", "wire", "tables", "capture", "encoding", "files"},
    "report": {"generators", "adversaries", "nn", "packets", "encoding", "capture", "wire"},
}

FILES = sorted(ROOT.rglob("*.py"))
MODULES = sorted(
    module.name for module in pkgutil.walk_packages(iotflowgen.__path__, "iotflowgen.")
)


def imported_rooms(file):
    for node in ast.walk(ast.parse(file.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            names = [node.module]
            if node.module == "iotflowgen":
                names = [f"iotflowgen.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.startswith("iotflowgen."):
                yield name.split(".")[1]


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_rooms_import_only_from_those_before_them(file):
    if file.parent == ROOT and file.stem == "__init__":
        return
    room = file.relative_to(ROOT).parts[0].removesuffix(".py")
    allowed = set(ROOMS[: ROOMS.index(room) + 1]) - FORBIDDEN.get(room, set())
    assert set(imported_rooms(file)) <= allowed


@pytest.mark.parametrize("name", MODULES)
def test_public_names_stand_in_all(name):
    module = importlib.import_module(name)
    defined = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_") and getattr(value, "__module__", None) == name
    }
    assert set(module.__all__) >= defined
    assert all(hasattr(module, key) for key in module.__all__)
    assert len(set(module.__all__)) == len(module.__all__)


def test_the_tree_of_errors_is_the_one_drawn():
    errors = importlib.import_module("iotflowgen.errors")
    drawn = set(re.findall(r"[├└]── (\w+)", errors.__doc__)) | {"IoTFlowGenError"}
    assert drawn == set(errors.__all__)
    assert all(issubclass(getattr(errors, name), errors.IoTFlowGenError) for name in drawn)


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_files_stay_readable(file):
    assert len(file.read_text().splitlines()) <= 450
