"""Recordings without what tells of which captures they were made, and whose these are."""

from dataclasses import replace

import numpy as np

from iotflowgen.packets.datagrams import blank_quotes, questions
from iotflowgen.packets.identity import Places, Pseudonyms, pseudonymise
from iotflowgen.packets.uniques import redraw
from iotflowgen.recording import Recording
from iotflowgen.wire import Frames

__all__ = ["anonymise", "remaining"]


def anonymise(recording: Recording, rng: np.random.Generator) -> Recording:
    """Put others in the place of identifiers, and of what a single capture says.

    When captures were made is left out.

    Args:
        recording: What was captured.
        rng: Draws what is shown instead, which says nothing of what was captured.

    Returns:
        A recording of the same packets. Its times are those since the first packet of all.
    """
    pseudonyms = Pseudonyms(recording.identities, rng)
    begun_ns = int(recording.time_ns.min())
    references = {
        # by clocks that go on from capture to capture the times of captures are known
        name: column - begun_ns if name.endswith("time_ns") else column
        for name, column in recording.references.items()
    }
    places = Places.of(recording.references, recording.frames)

    def also(frames: Frames) -> None:
        redraw(replace(recording, frames=frames), places.marked(frames), rng, pseudonyms.other)

    anonymous = replace(
        recording,
        frames=pseudonymise(recording, pseudonyms, also),
        time_ns=recording.time_ns - begun_ns,
        references=references,
        identities=pseudonyms.identities,
    )
    blank_quotes(anonymous)
    return anonymous


def remaining(recording: Recording) -> dict[str, str]:
    """What a recording still tells of the home that it was made in, by what it is."""
    known = recording.identities
    of = "drawn for all that were recognised" if known.drawn else "as captured"
    count = f"{len(known.macs)} MAC and {len(known.addresses)} IP addresses"
    names = questions(recording.frames, recording.layers, recording.protocols)
    return {
        "identifiers": f"{of}: {count}, {len(known.words)} serial numbers, names and the like",
        "payload of single captures": "drawn" if known.drawn else "as captured",
        "times": "order, gaps, and how far apart captures are",
        "names looked up": ", ".join(names) or "none",
    }
