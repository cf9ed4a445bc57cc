"""Random windows for the round trips."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

# few values, as on real devices, so that runs recur; some that do not
LENGTHS = st.sampled_from([42, 54, 60, 61, 66, 90, 300, 305, 1514]) | st.integers(0, 70_000)


@st.composite
def packets(draw):
    """(length, outgoing, runs), each (N, L)."""
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 12)))
    return (
        draw(arrays(np.int32, shape, elements=LENGTHS)),
        draw(arrays(bool, shape)),
        draw(arrays(bool, shape) | st.just(np.ones(shape, dtype=bool))),
    )
