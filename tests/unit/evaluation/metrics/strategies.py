"""Random windows, few values each, so that windows and runs recur."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from iotflowgen.traffic import Windows, protocol_mask

MASKS = [protocol_mask(names) for names in (["ip", "tcp"], ["ip", "udp", "dns"], ["arp"])]


def make(shape, *, lengths, outgoing, ports, masks, durations):
    return Windows(
        duration_ns=np.broadcast_to(durations, shape).astype(np.int64),
        length=np.broadcast_to(lengths, shape).astype(np.int32),
        outgoing=np.broadcast_to(outgoing, shape).astype(bool),
        src_port=np.broadcast_to(ports, shape).astype(np.int32),
        dst_port=np.broadcast_to(ports, shape)[:, ::-1].astype(np.int32),
        protocols=np.broadcast_to(masks, shape).astype(np.uint16),
    )


@st.composite
def windows(draw, n, size):
    shape = (n, size)
    column = {
        "lengths": st.sampled_from([42, 60, 66, 1514]),
        "outgoing": st.booleans(),
        "ports": st.sampled_from([0, 53, 443, 50_000, 50_001, 60_000]),
        "masks": st.sampled_from(MASKS),
        "durations": st.sampled_from([0, 500, 10**4, 10**6, 2 * 10**9]),
    }
    return make(shape, **{k: draw(arrays(np.int64, shape, elements=e)) for k, e in column.items()})


@st.composite
def three(draw):
    """Real, synthetic and train of one size."""
    size = draw(st.integers(2, 6))
    return tuple(draw(windows(draw(st.integers(1, 8)), size)) for _ in range(3))


def random_windows(n, size=20, seed=0, *, low=40):
    rng = np.random.default_rng(seed)
    shape = (n, size)
    return make(
        shape,
        lengths=low + rng.integers(0, 40, shape),
        outgoing=rng.random(shape) < 0.5,
        ports=rng.choice([0, 443, 50_000, 55_000], shape),
        masks=rng.choice(MASKS, shape),
        durations=10 ** rng.uniform(4, 10, shape),
    )
