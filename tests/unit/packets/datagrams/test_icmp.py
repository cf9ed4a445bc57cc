"""Echoes are answered, and count on."""

import pytest

from iotflowgen.packets.datagrams import Echoes
from tests.unit.packets.datagrams.said import echo, recorded, rendered

PINGS = [
    *(echo(77, 1), echo(77, 1, replies=True, outgoing=False)),
    *(echo(77, 2), echo(77, 3)),
    *(echo(77, 2, replies=True, outgoing=False), echo(99, 0x100)),
    *(echo(77, 4), echo(99, 0x200)),
]


def numbers(*args, **settings):
    payloads = rendered(Echoes, *args, **settings)
    return [(int.from_bytes(each[4:6]), int.from_bytes(each[6:8])) for each in payloads]


def at_transport(recording):
    """Where the payload of echoes is taken from, so that they are seen from their type on."""
    recording.layers.payload[:] = recording.layers.transport
    return recording


@pytest.mark.parametrize("block", [1, 3, None])
def test_a_reply_has_what_its_request_had(block):
    recording, traces = recorded(Echoes, PINGS)
    said = numbers(at_transport(recording), traces, range(8), block=block)
    mine, other = said[0][0], said[5][0]
    assert len({mine, other, 77, 99}) == 4
    assert said == [
        *((mine, 1), (mine, 1), (mine, 2), (mine, 3), (mine, 2)),
        *((other, 0x100), (mine, 4), (other, 0x200)),
    ]


def test_requests_count_on_where_a_session_goes_over():
    recording, traces = recorded(Echoes, PINGS, PINGS)
    said = numbers(at_transport(recording), traces, [0, 2, 10, 11])
    assert [number for _, number in said] == [1, 2, 3, 4]
    assert said[0][0] == 77  # as in each capture


@pytest.mark.parametrize("order", ["little", "big"])
def test_identifiers_are_of_process_ids_like_those_of_captures(order):
    ids = [int.from_bytes(pid.to_bytes(2, order)) for pid in (2157, 2152, 2164, 2180, 2171)]
    recording, traces = recorded(Echoes, *([echo(each, 1)] for each in ids))
    drawn = set()
    for seed in range(40):
        ((identifier, _),) = numbers(at_transport(recording), traces, [seed % 5], seed=seed)
        drawn.add(int.from_bytes(identifier.to_bytes(2), order))
    assert min(drawn) >= 2152 and max(drawn) <= 2195
    assert len(drawn) > 8
