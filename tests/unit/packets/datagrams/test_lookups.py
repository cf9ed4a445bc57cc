"""Which questions of DNS are open after each packet."""

import numpy as np

from iotflowgen.packets.datagrams.lookups import find_lookups
from iotflowgen.packets.states import with_states
from iotflowgen.wire import Frames, find_layers
from tests.unit.packets.datagrams.said import dns, echo, trace_of


def read(*packets):
    trace, frames = trace_of(packets), Frames.of([each.frame for each in packets])
    return trace, frames


def open_after(*packets):
    (trace,) = with_states([read(*packets)])
    return (-trace.states[:, 0]).tolist()


def question(packet):
    trace, frames = read(packet)
    return abs(int(find_lookups(frames, find_layers(frames), trace.protocols).question[0]))


A, B = dns(1, "a.example"), dns(2, "b.example")
A_ANSWER, B_ANSWER = dns(1, "a.example", answers=True), dns(2, "b.example", answers=True)


def test_a_question_is_open_until_its_answer():
    assert open_after(A, echo(1, 1), A_ANSWER) == [question(A), 0, 0]


def test_several_are_open_at_once_in_any_order():
    first, both, second, none = open_after(A, B, A_ANSWER, B_ANSWER)
    assert (first, second, none) == (question(A), question(B), 0)
    assert both not in (first, second, none)
    assert open_after(B, A, B_ANSWER, A_ANSWER)[1] == both


def test_one_that_nobody_answers_is_not_open():
    assert open_after(A, B, B_ANSWER) == [0, question(B), 0]


def test_one_that_is_asked_again_is_open_from_then_on():
    assert open_after(A, A, A_ANSWER) == [0, question(A), 0]


def test_an_answer_to_nothing_leaves_nothing_open():
    assert open_after(A_ANSWER, A_ANSWER) == [0, 0]


def test_the_type_is_part_of_a_question_and_the_port_tells_them_apart():
    assert question(dns(1, "a.example", kind=28)) != question(A)
    assert open_after(A, dns(1, "a.example", answers=True, device=50_000)) == [0, 0]


def test_states_go_with_slices_of_a_trace():
    (trace,) = with_states([read(A, A_ANSWER)])
    np.testing.assert_array_equal(trace[1:].states, trace.states[1:])
