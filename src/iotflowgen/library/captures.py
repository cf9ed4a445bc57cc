"""Captures of one device, read once for all that is done with them."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Self, get_args, overload

import numpy as np

from iotflowgen import capture
from iotflowgen.library.arguments import check_choice
from iotflowgen.library.files import AnyPath, Paths, checked_path, data_frame, paths_of
from iotflowgen.progress import Progress, silent
from iotflowgen.traffic import Trace, in_pieces, spread_stretches, within
from iotflowgen.wire import Frames

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Captures", "read_captures"]

_ENOUGH = 0.8
"""A share of the packets that is as good as all: stretches are never as long as is asked."""


class Captures(Sequence[Trace]):
    """Captures of one device, a `Trace` each (P packets); a slice is some of them.

    >>> captures = read_captures("samples/plug")
    >>> len(captures), captures[0].name
    (16, 'plug-01.pcapng')
    >>> [trace.name for trace in captures[:2]]
    ['plug-01.pcapng', 'plug-02.pcapng']
    """

    def __init__(
        self,
        paths: Sequence[Path],
        traces: Sequence[Trace],
        frames: Sequence[Frames] | None = None,
        most: int | None = None,
    ) -> None:
        self.paths = tuple(paths)
        """The files, or the folders that they are in."""
        self._traces = tuple(traces)
        self._frames = frames
        self._most = most

    @property
    def name(self) -> str:
        """The folder that the first one is in."""
        folder = self.paths[0] if self.paths[0].is_dir() else self.paths[0].parent
        return folder.resolve().name

    @property
    def packets(self) -> int:
        """How many they hold together."""
        return sum(map(len, self._traces))

    @cached_property
    def frames(self) -> tuple[Frames, ...]:
        """The bytes of each capture's packets (P), of no bytes where they are not read as Ethernet.

        They are read when they are first asked for.

        Warns:
            CaptureWarning: Frames were cut off when they were captured.

        Raises:
            UnreadableCapture: A file is there no more.
        """
        if self._frames is not None:
            return tuple(self._frames)
        return tuple(
            frames for _, frames in capture.read_frames(self.paths, self._traces, self._most)
        )

    def with_frames(self) -> Iterator[tuple[Trace, Frames]]:
        """Each capture with its frames, as the stages before a generator take them."""
        return zip(self._traces, self.frames, strict=True)

    def doubt(self) -> None:
        """Warn of what is wrong to learn from.

        Warns:
            CaptureWarning: Times look written, not captured; packets stand twice; frames were cut.

        Raises:
            UnreadableCapture: A file is there no more.
        """
        capture.doubt(self.with_frames())

    def deduplicated(self) -> Self:
        """The same without copies: what was there less than 10 ms before, but for a VLAN tag.

        A packet is copied where ports are mirrored, or where a radio repeats what it hears.

        Raises:
            UnreadableCapture: A file is there no more.
        """
        traces, frames = [], []
        for trace, of_trace in self.with_frames():
            kept = ~capture.copies(trace, of_trace)
            traces.append(trace[kept])
            frames.append(of_trace.take(kept))
        return type(self)(self.paths, traces, frames)

    def in_pieces(self) -> Self:
        """The same with those longer than an hour cut, where they are quiet, into several.

        Pieces are days where there are four or more, and of 200 packets or more otherwise, at most
        16; they begin after the longest silence near where they would be equal.

        Warns:
            CaptureWarning: One was cut, and how.

        Raises:
            UnreadableCapture: A file is there no more.
        """
        traces: list[Trace] = []
        frames: list[Frames] = []
        for trace, of_trace in self.with_frames():
            pieces = in_pieces(trace)
            places = np.cumsum([len(piece) for piece in pieces])[:-1]
            traces += pieces
            frames += [of_trace.take(slice(*of)) for of in pairwise([0, *places, len(trace)])]
            if len(pieces) > 1:
                silences = [piece.silence_ns / 1e9 for piece in pieces[:-1]]
                _warn(
                    f"{trace.name} is one long capture: it is learnt from as {len(pieces)} "
                    f"pieces, cut at silences of {min(silences):.0f} to {max(silences):.0f} s"
                )
        return type(self)(self.paths, traces, frames)

    def at_most(self, packets: int) -> Self:
        """The same with about so many packets at most, or as much in longer ones.

        These are stretches, spread over all captures.

        Of each capture there are as many as it has of all packets; they begin after the longest
        silence near where they would be equal.

        Warns:
            CaptureWarning: Packets were left out, and how many.

        Raises:
            UnreadableCapture: A file is there no more.
        """
        size = sum(int(trace.length.sum()) for trace in self._traces)
        share = within(self.packets, size, packets) / max(1, self.packets)
        if share >= _ENOUGH:
            return self
        traces: list[Trace] = []
        frames: list[Frames] = []
        for trace, of_trace in self.with_frames():
            stretches = spread_stretches(trace.time_ns, max(1, int(share * len(trace))))
            for number, stretch in enumerate(stretches, 1):
                name = f"{trace.name} ({number} of {len(stretches)})"
                traces.append(replace(trace[stretch], name=name))
                frames.append(of_trace.take(stretch).packed())
        found = type(self)(self.paths, traces, frames)
        _warn(
            f"{self.packets:,} packets are many: {found.packets:,} of them are learnt from, in "
            f"{len(traces)} stretches spread over all"
        )
        return found

    def to_parquet(self, path: AnyPath) -> None:
        """Write the packets' features as Parquet, the columns of `iotflowgen extract`.

        Raises:
            ExtraMissing: pyarrow is not installed.
            OutputError: The file cannot be written, or its name does not end in `.parquet`.
        """
        self._write(checked_path(path, ".parquet"))

    def to_csv(self, path: AnyPath) -> None:
        """Write the packets' features as CSV, the columns of `iotflowgen extract`.

        Raises:
            ExtraMissing: pyarrow is not installed.
            OutputError: The file cannot be written, or its name does not end in `.csv`.
        """
        self._write(checked_path(path, ".csv"))

    def to_pandas(self) -> "pd.DataFrame":
        """The packets' features, a row a packet, the columns of `iotflowgen extract`.

        Raises:
            ExtraMissing: pyarrow or pandas is not installed.
        """
        from iotflowgen.tables import traces_table

        return data_frame(traces_table(self._traces))

    def _write(self, path: Path) -> None:
        from iotflowgen.tables import write_traces

        write_traces(self._traces, path)

    def __len__(self) -> int:
        return len(self._traces)

    def __iter__(self) -> Iterator[Trace]:
        return iter(self._traces)

    @overload
    def __getitem__(self, index: int) -> Trace: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Trace | Self:
        if not isinstance(index, slice):
            return self._traces[index]
        known = self.__dict__.get("frames", self._frames)
        frames = None if known is None else known[index]
        return type(self)(self.paths, self._traces[index], frames, self._most)


def read_captures(
    captures: Paths,
    *,
    device: str | None = None,
    deduplicate: bool = False,
    dissector: capture.Dissector = "builtin",
    cache: Path | None = capture.DEFAULT_CACHE,
    most: int | None = None,
    progress: Progress = silent,
) -> Captures:
    """Read captures of one device.

    Args:
        captures: pcap or pcapng, plain or packed, or folders of them.
        device: MAC or IP address of the device; by default the most common IP address (section
            4.2 of the paper).
        deduplicate: Whether packets that stand twice are taken once (`Captures.deduplicated`).
        dissector: Who tells what packets are: `builtin`, or the program `tshark`, as in the paper.
        cache: Folder for what tshark dissected; None for no cache.
        most: Packets that are read of a file, about; of one that has more, stretches spread over
            all of it, each as a capture. tshark reads all.
        progress: Told after each capture.

    Warns:
        CaptureWarning: A capture is cut short or has no packets, a file in a folder is no capture,
            or others sent packets to each other, which are left out.

    Raises:
        ArgumentError: There is no such dissector.
        TsharkMissing: tshark is asked for and not installed.
        ExtraMissing: It is asked for, and what reads its output is not installed.
        UnreadableCapture: A path does not exist or is no capture, or no packet is in any.
        DeviceNotFound: No packet of the device in a capture, or `device` is not given and many
            packets are others'.
    """
    check_choice(dissector, get_args(capture.Dissector), "dissector")
    paths = paths_of(captures)
    traces = capture.read_captures(
        paths, device, dissector=dissector, cache=cache, most=most, progress=progress
    )
    found = Captures(paths, traces, most=most)
    return found.deduplicated() if deduplicate else found


def _warn(message: str) -> None:
    warnings.warn(message, capture.CaptureWarning, stacklevel=4)
