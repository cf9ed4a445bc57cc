"""Renderers that show the captured hosts as they are."""

import numpy as np

from iotflowgen.packets import Pseudonyms, Renderer

__all__ = ["as_captured"]


def as_captured(recording, codecs=None, seed=0):
    rng = np.random.default_rng(seed)
    return Renderer(recording, Pseudonyms(recording.identities, rng, keep=True), rng, codecs)
