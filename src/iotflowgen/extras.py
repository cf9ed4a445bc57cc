"""Libraries that not everything needs, and the extras of this distribution that bring them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from iotflowgen.errors import ExtraMissing

__all__ = ["EXTRAS", "lazy_names", "naming_extras"]

EXTRAS: Mapping[str, str] = {
    "aeon": "evaluate",
    "jinja2": "evaluate",
    "joblib": "evaluate",
    "matplotlib": "evaluate",
    "platformdirs": "tables",
    "pyarrow": "tables",
    "scapy": "paper",
    "scipy": "evaluate",
    "sklearn": "evaluate",
    "torch": "paper",
    "vector_quantize_pytorch": "paper",
}
"""The extra that brings each library, by the library's name in Python."""


@contextmanager
def naming_extras() -> Iterator[None]:
    """Around imports: one that fails says which extra would mend it.

    Raises:
        ExtraMissing: A library that an extra brings is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in EXTRAS:
            raise
        raise ExtraMissing(
            f"{library} is not installed; install it with: "
            f"pip install 'iotflowgen[{EXTRAS[library]}]'",
            name=library,
        ) from error


def lazy_names(package: str, modules: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """The `__getattr__` of a package, whose modules are imported when one of their names is used.

    Args:
        package: Its name.
        modules: The names that each module has.
    """
    places = {name: f"{package}.{module}" for module, names in modules.items() for name in names}

    def of_module(name: str) -> Any:  # noqa: ANN401 - whatever has that name
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with naming_extras():
            return getattr(import_module(places[name]), name)

    return of_module
