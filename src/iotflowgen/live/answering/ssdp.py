"""How a decoy answers searches of SSDP (UPnP device architecture 1.0, section 1.2).

Targets are those that its device was captured to say, and what the decoy has said since.
"""

from collections.abc import Iterable, Mapping
from email.utils import formatdate
from typing import Any, Final, NamedTuple

__all__ = ["GROUP", "PORT", "Search", "Ssdp", "target", "told"]

PORT: Final = 1900
GROUP: Final = bytes([239, 255, 255, 250])

_SEARCH: Final = "M-SEARCH * HTTP/1.1"
_ALIVE, _OK = "NOTIFY * HTTP/1.1", "HTTP/1.1 200 OK"
_ALL: Final = "ssdp:all"
_LONGEST_WAIT_S: Final = 5
"""However long who asks would wait."""
_FIRST: Final = ("CACHE-CONTROL", "DATE", "EXT")
_LAST: Final = ("ST", "USN")
_NOT_SAID: Final = {"HOST", "NTS", "NT"}

_Fields = dict[str, tuple[str, str]]
"""Names as they are written, and values, by the names in upper case."""


class Search(NamedTuple):
    """The answers to a search."""

    payloads: tuple[bytes, ...]
    wait_s: int
    """Within which they come."""


class Ssdp:
    """What one decoy says.

    Args:
        learnt: `discovery.Ssdp` in JSON.
    """

    def __init__(self, learnt: Mapping[str, Any]) -> None:
        self._known: dict[tuple[str, str], _Fields] = {}
        self._layout: _Fields | None = None
        for said in learnt["messages"]:
            self._learn(said)
        self._asked: dict[str, list[tuple[str, str]]] = {}
        for target, said in learnt["asked"].items():
            found = filter(None, map(_response, said))
            self._asked[target] = [(_value(each, "ST"), _value(each, "USN")) for each in found]

    def notice(self, payload: bytes) -> None:
        """Take note of a message that the decoy sends by itself: composed, not an answer."""
        self._learn(payload.decode("latin-1"))

    def _learn(self, text: str) -> None:
        if (fields := _response(text)) is not None:
            self._layout = fields
            self._known[_value(fields, "ST"), _value(fields, "USN")] = fields
            return
        fields = _parsed(text, _ALIVE)
        if fields is None:
            return
        target, usn, what = (_value(fields, name) for name in ("NT", "USN", "NTS"))
        if what == "ssdp:byebye":
            self._known.pop((target, usn), None)
        elif what == "ssdp:alive":
            known = self._known.get((target, usn), {})
            said = {name: each for name, each in fields.items() if name not in _NOT_SAID}
            self._known[target, usn] = {**known, **said, "ST": ("ST", target)}

    def answer(self, payload: bytes) -> Search | None:
        """The answers to a search, if it gets any."""
        fields = _searched(payload)
        if fields is None:
            return None
        sought, wait = _value(fields, "ST"), _value(fields, "MX")
        found: Iterable[tuple[str, str]] = self._known
        if sought in self._asked:
            found = [each for each in self._asked[sought] if each in self._known]
        elif sought != _ALL:
            found = [each for each in self._known if each[0] == sought]
        said = tuple(self._written(self._known[each]) for each in found)
        wait_s = int(wait) if wait.isascii() and wait.isdigit() and len(wait) < 4 else 1
        return Search(said, min(wait_s, _LONGEST_WAIT_S)) if said else None

    def _written(self, fields: _Fields) -> bytes:
        """A response, laid out as the device has others, or as libupnp does."""
        layout = self._layout
        if layout is None:
            rest = [name for name in fields if name not in (*_FIRST, *_LAST)]
            layout = {name: (name, "") for name in (*_FIRST, *rest, *_LAST)} | fields
        lines = [_OK]
        for name, (written, usual) in layout.items():
            value = _value(fields, name) or usual
            if name == "DATE":
                value = formatdate(usegmt=True)
            lines.append(f"{written}: {value}" if value else f"{written}:")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def target(payload: bytes) -> str | None:
    """What a search seeks; None of what is none."""
    fields = _searched(payload)
    return None if fields is None else _value(fields, "ST")


def told(payload: bytes) -> tuple[str, str] | None:
    """Target and name of the service that a message of a device tells of; None of others."""
    text = payload.decode("latin-1")
    fields = _response(text) or _parsed(text, _ALIVE)
    if fields is None or not _value(fields, "USN"):
        return None
    return _value(fields, "ST") or _value(fields, "NT"), _value(fields, "USN")


def _searched(payload: bytes) -> _Fields | None:
    fields = _parsed(payload.decode("latin-1"), _SEARCH)
    return fields if fields and "ssdp:discover" in _value(fields, "MAN") else None


def _response(text: str) -> _Fields | None:
    fields = _parsed(text, _OK)
    return fields if fields and "ST" in fields and "USN" in fields else None


def _parsed(text: str, first: str) -> _Fields | None:
    """The fields of a message that begins with a line; None of others."""
    lines = text.split("\r\n")
    if lines[0] != first:
        return None
    found: _Fields = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            break
        found.setdefault(name.strip().upper(), (name, value.strip()))
    return found


def _value(fields: _Fields, name: str) -> str:
    return fields[name][1] if name in fields else ""
