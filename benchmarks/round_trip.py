"""Whether references of TCP give the numbers of captures back, and what they refer to.

The sequence and acknowledgment numbers, the blocks of SACK and the timestamps of all captures of a
device become references, and numbers again, from where each connection's began alone. How many
come back says whether anything is lost; how many of the references lie on an edge, or on the byte
before the last one as keep-alive probes do, says whether they mean something for segments of other
lengths, too. Devices that are done are not measured again.

    python benchmarks/round_trip.py CAPTURES --devices Withings,WeMoLink
"""

from pathlib import Path
from typing import Any

import numpy as np
from by_device import measured

from iotflowgen.capture import read_captures, read_frames
from iotflowgen.packets.tcp.clocks import nearest
from iotflowgen.packets.tcp.number_spaces import Mentions
from iotflowgen.packets.tcp.segments import read_numbers
from iotflowgen.packets.tcp.sequence import decode, encode, initial_numbers
from iotflowgen.packets.tcp.timestamps import decode_stamps, encode_stamps, read_stamps
from iotflowgen.recording import find_flows
from iotflowgen.wire import Frames, find_layers, find_options

TICKS = 100.0
"""Ticks a second that clocks are taken to have: how far off they are then is of the reference."""


def measure(folder: Path) -> dict[str, Any]:
    """Segments of the captures in a folder, and how many of them have which number back."""
    found = list(read_frames([folder], read_captures([folder])))
    frames = Frames.concatenate([of for _, of in found])
    capture = np.repeat(np.arange(len(found)), [len(trace) for trace, _ in found])
    outgoing = np.concatenate([trace.outgoing for trace, _ in found])
    time_ns = np.concatenate([trace.time_ns for trace, _ in found])
    layers = find_layers(frames)
    flow, tcp = find_flows(frames, layers, capture, outgoing), np.flatnonzero(layers.is_tcp)
    frames, layers = frames.take(tcp), layers.take(tcp)
    flow, outgoing, time_ns = flow[tcp], outgoing[tcp], time_ns[tcp]
    numbers = read_numbers(frames, layers)
    references = encode(flow, outgoing, numbers)
    back, _ = decode(
        Mentions(flow, outgoing, numbers.acknowledges, references.renews),
        references,
        numbers.acknowledges,
        numbers.opens,
        numbers.taken,
        initial_numbers(flow, outgoing, numbers, references),
    )
    said = np.stack([np.ones_like(numbers.acknowledges), numbers.acknowledges], axis=1)
    off, backwards = references.off[said], references.back[said]
    has_blocks = (numbers.blocks >= 0).any(axis=1)
    same = {
        "sequence": back.sequence == numbers.sequence,
        "acknowledgment": back.acknowledgment == numbers.acknowledgment,
        "blocks": (back.blocks == numbers.blocks).all(axis=1),
    }
    has_stamps = np.flatnonzero(find_options(frames, layers).timestamps)
    stamps = read_stamps(frames.take(has_stamps), layers.take(has_stamps))
    mentions = Mentions(flow[has_stamps], outgoing[has_stamps], stamps.echoes)
    time_ns = mentions.of(time_ns[has_stamps], time_ns[has_stamps])
    clock = time_ns * (TICKS / 1e9)
    told = encode_stamps(mentions, clock, stamps)
    begun = mentions.begun(nearest(clock + mentions.of(told.lag[:, 0], told.lag[:, 1])))
    again, _ = decode_stamps(mentions, clock, told, begun)
    same_stamps = (again.value == stamps.value) & (again.echo == stamps.echo)
    return {
        "device": folder.name,
        "segments": len(tcp),
        "same": {name: int(found.sum()) for name, found in same.items()},
        "all_same": int(np.logical_and.reduce(list(same.values())).sum()),
        "with_blocks": int(has_blocks.sum()),
        "with_stamps": len(has_stamps),
        "same_stamps": int(same_stamps.sum()),
        "mentions": int(said.sum()),
        "on_an_edge": int(((off == 0) | ((off == -1) & (backwards == 0))).sum()),
    }


if __name__ == "__main__":
    measured(measure, Path("benchmarks/results/round_trip"), __doc__)
