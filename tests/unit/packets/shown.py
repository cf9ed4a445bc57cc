"""Renderers that show the captured hosts as they are."""

from dataclasses import fields, replace

import numpy as np

from iotflowgen.packets import Pseudonyms, Renderer
from iotflowgen.packets.identity.places import Places

__all__ = ["as_captured"]

_NOWHERE = Places(**{each.name: np.zeros(0, np.int64) for each in fields(Places)}).columns()
"""Of packets that are made by hand."""


def as_captured(recording, codecs=None, seed=0):
    recording = replace(recording, references={**_NOWHERE, **recording.references})
    rng = np.random.default_rng(seed)
    return Renderer(recording, Pseudonyms(recording.identities, rng, keep=True), rng, codecs)
