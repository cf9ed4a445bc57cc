"""What a stream makes of connections that walks leave open."""

import numpy as np

from iotflowgen.generators.streams import Closings

# one connection as a capture has it whole, one that the capture's end cuts off, one SYN alone
CONNECTION = np.repeat([1, 2, 3], [7, 4, 1])
PAYLOAD = np.isin(np.arange(12), [3, 10])
CLOSED = np.array([0, 0, 0, 0, 1, 3, 3, 0, 0, 0, 0, 0])
OUTSTANDING = np.array([1, 64, 0, 1, 1, 64, 0, 1, 64, 0, 1, 1])
OPTIONS = np.array([1, *[17] * 6, 1, *[17] * 3, 1])
SERVICE = np.zeros(12, dtype=np.int64)
TAIL = [4, 5, 6]


def closed(packet, connection, walk, *, service=SERVICE):
    closings = Closings(CONNECTION, service, PAYLOAD, CLOSED, OUTSTANDING, OPTIONS)
    columns = (np.array(column) for column in (packet, connection, walk))
    return [column.tolist() for column in closings.close(*columns, np.random.default_rng(0))]


def test_what_is_left_open_is_closed_at_the_end_of_its_walk_as_captures_do() -> None:
    packet, connection, walk = closed([7, 8, 9, 10, 0, 1, 2], [5] * 4 + [6] * 3, [0] * 4 + [1] * 3)
    assert packet == [7, 8, 9, 10, *TAIL, 0, 1, 2, *TAIL]
    assert connection == [5] * 7 + [6] * 6
    assert walk == [0] * 7 + [1] * 6


def test_what_is_closed_stays_as_it_is() -> None:
    whole = list(range(7)), [0] * 7, [0] * 7
    assert closed(*whole) == [list(column) for column in whole]


def test_what_one_end_has_closed_is_closed_by_the_other() -> None:
    packet, *_ = closed(range(5), [0] * 5, [0] * 5)
    assert packet == list(range(7))


def test_a_syn_without_its_answer_is_left_out_unless_captures_have_none() -> None:
    packet, connection, _ = closed([11, 0, 11], [1, 2, 3], [0, 0, 0])
    assert packet == [11, 11]
    assert connection == [1, 3]


def test_another_service_says_nothing_of_how_connections_are_closed() -> None:
    cut_off = [7, 8, 9, 10], [0] * 4, [0] * 4
    assert closed(*cut_off, service=(CONNECTION == 1) + 0) == [list(column) for column in cut_off]


def test_packets_of_no_connection_close_nothing() -> None:
    assert closed([2, 3], [-1, -1], [0, 0])[0] == [2, 3]
