"""Packet-level signatures (paper, section 4.2 and Algorithm 1).

A signature is a short run of packets that recurs in a device's traffic, known by a direction
and a range of lengths for each packet. Clusters of sub-sequences of equal size give the ranges.

By default they run over packets that carry TCP payload, as those of Trimananda et al. (2019) do,
from whom the paper has them: bare acknowledgments between do not part an exchange. Over all packets
more is covered, but the same packet gets many tokens, by where its window begins
(docs/decisions/001).

Deviations, which change no core of a cluster: equal sub-sequences are counted once and weighted,
and sub-sequences of different directions, whose distance the paper calls maximal, are clustered
apart instead of compared.

Shapes: U distinct sub-sequences, I packets a signature.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from iotflowgen.traffic import Trace

__all__ = ["Signature", "SignatureConfig", "carrying", "extract_signatures"]


class SignatureConfig(BaseModel):
    """How signatures are found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    packets: Literal["payload", "all"] = "payload"
    """Which packets signatures run over: those that carry TCP payload, or all."""
    smallest: int = Field(2, ge=1)
    """Fewest packets a signature has (`min` in Algorithm 1)."""
    largest: int = Field(5, ge=1, le=20)
    """Most packets a signature has (`max`)."""
    distance: float = Field(10.0, gt=0)
    """Euclidean distance in bytes up to which sub-sequences are neighbours (`d`)."""
    samples: int = Field(5, ge=1)
    """Neighbours, itself included, that make a sub-sequence the core of a cluster (`s`)."""

    @model_validator(mode="after")
    def _ordered(self) -> "SignatureConfig":
        if self.smallest > self.largest:
            raise ValueError("smallest is above largest")
        return self


class Signature(BaseModel):
    """Directions and length ranges, both ends included, of packets in a row (I)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outgoing: tuple[bool, ...]
    shortest: tuple[int, ...]
    longest: tuple[int, ...]

    @model_validator(mode="after")
    def _aligned(self) -> "Signature":
        if not len(self.outgoing) == len(self.shortest) == len(self.longest) > 0:
            raise ValueError("a signature has a direction and a range for each packet")
        return self

    def __len__(self) -> int:
        return len(self.outgoing)


def carrying(tcp_payload: NDArray[np.int32], config: SignatureConfig) -> NDArray[np.bool_]:
    """Which packets signatures run over, in the shape of `tcp_payload`."""
    if config.packets == "payload":
        return tcp_payload > 0
    return np.ones(tcp_payload.shape, dtype=bool)


def extract_signatures(traces: Sequence[Trace], config: SignatureConfig) -> list[Signature]:
    """Algorithm 1: the signatures of every size, smallest first, in a fixed order."""
    flows = []
    for trace in traces:
        runs = carrying(trace.tcp_payload, config)
        flows.append((trace.length[runs], trace.outgoing[runs]))
    return [
        Signature(
            outgoing=tuple(outgoing.tolist()),
            shortest=tuple(cluster.min(axis=0).tolist()),
            longest=tuple(cluster.max(axis=0).tolist()),
        )
        for size in range(config.smallest, config.largest + 1)
        for outgoing, lengths_UI, weights_U in _subsequences(flows, size)
        for cluster in _clusters(lengths_UI, weights_U, config)
    ]


def _subsequences(
    flows: Sequence[tuple[NDArray[np.int32], NDArray[np.bool_]]], size: int
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.int32], NDArray[np.int64]]]:
    """Each pattern of directions (I) with its distinct lengths (U, I) and how often each stands."""
    long_enough = [flow for flow in flows if len(flow[0]) >= size]
    if not long_enough:
        return
    view = np.lib.stride_tricks.sliding_window_view
    lengths = np.concatenate([view(lengths, size) for lengths, _ in long_enough])
    outgoing = np.concatenate([view(outgoing, size) for _, outgoing in long_enough])
    patterns, which = np.unique(outgoing, axis=0, return_inverse=True)
    for i, pattern in enumerate(patterns):
        yield pattern, *np.unique(lengths[which == i], axis=0, return_counts=True)


def _clusters(
    lengths_UI: NDArray[np.int32], weights_U: NDArray[np.int64], config: SignatureConfig
) -> Iterator[NDArray[np.int32]]:
    """The lengths of each cluster; noise is left out."""
    from sklearn.cluster import DBSCAN  # noqa: PLC0415 - takes a second, and only fitting needs it

    found = DBSCAN(eps=config.distance, min_samples=config.samples, algorithm="kd_tree")
    labels = found.fit(lengths_UI, sample_weight=weights_U).labels_
    for label in range(labels.max(initial=-1) + 1):
        yield lengths_UI[labels == label]
