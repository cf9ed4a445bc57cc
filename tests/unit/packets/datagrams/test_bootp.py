"""Transaction ids of BOOTP go with their exchange."""

import pytest

from iotflowgen.packets.datagrams import BootpIds
from tests.unit.packets.datagrams.said import bootp, recorded, rendered

EXCHANGES = [
    *(bootp(0xAAAA0001), bootp(0xAAAA0001, outgoing=False), bootp(0xAAAA0001)),
    *(bootp(0xBBBB0002), bootp(0xAAAA0001, outgoing=False), bootp(0xBBBB0002, outgoing=False)),
]


def ids(*args, **settings):
    return [int.from_bytes(payload[4:8]) for payload in rendered(BootpIds, *args, **settings)]


@pytest.mark.parametrize("block", [1, 4, None])
def test_an_exchange_has_one_id(block):
    offered, answered, asked, new, late, last = ids(
        *recorded(BootpIds, EXCHANGES), range(6), block=block
    )
    assert offered == answered == asked == late
    assert new == last
    assert len({offered, new, 0xAAAA0001, 0xBBBB0002}) == 4


def test_ids_that_captures_more_than_one_show_are_kept():
    captures = recorded(BootpIds, [bootp(0xABCD0001)], [bootp(0xABCD0001), bootp(5)])
    kept, other = ids(*captures, [0, 2])
    assert kept == 0xABCD0001
    assert other != 5
