import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from iotflowgen.errors import TooShort
from iotflowgen.traffic import (
    PROTOCOLS,
    Session,
    Windows,
    WindowStarts,
    cut_windows,
    draw_window_starts,
    every_window_start,
    pack_protocols,
    protocol_mask,
    unpack_protocols,
)
from tests.conftest import make_trace

FEATURES = ("time_ns", "length", "outgoing", "src_port", "dst_port", "protocols")


def make_session(name, seed, packets=60):
    """The packets of a trace, each repeating the one at its own place; two to a flow."""
    trace, place = make_trace(name, seed, packets), np.arange(packets)
    columns = {column: getattr(trace, column) for column in FEATURES}
    return Session(name=name, **columns, source=place, flow=place // 2)


@given(arrays(np.uint16, st.tuples(st.integers(0, 3), st.integers(0, 5))))
def test_protocols_pack_and_unpack(masks):
    assert np.array_equal(pack_protocols(unpack_protocols(masks)), masks)


def test_a_mask_names_its_protocols():
    present = unpack_protocols(np.array(protocol_mask(["ip", "udp", "ntp"]), dtype=np.uint16))
    assert [name for name, there in zip(PROTOCOLS, present, strict=True) if there] == [
        "ip",
        "udp",
        "ntp",
    ]


def test_duration_runs_to_the_next_packet_and_is_zero_for_the_last():
    trace = make_trace("a", 0, packets=5)
    assert trace.duration_ns.tolist() == [*np.diff(trace.time_ns).tolist(), 0]


def test_time_never_goes_backwards_in_a_trace():
    trace = make_trace("a", 0, packets=5)
    columns = {**vars(trace), "time_ns": trace.time_ns[::-1]}
    with pytest.raises(ValueError, match="not in order of time"):
        type(trace)(**columns)


def test_windows_are_packets_in_a_row_of_one_trace(traces):
    starts = draw_window_starts(traces, 50, 7, np.random.default_rng(0))
    windows = cut_windows(traces, starts)
    assert windows.length.shape == (50, 7)
    for i in range(50):
        here = slice(starts.start[i], starts.start[i] + 7)
        trace = traces[starts.trace[i]]
        for name in Windows.columns():
            assert np.array_equal(getattr(windows, name)[i], getattr(trace, name)[here])


def test_no_window_is_drawn_twice_while_others_last(traces):
    every = every_window_start(traces, 20)
    drawn = draw_window_starts(traces, len(every), 20, np.random.default_rng(0))
    assert len(set(zip(drawn.trace, drawn.start, strict=True))) == len(every)
    twice = draw_window_starts(traces, len(every) + 1, 20, np.random.default_rng(0))
    assert len(twice) == len(every) + 1


def test_captures_shorter_than_a_window_are_named(traces):
    with pytest.raises(TooShort, match=r"needs 100 packets .* longest capture has 60"):
        every_window_start(traces, 100)


def test_a_session_is_cut_as_a_trace_and_keeps_what_it_repeats():
    session = make_session("a", 0)
    part = session[10:13]
    assert len(part) == 3
    assert part.name == "a"
    assert part.source.tolist() == [10, 11, 12]
    assert part.flow.tolist() == [5, 5, 6]
    assert np.array_equal(part.time_ns, session.time_ns[10:13])
    assert part.duration_ns.tolist() == [*np.diff(part.time_ns).tolist(), 0]
    assert len(session[:0]) == len(session[:0].duration_ns) == 0


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("time_ns", lambda column: column[::-1], "packets of a are not in order of time"),
        ("source", lambda column: column[1:], "columns of a differ in length"),
        ("flow", lambda column: column[:0], "columns of a differ in length"),
    ],
)
def test_columns_that_are_no_session_are_refused(name, change, complaint):
    columns = vars(make_session("a", 0))
    with pytest.raises(ValueError, match=complaint):
        Session(**{**columns, name: change(columns[name])})


def test_a_session_seen_as_a_trace_is_its_features():
    session = make_session("a", 0)
    trace = session.as_trace()
    assert trace.name == "a"
    assert not trace.tcp_payload.any()
    for name in (*FEATURES, "duration_ns"):
        assert np.array_equal(getattr(trace, name), getattr(session, name))


def test_windows_of_sessions_say_what_they_repeat_as_long_as_all_of_them_do(traces):
    sessions = [make_session(str(seed), seed) for seed in range(2)]
    windows = cut_windows(sessions, WindowStarts(3, np.array([0, 1]), np.array([4, 57])))
    assert windows.source.tolist() == [[4, 5, 6], [57, 58, 59]]
    assert windows.flow.tolist() == [[2, 2, 3], [28, 29, 29]]
    assert windows[1:].source.tolist() == [[57, 58, 59]]
    assert Windows.concatenate([windows, windows]).flow.shape == (4, 3)
    bare = cut_windows(traces, draw_window_starts(traces, 5, 3, np.random.default_rng(0)))
    mixed = cut_windows([*sessions, *traces], WindowStarts(3, np.array([0]), np.array([4])))
    for found in (bare, Windows.concatenate([windows, bare]), mixed):
        assert found.source is found.flow is None


def test_columns_of_windows_have_one_shape():
    session = make_session("a", 0)
    windows = cut_windows([session], WindowStarts(3, np.array([0]), np.array([4])))
    with pytest.raises(ValueError, match="differ in shape"):
        Windows(**{**vars(windows), "source": windows.source[:, 1:]})
