"""Renderers that show the captured hosts as they are."""

from dataclasses import fields, replace

import numpy as np

from iotflowgen.packets import Pseudonyms, Renderer, Templates
from iotflowgen.packets.identity import learn_identities
from iotflowgen.packets.identity.places import Places

__all__ = ["as_captured"]

_NOWHERE = Places(**{each.name: np.zeros(0, np.int64) for each in fields(Places)})


def as_captured(recording, codecs=None, seed=0):
    if "identity_text_size" not in recording.references:
        # packets that are made by hand
        known = recording.outgoing.any()
        places = learn_identities(recording.packets)[1] if known else _NOWHERE
        recording = replace(recording, references={**recording.references, **places.columns()})
    rng = np.random.default_rng(seed)
    persona = Pseudonyms(recording.identities, rng, keep=True)
    templates = Templates(recording, codecs)
    return Renderer(templates, templates.disguise(persona), rng)
