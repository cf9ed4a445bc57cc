"""The architecture: which package may import which, and what each makes public."""

import ast
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import iotflowgen

ROOT = Path(iotflowgen.__file__).parent

# each may import those before it, none after it
PACKAGES = (
    "errors",
    "extras",
    "plugins",
    "progress",
    "files",
    "compression",
    "settings",
    "traffic",
    "wire",
    "tables",
    "capture",
    "events",
    "recording",
    "encoding",
    "nn",
    "packets",
    "adversaries",
    "generators",
    "evaluation",
    "report",
    "library",
    "live",
    "cli",
)
# what a package does not touch although it stands above
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


def imported_packages(file):
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
def test_packages_import_only_from_those_before_them(file):
    if file.parent == ROOT and file.stem == "__init__":
        return
    package = file.relative_to(ROOT).parts[0].removesuffix(".py")
    allowed = set(PACKAGES[: PACKAGES.index(package) + 1]) - FORBIDDEN.get(package, set())
    assert set(imported_packages(file)) <= allowed


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


def decorators(node):
    return {each.id for each in node.decorator_list if isinstance(each, ast.Name)}


COMMANDS = [
    (file, node)
    for file in sorted((ROOT / "cli").glob("*.py"))
    for node in ast.parse(file.read_text()).body
    if isinstance(node, ast.FunctionDef) and "reports_errors" in decorators(node)
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[1].name)
def test_commands_are_a_thin_layer_over_the_library(command):
    _, function = command
    assert ast.get_docstring(function)
    first = function.body[1].lineno
    assert function.end_lineno - first + 1 <= 40


def imports_of(file, name, modules):
    """Modules, of those given, that a file imports anywhere: in functions, and for types alone."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1]
            of = ".".join([*(parents if node.level else []), *filter(None, [node.module])])
            for alias in node.names:
                # a name of the package, unless it is a module in it
                inner = f"{of}.{alias.name}"
                yield from (each for each in [inner if inner in modules else of] if each in modules)


def import_graph(root):
    """What each module under a package's folder imports of that package.

    A package's own file imports what it offers from its modules; a module that imports from the
    package that it is in, or from one around that, waits for them.
    """
    files = {}
    for file in root.rglob("*.py"):
        parts = file.relative_to(root.parent).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return {name: {*imports_of(file, name, files)} - {name} for name, file in files.items()}


def circles(graph):
    """Modules that import each other, directly or through others: each such set once."""
    reached = {}
    for name in graph:
        seen, waiting = set(), [*graph[name]]
        while waiting:
            each = waiting.pop()
            if each not in seen:
                seen.add(each)
                waiting += graph[each]
        reached[name] = seen
    return {
        frozenset(other for other in reached[name] if name in reached[other])
        for name in graph
        if name in reached[name]
    }


MOST_MODULES = 15
FOLDERS = sorted({file.parent for file in FILES})
BY_FOLDER = pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: str(f.relative_to(ROOT)))


def test_no_module_imports_itself_through_others():
    assert [sorted(each) for each in circles(import_graph(ROOT))] == []


@BY_FOLDER
def test_a_folder_is_seen_at_a_glance(folder):
    assert len([*folder.glob("*.py")]) - (folder / "__init__.py").exists() <= MOST_MODULES


@pytest.mark.parametrize(
    ("changed", "circle"),
    [
        ({}, None),
        ({"a": "import house.b"}, {"a", "b"}),
        ({"a": "from house.b import thing"}, {"a", "b"}),
        ({"a": "from house import b"}, {"a", "b"}),
        ({"a": "from . import b"}, {"a", "b"}),
        ({"a": "from .package.c import thing"}, {"a", "b", "package.c"}),
        ({"a": "def late():\n    from house.b import thing"}, {"a", "b"}),
        ({"a": "if TYPE_CHECKING:\n    from house.b import Thing"}, {"a", "b"}),
        ({"package.d": "from . import c"}, {"package.c", "package.d"}),
        ({"a": "from .package import d"}, None),
        ({"package.d": "from house.package import thing"}, {"package", "package.d"}),
        ({"package.d": "import json, a\nfrom b import house"}, None),
    ],
)
def test_circles_are_found_wherever_the_import_stands(tmp_path, changed, circle):
    house = {
        "__init__": "",
        "a": "",
        "b": "from house import a",
        "package.__init__": "from house.package.d import thing",
        "package.c": "import house.b\nfrom house.package.d import thing",
        "package.d": "import json",
    }
    for name, text in {**house, **changed}.items():
        path = tmp_path / "house" / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    expected = {frozenset(f"house.{name}" for name in circle)} if circle else set()
    assert circles(import_graph(tmp_path / "house")) == expected
