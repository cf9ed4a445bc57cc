import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from iotflowgen.errors import TooShort
from iotflowgen.traffic import (
    PROTOCOLS,
    Windows,
    cut_windows,
    draw_places,
    every_place,
    pack_protocols,
    protocol_mask,
    unpack_protocols,
)
from tests.conftest import make_trace


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
    places = draw_places(traces, 50, 7, np.random.default_rng(0))
    windows = cut_windows(traces, places)
    assert windows.length.shape == (50, 7)
    for i in range(50):
        here = slice(places.start[i], places.start[i] + 7)
        trace = traces[places.trace[i]]
        for name in Windows.columns():
            assert np.array_equal(getattr(windows, name)[i], getattr(trace, name)[here])


def test_no_window_is_drawn_twice_while_others_last(traces):
    every = every_place(traces, 20)
    drawn = draw_places(traces, len(every), 20, np.random.default_rng(0))
    assert len(set(zip(drawn.trace, drawn.start, strict=True))) == len(every)
    twice = draw_places(traces, len(every) + 1, 20, np.random.default_rng(0))
    assert len(twice) == len(every) + 1


def test_captures_shorter_than_a_window_are_named(traces):
    with pytest.raises(TooShort, match=r"needs 100 packets .* longest of 8 captures has 60"):
        every_place(traces, 100)
