"""Which packets a walk can go on with, by what its connections have come to."""

import numpy as np

from iotflowgen.generators.walking.connection_states import ConnectionStates, WalkConnections

NEW = 4
SYN, ACK, ASK, ANSWER = range(4)
START = np.array([0])


def states(rows, *, may_open=True, same_ports=False, capture=None, states=None, surplus=999):
    """Of rows: connection, rank, what is said, whether the device says it, whether it carries."""
    connection, rank, said, outgoing, payload = np.array(rows).T
    return ConnectionStates(
        capture=np.zeros_like(connection) if capture is None else np.array(capture),
        connection=connection,
        service=np.zeros(len(rows), dtype=np.int64),
        rank=rank,
        message=said,
        outgoing=outgoing.astype(bool),
        payload=payload.astype(bool),
        may_open=np.full(len(rows), may_open),
        same_ports=np.full(len(rows), same_ports),
        states=np.zeros((len(rows), 0)) if states is None else np.array(states)[:, None],
        surplus=surplus,
    )


def used(of, *places):
    """A walk that has come through places, and the connections it has used, numbered from 1."""
    walks = WalkConnections(of, START)
    return walks, [int(walks.use(np.array([place]))[0]) for place in places]


def fitting(of, walks):
    places = np.arange(len(of.before))
    return np.flatnonzero(walks.fits(np.zeros(len(places), dtype=np.int64), places)).tolist()


TWO = states(
    [
        *((1, NEW, SYN, 1, 0), (2, NEW, SYN, 1, 0)),  # 0, 1
        *((1, 1, ACK, 0, 0), (2, 1, ACK, 0, 0)),  # 2, 3
        *((1, 1, ASK, 1, 1), (2, 1, ASK, 1, 1)),  # 4, 5
        (0, 0, 9, 1, 1),  # of no connection
    ]
)


def test_what_opens_a_connection_or_is_of_none_always_fits():
    assert fitting(TWO, WalkConnections(TWO, START)) == [0, 1, 6]


def test_between_the_same_ports_a_walk_opens_no_more_connections_than_captures():
    of = states([(1, NEW, SYN, 1, 0), (2, NEW, SYN, 1, 0)], same_ports=True)
    assert fitting(of, WalkConnections(of, START)) == [0, 1]
    assert fitting(of, used(of, 0)[0]) == [1]
    assert fitting(of, used(of, 0, 1)[0]) == []
    # where a walk begins, it has had what the capture has
    assert fitting(of, WalkConnections(of, np.array([1]))) == [1]


def test_a_walk_opens_so_many_connections_more_than_captures_as_it_may():
    opening = [(1, NEW, SYN, 1, 0), (2, NEW, SYN, 1, 0), (3, NEW, SYN, 1, 0)]
    none, one = (states(opening, surplus=surplus) for surplus in (0, 1))
    assert fitting(none, used(none, 0)[0]) == [1, 2]
    assert fitting(one, used(one, 0)[0]) == [0, 1, 2]
    assert fitting(one, used(one, 0, 0)[0]) == [1, 2]
    assert fitting(one, used(one, 0, 0, 1, 2)[0]) == []


def test_what_goes_on_fits_a_connection_that_has_come_as_far():
    assert fitting(TWO, used(TWO, 0)[0]) == [0, 1, 2, 3, 6]
    assert fitting(TWO, used(TWO, 0, 2)[0]) == [0, 1, 4, 5, 6]
    assert fitting(TWO, used(TWO, 0, 1, 3)[0]) == [0, 1, 2, 3, 4, 5, 6]


def test_a_walk_goes_on_with_the_connection_that_it_has():
    # that of the capture has another after it, the walk's has none
    assert used(TWO, 0, 2, 4)[1] == [1, 1, 1]
    assert used(TWO, 0, 1, 2)[1] == [1, 2, 1]
    assert used(TWO, 0, 1, 2, 3)[1] == [1, 2, 1, 2]


def test_of_several_that_have_come_as_far_it_is_the_one_used_as_recently():
    assert used(TWO, 0, 1, 0, 2)[1][-1] == 2
    near = states([(1, NEW, SYN, 1, 0), (1, 0, ACK, 0, 0)])
    assert used(near, 0, 0, 0, 1)[1][-1] == 3


def test_what_fits_none_goes_on_with_one_of_its_service_or_opens_one():
    assert used(TWO, 0, 4)[1] == [1, 1]
    assert used(TWO, 4, 6)[1] == [1, -1]


def test_walks_number_their_connections_apart():
    walks = WalkConnections(TWO, np.repeat(START, 3))
    numbers = [walks.use(np.array(places)).tolist() for places in ([0, 0, 6], [1, 2, 0], [3, 4, 2])]
    assert len({*numbers[0], *numbers[1]} - {-1}) == 4
    assert numbers[2] == [numbers[0][0], numbers[0][1], numbers[1][2]]


def test_a_syn_that_nobody_answers_is_no_syn_that_somebody_does():
    of = states(
        [
            *((1, NEW, SYN, 1, 0), (1, 0, SYN, 1, 0)),
            *((2, NEW, SYN, 1, 0), (2, 0, ACK, 0, 0), (2, 0, ASK, 1, 1)),
        ]
    )
    assert fitting(of, used(of, 0)[0]) == [0, 1, 2]
    assert fitting(of, used(of, 2)[0]) == [0, 2, 3]


def test_an_acknowledgment_follows_what_it_may_acknowledge():
    alike = (1, NEW, SYN, 1, 0), (1, 0, ACK, 0, 0), (1, 0, ASK, 1, 1)
    heard = states(
        [
            *alike,
            *((1, 0, ANSWER, 0, 1), (1, 0, ANSWER, 0, 1), (1, 0, ACK, 1, 0), (1, 0, ASK, 1, 1)),
            *((2, NEW, SYN, 1, 0), (2, 0, ACK, 0, 0), (2, 0, ASK, 1, 1)),
            *((2, 0, ANSWER, 0, 1), (2, 0, ASK, 1, 1)),
        ]
    )
    # after one answer comes a second one or a question; only after the second an acknowledgment
    assert set(fitting(heard, used(heard, 0, 1, 2, 3)[0])) - {0, 7} == {4, 11}
    assert set(fitting(heard, used(heard, 0, 1, 2, 3, 4)[0])) - {0, 7} == {5}


def test_the_last_packets_of_a_connection_are_told_from_those_before():
    # the same length, but one acknowledges and the other one ends the connection
    data = [(1, NEW, SYN, 1, 0), *[(1, 0, ASK, 1, 1), (1, 0, ACK, 0, 0)] * 3]
    of = states([*data, (1, 0, ACK, 1, 0), (1, 0, ACK, 0, 0)])
    walks, _ = used(of, *range(5))
    assert fitting(of, walks) == [0, 5]
    walks, _ = used(of, *range(7))
    assert fitting(of, walks) == [0, 7]


def test_many_connections_leave_the_latest():
    of = states([(1, NEW, SYN, 1, 0), (1, 0, ACK, 0, 0)])
    walks, numbers = used(of, *[0] * 100, 1)
    assert numbers == [*range(1, 101), 100]
    assert fitting(of, walks) == [0, 1]


def test_those_that_are_over_are_forgotten_first():
    of = states([(1, NEW, SYN, 1, 0), (1, 0, ACK, 0, 0), (2, NEW, ASK, 1, 1)])
    walks, _ = used(of, 0, *[2] * 100)
    assert fitting(of, walks) == [0, 1, 2]


def test_a_connection_that_was_there_before_is_taken_up_at_any_packet_like_its_first():
    of = states([(1, NEW, SYN, 0, 0), *[(1, 0, ACK, 1, 0), (1, 0, SYN, 0, 0)] * 2], may_open=False)
    assert fitting(of, WalkConnections(of, START)) == [0, 2, 4]
    # not twice, for the capture has but one
    walks, numbers = used(of, 2)
    assert numbers == [1]
    assert fitting(of, walks) == [1, 3]
    assert used(of, 2, 3, 4)[1] == [1, 1, 1]


def test_a_walk_takes_up_no_more_than_the_capture_has_up_to_there():
    of = states(
        [(1, NEW, SYN, 0, 0), (1, 0, ACK, 1, 0), (2, NEW, SYN, 0, 0), (2, 0, ACK, 1, 0)],
        may_open=False,
    )
    assert fitting(of, used(of, 0)[0]) == [1, 2, 3]
    assert fitting(of, used(of, 0, 2)[0]) == [1, 3]
    again = states([(1, NEW, SYN, 0, 0), (2, NEW, SYN, 0, 0)], may_open=False, capture=[0, 1])
    assert fitting(again, used(again, 0)[0]) == []


def test_two_that_began_alike_do_not_stand_for_two_that_did_not():
    of = states(
        [
            *((1, NEW, SYN, 0, 0), (2, NEW, ASK, 0, 0)),
            *((3, NEW, SYN, 0, 0), (4, NEW, SYN, 0, 0)),
        ],
        may_open=False,
        capture=[1, 1, 2, 2],
    )
    assert fitting(of, used(of, 0)[0]) == [1, 3]
    # the first capture has two, but one of this kind
    assert fitting(of, used(of, 2, 3)[0]) == []
    assert fitting(of, used(of, 2)[0]) == [1, 3]


def test_what_was_there_before_a_walk_began_counts_as_had():
    of = states(
        [(1, NEW, SYN, 0, 0), (2, NEW, ASK, 0, 0), (3, NEW, SYN, 0, 0), (1, 0, SYN, 0, 0)],
        may_open=False,
    )
    assert fitting(of, WalkConnections(of, np.array([2]))) == [2, 3]
    assert fitting(of, WalkConnections(of, np.array([0]))) == [0, 1, 2, 3]


def test_another_one_is_taken_up_where_the_one_that_fits_was_used_at_another_time():
    of = states(
        [
            *((1, NEW, SYN, 0, 0), (1, 0, ACK, 1, 0), (2, NEW, SYN, 0, 0), (2, 0, ACK, 1, 0)),
            *((1, 1, SYN, 0, 0), (1, 0, ACK, 1, 0), (1, 0, SYN, 0, 0)),
        ],
        may_open=False,
    )
    # the capture's used the other one in between; the walk has no other one yet
    assert used(of, 0, 1, 4)[1] == [1, 1, 2]
    assert used(of, 0, 1, 6)[1] == [1, 1, 1]


def test_how_many_packets_an_older_connection_had_or_has_left_does_not_matter():
    said = (1, NEW, ANSWER, 0, 1), *[(1, 0, ASK, 1, 0), (1, 0, ANSWER, 0, 1)] * 4, (1, 0, ASK, 1, 0)
    of = states(said, may_open=False)
    walks, _ = used(of, 0)
    assert fitting(of, walks) == [1, 3, 5, 7, 9]
    # of one that was opened these have come to something else
    of = states(said)
    assert fitting(of, used(of, 0)[0]) == [0, 1]


A, B = 11, 12
QUESTIONS = states(
    [
        *((1, NEW, ASK, 1, 1), (1, 1, ANSWER, 0, 1)),  # 0, 1: a question, and its answer
        *((2, NEW, ASK, 1, 1), (2, 1, ANSWER, 0, 1)),  # 2, 3: another
    ],
    states=[A, 0, B, 0],
)


def test_an_answer_fits_a_connection_with_its_question_open():
    assert fitting(QUESTIONS, used(QUESTIONS, 0)[0]) == [0, 1, 2]
    assert fitting(QUESTIONS, used(QUESTIONS, 2)[0]) == [0, 2, 3]
    assert fitting(QUESTIONS, used(QUESTIONS, 2, 0)[0]) == [0, 1, 2, 3]


def test_what_follows_an_open_state_relies_on_it():
    assert QUESTIONS.strict.tolist() == [False, True, False, True]
    assert not TWO.strict.any()


CLOSE = 5
CLOSING = states(
    [
        *((1, NEW, SYN, 1, 0), (1, 0, ACK, 0, 0), (1, 0, ASK, 1, 1)),  # 0, 1, 2
        *((1, 0, CLOSE, 0, 0), (1, 0, ACK, 1, 0)),  # 3, 4: one side closes, the other acknowledges
    ],
    states=[0, 0, 0, 2, 2],
)


def test_nothing_is_sent_on_a_closed_connection_but_what_captures_show():
    # a question that fits nothing goes on with an open connection, else with another one
    assert used(CLOSING, 0, 2)[1] == [1, 1]
    assert used(CLOSING, 0, 1, 2, 3, 2)[1] == [1, 1, 1, 1, 2]
    assert used(CLOSING, 0, 1, 2, 3, 3)[1] == [1, 1, 1, 1, 2]
    assert used(CLOSING, 0, 1, 2, 3, 4)[1] == [1] * 5
