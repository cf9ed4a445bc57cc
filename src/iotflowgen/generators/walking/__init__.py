"""Walks: packets of captures, one after another, each where the captures have one like it."""

from iotflowgen.generators.walking.walks import (
    RESOLUTION_NS,
    Spoken,
    WalkConfig,
    Walks,
    headers_alone,
    nanoseconds,
)

__all__ = ["RESOLUTION_NS", "Spoken", "WalkConfig", "Walks", "headers_alone", "nanoseconds"]
