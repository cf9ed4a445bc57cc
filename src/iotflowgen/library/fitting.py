"""Captures to a model: learnt, or read from a file."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
from pydantic import BaseModel, ValidationError

from iotflowgen.capture import CaptureWarning, Dissector
from iotflowgen.errors import ArgumentError, TooShort
from iotflowgen.generators import GENERATORS, EventGenerator, Generator, read_model
from iotflowgen.library.arguments import check_choice, check_whole
from iotflowgen.library.captures import Captures, read_captures
from iotflowgen.library.events import (
    EventSource,
    aligned_events,
    captures_of_events,
    events_of_traces,
)
from iotflowgen.library.files import AnyPath, Paths
from iotflowgen.library.model import Model
from iotflowgen.packets import learn
from iotflowgen.progress import Progress, silent
from iotflowgen.settings import Accelerator

__all__ = ["fit", "load"]

_FEW: Final = 5  # captures
_MOST_LEARNT: Final = 500_000
"""Packets: what is learnt of more of them takes memory and time, and is the same."""
_DEFAULT, _OF_EVENTS = "sessions", "activities"
"""The method that learns, without events and with them."""


def fit(
    captures: Paths | Captures,
    *,
    generator: str | None = None,
    device: str | None = None,
    events: EventSource | None = None,
    events_zone: str | None = None,
    events_device: str | None = None,
    window: int | None = None,
    config: Mapping[str, Any] | BaseModel | None = None,
    deduplicate: bool = False,
    dissector: Dissector = "builtin",
    keep_identifiers: bool = False,
    seed: int = 0,
    accelerator: Accelerator = "auto",
    progress: Progress = silent,
) -> Model:
    """Learn how one device talks from its captures: 5 to 20 of them, or a long one.

    A long one, where there are fewer than five, is cut into pieces (`Captures.in_pieces`). Of more
    than 500,000 packets, or 64 MB, so much is learnt from (`Captures.at_most`).

    Args:
        captures: pcap or pcapng, plain or packed, or folders of them; or what `read_captures` read.
        generator: The method that learns: `sessions`, the default; `activities`, the default where
            there are events; `iotflow`, the paper's; `doppelganger`; `markov`; `replay`.
        device: MAC or IP address of the device; by default the most common IP address (section
            4.2). Captures that are read already have theirs.
        events: What was done to the device, and when: CSV files with the columns `time` and
            `event`; `comments`, those of packets in pcapng, such as `event: on`; `folders`, whose
            names are the events of the captures in them; or pairs of a time and a name.
        events_zone: Time zone of times that name none, such as `Europe/Berlin` or `+01:00`.
        events_device: Whose events are meant where the files have a column `device`.
        window: L, packets a window; by default 20.
        config: Settings of the method: those of its `Config` that are to be others than usual.
        deduplicate: Whether packets that stand twice, as of mirrored ports, are taken once.
        dissector: Who tells what packets are, as in `read_captures`.
        keep_identifiers: Whether the model keeps captured addresses, serial numbers and names, and
            what a single capture says. By default it knows others only, drawn in their place.
        seed: The same seed, the same model.
        accelerator: Where PyTorch runs; auto takes a GPU if there is one.
        progress: Told after each step.

    Warns:
        CaptureWarning: Captures are few, doubtful (`Captures.doubt`), cut into pieces, of another
            link type, or of cut frames; and as `read_captures`.
        EventWarning: Events do not go with the captures as they should (`events.align`).

    Raises:
        ArgumentError: There is no such method, dissector or accelerator, the method has no such
            setting or learns no events, the seed is negative, or events cannot be read or are of
            another time than the captures.
        CaptureError: The captures cannot be used (`read_captures`), or are too short (`TooShort`).
        TrainingError: There is too little to learn from, or training came to nothing.
    """
    check_choice(dissector, get_args(Dissector), "dissector")
    check_choice(accelerator, get_args(Accelerator), "accelerator")
    check_whole(seed, 0, "seed")
    method = _method(generator or (_DEFAULT if events is None else _OF_EVENTS))
    if events is not None and not issubclass(method, EventGenerator):
        raise ArgumentError(f"{method.name} learns no events; choose activities", "generator")
    fitted = method(_settings(method, config, window), seed=seed, accelerator=accelerator)
    if not isinstance(captures, Captures):
        captures = captures_of_events(captures) if events == "folders" else captures
        captures = read_captures(
            captures, device=device, dissector=dissector, most=_MOST_LEARNT, progress=progress
        )
    if not captures:
        raise TooShort("there are no captures to learn from")
    if deduplicate:
        captures = captures.deduplicated()
    captures.doubt()
    aligned = None
    if events is not None:
        aligned = aligned_events(events, captures, events_zone, events_device)
    whole = captures.packets
    captures = captures.at_most(_MOST_LEARNT)
    if len(captures) < _FEW:
        captures = captures.in_pieces()
    anonymous = None if keep_identifiers else np.random.default_rng([seed, 1])
    traces, recording = learn(captures.with_frames(), anonymous=anonymous)
    if aligned is not None and isinstance(fitted, EventGenerator):
        parts = captures.packets < whole
        own = events_of_traces(aligned.events, traces, are_parts=parts)
        fitted.fit(traces, events=own, progress=progress)
    else:
        fitted.fit(traces, progress=progress)
    if recording is None:
        _warn(
            "no packets kept, for only tshark reads these captures, so generated packets will be "
            "fuzzed; capture Ethernet or IP, not 802.11"
        )
    if len(captures) < _FEW:
        _warn("few captures to learn from; with 5 to 20 what it generates is much more varied")
    if len(captures) == 1 and recording is not None and not keep_identifiers:
        _warn("nothing recurs in one capture, so what only one connection says is drawn anew")
    return Model(fitted, recording, tuple(map(len, traces)), aligned)


def load(path: AnyPath, *, accelerator: Accelerator = "auto") -> Model:
    """Read a model file, whichever method wrote it.

    Args:
        path: What `Model.save` or `iotflowgen fit` wrote.
        accelerator: Where PyTorch runs; auto takes a GPU if there is one.

    Raises:
        ArgumentError: There is no such accelerator.
        ModelError: It is absent, damaged, of another version, or of a method unknown here.
    """
    check_choice(accelerator, get_args(Accelerator), "accelerator")
    stored = read_model(Path(path))
    said = stored.metadata
    fitted = GENERATORS[said.generator].restore(stored, accelerator=accelerator)
    return Model(fitted, stored.recording, said.captures)


def _method(name: str) -> type[Generator]:
    check_choice(name, GENERATORS, "generator")
    return GENERATORS[name]


def _settings(
    method: type[Generator], config: Mapping[str, Any] | BaseModel | None, window: int | None
) -> Any:  # noqa: ANN401 - each method has settings of its own
    if not isinstance(config, Mapping | BaseModel | None):
        raise ArgumentError(f"{config!r} is neither settings by their names nor a Config", "config")
    given = config.model_dump() if isinstance(config, BaseModel) else dict(config or {})
    if window is not None:
        given["window"] = window
    try:
        return method.Config.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "settings"
        reason = f"{where}: {first['msg'].removeprefix('Value error, ')}"
        if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
            reason = f"{where!r} is none of: {', '.join(method.Config.model_fields)}"
        by_itself = where == "window" and window is not None
        raise ArgumentError(reason, "window" if by_itself else "config") from error


def _warn(message: str) -> None:
    warnings.warn(message, CaptureWarning, stacklevel=3)
