import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.cluster import DBSCAN

from iotflowgen.encoding import Signature, SignatureConfig, extract_signatures
from iotflowgen.traffic import Trace


def flow(lengths, outgoing, tcp_payload=None):
    n = len(lengths)
    return Trace(
        name="flow",
        time_ns=np.arange(n, dtype=np.int64),
        length=np.array(lengths, dtype=np.int32),
        outgoing=np.array(outgoing, dtype=bool),
        src_port=np.zeros(n, dtype=np.int32),
        dst_port=np.zeros(n, dtype=np.int32),
        protocols=np.zeros(n, dtype=np.uint16),
        tcp_payload=np.array(tcp_payload if tcp_payload is not None else [1] * n, dtype=np.int32),
    )


def pairs(distance=10, samples=3, packets="all"):
    return SignatureConfig(
        smallest=2, largest=2, distance=distance, samples=samples, packets=packets
    )


def algorithm_1(flows, config):
    """The paper's Algorithm 1 to the letter: all sub-sequences, their distances one by one."""
    found = []
    for size in range(config.smallest, config.largest + 1):
        subs = [
            list(
                zip(f.length[i : i + size].tolist(), f.outgoing[i : i + size].tolist(), strict=True)
            )
            for f in flows
            for i in range(len(f) - size + 1)
        ]
        far = 1e9
        distances = [
            [
                far
                if any(x[1] != y[1] for x, y in zip(a, b, strict=True))
                else sum((x[0] - y[0]) ** 2 for x, y in zip(a, b, strict=True)) ** 0.5
                for b in subs
            ]
            for a in subs
        ]
        labels = DBSCAN(eps=config.distance, min_samples=config.samples, metric="precomputed")
        labels = labels.fit(distances).labels_
        for label in range(labels.max() + 1):
            cluster = [s for s, of in zip(subs, labels, strict=True) if of == label]
            lengths = np.array([[p[0] for p in s] for s in cluster])
            found.append(
                (
                    tuple(p[1] for p in cluster[0]),
                    tuple(lengths.min(axis=0).tolist()),
                    tuple(lengths.max(axis=0).tolist()),
                )
            )
    return sorted(found)


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_algorithm_1_to_the_letter(seed):
    rng = np.random.default_rng(seed)
    flows = [
        flow(
            rng.choice([60, 63, 66, 90, 300, 1514], 25) + rng.integers(0, 3, 25),
            rng.random(25) < 0.5,
        )
        for _ in range(3)
    ]
    config = SignatureConfig(smallest=2, largest=4, distance=4, samples=2)
    ours = [(s.outgoing, s.shortest, s.longest) for s in extract_signatures(flows, config)]
    assert sorted(ours) == algorithm_1(flows, config)


def test_a_recurring_exchange_is_a_signature_with_the_range_of_its_lengths():
    flows = [flow([500, 100 + i, 62, 900], [0, 1, 0, 0]) for i in range(4)]
    assert Signature(outgoing=(True, False), shortest=(100, 62), longest=(103, 62)) in (
        extract_signatures(flows, pairs())
    )


def test_the_same_lengths_in_other_directions_are_another_signature():
    flows = [flow([100, 62], [1, 0])] * 3 + [flow([100, 62], [0, 1])] * 3
    assert {s.outgoing for s in extract_signatures(flows, pairs())} == {
        (True, False),
        (False, True),
    }


def test_what_is_rarer_than_the_minimum_is_noise():
    flows = [flow([100, 62], [1, 0])] * 2
    assert extract_signatures(flows, pairs(samples=3)) == []


def test_over_payload_a_bare_acknowledgement_does_not_part_an_exchange():
    flows = [flow([100, 54, 62], [1, 0, 0], tcp_payload=[46, 0, 8])] * 3
    found = extract_signatures(flows, pairs(packets="payload"))
    assert found == [Signature(outgoing=(True, False), shortest=(100, 62), longest=(100, 62))]


def test_sizes_that_contradict_are_refused():
    with pytest.raises(ValidationError, match="smallest is above largest"):
        SignatureConfig(smallest=4, largest=2)


def test_captures_shorter_than_a_signature_hold_none():
    assert extract_signatures([flow([100], [1])], SignatureConfig()) == []
