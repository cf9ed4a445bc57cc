import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from iotflowgen.encoding import PortConfig, PortEncoder
from tests.conftest import make_trace

ends = st.tuples(st.integers(1, 4), st.integers(1, 10)).flatmap(
    lambda shape: st.tuples(
        *[arrays(np.int32, shape, elements=st.sampled_from([0, 123, 443, 40000, 40001, 50000]))] * 2
    )
)


@given(ends)
def test_constants_keep_their_number_and_connections_stay_together(pair):
    encoder = PortEncoder.fit([make_trace(str(i), i) for i in range(4)], PortConfig())
    assert {0, 123, 443} <= set(encoder.constants)
    back = encoder.decode(*encoder.encode(*pair))
    before, after = np.hstack(pair), np.hstack(back)
    known = np.isin(before, encoder.constants)
    assert np.array_equal(before[known], after[known])
    for row_before, row_after in zip(before, after, strict=True):
        for port in set(row_before.tolist()):
            assert len(set(row_after[row_before == port].tolist())) == 1
        # the three that are not constants stay three
        slots = set(row_after[~np.isin(row_before, encoder.constants)].tolist())
        assert slots == {-1 - slot for slot in range(len(slots))}
        assert len(slots) == len(set(row_before.tolist()) - set(encoder.constants))


def test_with_no_recurrence_asked_every_fitted_port_keeps_its_number():
    traces = [make_trace(str(i), i) for i in range(8)]
    encoder = PortEncoder.fit(traces, PortConfig(recurrence=0))
    for trace in traces:
        src, dst = trace.src_port[None], trace.dst_port[None]
        back = encoder.decode(*encoder.encode(src, dst))
        assert np.array_equal(back[0], src)
        assert np.array_equal(back[1], dst)


def test_slots_count_in_order_of_first_appearance():
    encoder = PortEncoder.fit([make_trace(str(i), i) for i in range(8)], PortConfig(slots=2))
    first_slot = len(encoder.constants)
    src, dst = np.array([[50001, 443, 50009, 50005]]), np.array([[443, 50001, 443, 443]])
    src_tokens, dst_tokens = encoder.encode(src.astype(np.int32), dst.astype(np.int32))
    assert (src_tokens[0, [0, 2, 3]] - first_slot).tolist() == [0, 1, 0]
    assert dst_tokens[0, 1] == first_slot


@pytest.mark.parametrize("captures", [1, 2, 3])
def test_of_few_captures_ephemeral_ports_are_no_constants(captures):
    traces = [make_trace(str(i), i) for i in range(captures)]
    encoder = PortEncoder.fit(traces, PortConfig())
    assert encoder.constants == (0, 123, 443)
    assert len(encoder.device_ports) == captures
