"""Walks: packets of captures, one after another, each where the captures have one like it."""

from iotflowgen.generators.walking.walks import (
    Spoken,
    WalkConfig,
    Walks,
    headers_alone,
)

__all__ = ["Spoken", "WalkConfig", "Walks", "headers_alone"]
