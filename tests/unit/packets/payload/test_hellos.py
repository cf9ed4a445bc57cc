"""Hellos of clients that are longer or shorter stay well-formed."""

import pytest

from iotflowgen.packets.payload.hellos import _in
from iotflowgen.packets.payload.text import longest_word


def prefixed(size, content):
    return len(content).to_bytes(size) + content


def extension(kind, content):
    return kind.to_bytes(2) + prefixed(2, content)


NAME = extension(0, prefixed(2, b"\0" + prefixed(2, b"device.example.org")))
TICKET = extension(35, bytes(40))
GROUPS = extension(10, prefixed(2, b"\0\x17"))


def hello(*extensions):
    body = b"\3\3" + bytes(32) + prefixed(1, b"") + prefixed(2, b"\xc0\x2f") + prefixed(1, b"\0")
    message = b"\1" + prefixed(3, body + prefixed(2, b"".join(extensions)))
    return b"\x16\3\1" + prefixed(2, message)


@pytest.mark.parametrize(
    ("extensions", "before"),
    [((NAME, TICKET, GROUPS), bytes(40)), ((NAME, GROUPS), b"device"), ((NAME,), b"device")],
)
def test_the_ticket_changes_or_else_the_name(extensions, before):
    said = hello(*extensions)
    ((_, _, spot, is_name),) = _in(said)
    assert said[:spot].endswith(before)
    assert is_name == (before == b"device")


@pytest.mark.parametrize("extensions", [(), (GROUPS,), (extension(35, b""), GROUPS)])
def test_without_either_nothing_changes(extensions):
    assert _in(hello(*extensions)) == []


def test_names_of_programs_and_of_fields_stay():
    head = b"GET /firmware/device HTTP/1.1\r\nUser-Agent: Wget/1.13 (linux-uclibclibc)\r\n\r\n"
    assert head[: longest_word(head)].endswith(b"/firmware")
