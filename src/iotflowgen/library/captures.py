"""Captures of one device, read once for all that is done with them."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self, overload

from iotflowgen import capture
from iotflowgen.library.files import AnyPath, Paths, checked_path, data_frame, paths_of
from iotflowgen.progress import Progress, silent
from iotflowgen.traffic import Trace
from iotflowgen.wire import Frames

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Captures", "read_captures"]


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
    ) -> None:
        self.paths = tuple(paths)
        """The files, or the folders that they are in."""
        self._traces = tuple(traces)
        self._frames = frames

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
        """The bytes of each capture's packets (P), of no bytes where they are not Ethernet's.

        They are read when they are first asked for.

        Warns:
            CaptureWarning: Frames were cut off when they were captured.

        Raises:
            UnreadableCapture: A file is there no more.
        """
        if self._frames is not None:
            return tuple(self._frames)
        return tuple(frames for _, frames in capture.read_frames(self.paths, self._traces))

    def with_frames(self) -> Iterator[tuple[Trace, Frames]]:
        """Each capture with its frames, as the stages before a generator take them."""
        return zip(self._traces, self.frames, strict=True)

    def to_parquet(self, path: AnyPath) -> None:
        """Write the packets' features as Parquet, the columns of `iotflowgen extract`.

        Raises:
            OutputError: The file cannot be written, or its name does not end in `.parquet`.
        """
        self._write(checked_path(path, ".parquet"))

    def to_csv(self, path: AnyPath) -> None:
        """Write the packets' features as CSV, the columns of `iotflowgen extract`.

        Raises:
            OutputError: The file cannot be written, or its name does not end in `.csv`.
        """
        self._write(checked_path(path, ".csv"))

    def to_pandas(self) -> "pd.DataFrame":
        """The packets' features, a row a packet, the columns of `iotflowgen extract`.

        Raises:
            IoTFlowGenError: pandas is not installed.
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
        if isinstance(index, int):
            return self._traces[index]
        known = self.__dict__.get("frames", self._frames)
        return type(self)(self.paths, self._traces[index], None if known is None else known[index])


def read_captures(
    captures: Paths, *, device: str | None = None, progress: Progress = silent
) -> Captures:
    """Read captures of one device.

    Args:
        captures: pcap or pcapng, either gzipped, or folders of them.
        device: MAC or IP address of the device; by default the most common IP address (section
            4.2 of the paper).
        progress: Told after each capture.

    Warns:
        CaptureWarning: A capture is cut short or has no packets, a file in a folder is no capture,
            or others sent packets to each other, which are left out.

    Raises:
        TsharkMissing: tshark is not installed.
        UnreadableCapture: A path does not exist or is no capture, or no packet is in any.
        DeviceNotFound: No packet of the device in a capture, or `device` is not given and many
            packets are others'.
    """
    paths = paths_of(captures)
    return Captures(paths, capture.read_captures(paths, device, progress=progress))
