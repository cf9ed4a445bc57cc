"""All codecs of linked fields, in the order in which they write."""

from collections.abc import Iterable

from iotflowgen.errors import ModelError
from iotflowgen.packets.codec import Codec
from iotflowgen.plugins import CODECS
from iotflowgen.recording import Recording

__all__ = ["all_codecs", "codecs_of"]

_LAST = ("quotes", "retransmissions")
"""Say again what the others have written."""


def all_codecs() -> tuple[type[Codec], ...]:
    """Those of this package and of others."""
    return _loaded(CODECS.external())


def codecs_of(recording: Recording) -> tuple[type[Codec], ...]:
    """Those of this package, and of others what took part when it was recorded.

    Raises:
        ModelError: One that did is not installed.
    """
    known = recording.references.keys()
    others = {name.partition(".")[0] for name in known if "." in name} - {*CODECS.built_in}
    if absent := sorted(others - CODECS.keys()):
        raise ModelError(
            f"the model's packets need the codecs {', '.join(absent)}; install what has them, or "
            "fit it again"
        )
    return _loaded(others)


def _loaded(others: Iterable[str]) -> tuple[type[Codec], ...]:
    first = (name for name in CODECS.built_in if name not in _LAST)
    return tuple(CODECS[name] for name in (*first, *sorted(others), *_LAST))
