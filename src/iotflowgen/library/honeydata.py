"""Honeydata: traffic that a model has been asked for, and the files and tables that it becomes."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from iotflowgen.errors import ArgumentError
from iotflowgen.events import Labels, labels_path
from iotflowgen.library.arguments import check_choice
from iotflowgen.library.files import AnyPath, checked_path, data_frame
from iotflowgen.library.persona import Persona
from iotflowgen.library.written import Tally, Written
from iotflowgen.packets import (
    Fuzzer,
    Pseudonyms,
    Renderer,
    SupportsRender,
    Templates,
    check_time,
    sessions_of,
    write_sessions,
)
from iotflowgen.progress import Progress, silent
from iotflowgen.recording import Recording, match
from iotflowgen.traffic import Event, Session, Windows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Draw", "Honeydata", "HoneydataWarning", "OfSessions", "OfWindows", "Payload"]

Draw = Callable[[Progress], Iterable[Session]]
"""Draws sessions, each time the same; told how it goes."""
Payload = Literal["recorded", "fuzz"]
"""What packets hold beside their features: what the device's were seen to hold, or random values as
in the paper (section 4.5)."""


class HoneydataWarning(UserWarning):
    """Honeydata is not all that was asked for."""


class Honeydata(ABC):
    """Traffic that never happened, drawn when it is asked for, each time the same.

    It is one or more sessions, over which it iterates: a `Session` each (E packets), or a piece of
    one where it has the name of the one before. Whatever it is written to is written as it is
    drawn, so that memory does not grow with it, but for windows, which are drawn together and kept,
    and for what is a table in memory.
    """

    def __init__(
        self,
        recording: Recording | None = None,
        *,
        seed: Sequence[int] = (0,),
        name: str = "honeydata",
        events: Sequence[Event] = (),
    ) -> None:
        self.recording = recording
        """The captured packets that it repeats; None where there are none."""
        self.events = tuple(events)
        """What happens in it, in order of time, nanoseconds since the epoch."""
        self.name = name
        """What made it."""
        self._seed = tuple(seed)

    @abstractmethod
    def sessions(self, *, progress: Progress = silent) -> Iterator[Session]:
        """Draw it, session by session; those that windows stand for repeat no captured packet."""

    @abstractmethod
    def _check_end(self, path: Path) -> None:
        """Rather now than after as many packets as fit in."""

    @abstractmethod
    def _rendered(
        self, recording: Recording | None, rng: np.random.Generator, progress: Progress
    ) -> Iterable[Session]:
        """The sessions, with the captured packets that they repeat."""

    @abstractmethod
    def _table(self) -> Any:  # noqa: ANN401 - of pyarrow, which has no types
        """All of it as an Arrow table."""

    @abstractmethod
    def _write_table(self, path: Path, progress: Progress) -> Written:
        """Write it as Parquet or CSV, by the suffix."""

    def __iter__(self) -> Iterator[Session]:
        return self.sessions()

    def to_pcap(
        self,
        path: AnyPath,
        *,
        persona: Persona | None = None,
        mac: str | None = None,
        ip: str | None = None,
        ip6: str | None = None,
        gateway: str | None = None,
        payload: Payload = "recorded",
        keep_identifiers: bool = False,
        comments: bool = False,
        progress: Progress = silent,
    ) -> Written:
        """Write it as packets, to pcap or pcapng by the suffix.

        The file appears whole or not at all; an interrupted run (Ctrl-C) ends it with what is
        written so far, if there is anything. Where it has events, a file of labels beside it says
        which packets each has caused (`docs/events.md`).

        Args:
            path: Ends in `.pcap` or `.pcapng`.
            persona: The addresses that are shown; or each by itself:
            mac: MAC address of the device.
            ip: IPv4 address of the device.
            ip6: Its IPv6 address.
            gateway: IPv4 address of the gateway.
            payload: What packets hold beside their features.
            keep_identifiers: Whether captured addresses, serial numbers and names come out as they
                are.
            comments: Whether packets say, as comments of pcapng, which event has caused them.
            progress: Told after each block of packets.

        Warns:
            HoneydataWarning: There is no captured packet to repeat, so that packets are fuzzed; or
                an address of IPv4 or IPv6 is given, and the device has none.

        Raises:
            ArgumentError: An address is none, or has no place, as with `keep_identifiers`; there
                is no such payload; or comments are asked for, and the file is none of pcapng.
            OutputError: The file cannot be written, its suffix is another, or it cannot hold the
                times.
        """
        path = checked_path(path, ".pcap", ".pcapng")
        check_choice(payload, get_args(Payload), "payload")
        if comments and path.suffix.lower() != ".pcapng":
            raise ArgumentError(f"{path} has no comments; name a .pcapng", "comments")
        shown = _persona(persona, mac=mac, ip=ip, ip6=ip6, gateway=gateway)
        if shown != Persona() and (keep_identifiers or payload == "fuzz"):
            raise ArgumentError(
                "addresses go with the payload recorded only, and not with identifiers kept",
                *("mac", "ip", "ip6", "gateway", "persona"),
            )
        self._check_end(path)
        rng = np.random.default_rng([*self._seed, 1])
        recording = self.recording if payload == "recorded" else None
        if recording is None and payload == "recorded":
            _warn("the model knows no packets, so they are fuzzed; fit it on Ethernet captures")
        renderer = _renderer(recording, rng, shown, keep_identifiers)
        labels = Labels(self.events)
        tally = Tally(labels.of(self._rendered(recording, rng, progress)))
        said = labels.comments if comments else None
        report = write_sessions(tally, path, renderer, comments=said, progress=progress)
        return Written(
            path=path,
            packets=report.packets,
            bytes=report.bytes,
            **tally.found(stopped=report.stopped),
            device_mac=renderer.device_mac,
            device_ip=renderer.device_ip,
            labels=self._label(labels, path, report.packets),
            compromises=dict(renderer.compromises.most_common()),
        )

    def _label(self, labels: Labels, path: Path, packets: int) -> Path | None:
        """Write labels beside a file with so many packets, if it has events; tell where to."""
        if not self.events:
            return None
        labels.write(labels_path(path), packets)
        return labels_path(path)

    def to_parquet(self, path: AnyPath, *, progress: Progress = silent) -> Written:
        """Write its features as Parquet, a row a packet (`docs/formats.md`).

        The file appears whole or not at all; an interrupted run ends it as `to_pcap` does.

        Raises:
            ExtraMissing: pyarrow is not installed.
            OutputError: The file cannot be written, or its name does not end in `.parquet`.
        """
        return self._write_table(checked_path(path, ".parquet"), progress)

    def to_csv(self, path: AnyPath, *, progress: Progress = silent) -> Written:
        """Write its features as CSV, a row a packet (`docs/formats.md`).

        The file appears whole or not at all; an interrupted run ends it as `to_pcap` does.

        Raises:
            ExtraMissing: pyarrow is not installed.
            OutputError: The file cannot be written, or its name does not end in `.csv`.
        """
        return self._write_table(checked_path(path, ".csv"), progress)

    def to_pandas(self) -> "pd.DataFrame":
        """Its features, a row a packet: the columns of `iotflowgen extract` but `capture`.

        `duration` is in seconds, `time_ns` in nanoseconds since the epoch, `length` in bytes.

        Raises:
            ExtraMissing: pyarrow or pandas is not installed.
        """
        return data_frame(self._table())


class OfSessions(Honeydata):
    """Honeydata of whole sessions."""

    def __init__(
        self,
        draw: Draw,
        recording: Recording | None = None,
        *,
        seed: Sequence[int] = (0,),
        name: str = "honeydata",
        end_ns: int | None = None,
        events: Sequence[Event] = (),
    ) -> None:
        super().__init__(recording, seed=seed, name=name, events=events)
        self._draw = draw
        self._end_ns = end_ns

    def sessions(self, *, progress: Progress = silent) -> Iterator[Session]:
        """Draw it, session by session."""
        return iter(self._draw(progress))

    def _check_end(self, path: Path) -> None:
        if self._end_ns is not None:
            check_time(path, self._end_ns)

    def _rendered(
        self,
        recording: Recording | None,  # noqa: ARG002 - sessions say what they repeat
        rng: np.random.Generator,  # noqa: ARG002
        progress: Progress,
    ) -> Iterable[Session]:
        return self.sessions(progress=progress)

    def _table(self) -> Any:  # noqa: ANN401 - of pyarrow, which has no types
        from iotflowgen.tables import sessions_table

        return sessions_table(self.sessions())

    def _write_table(self, path: Path, progress: Progress) -> Written:
        from iotflowgen.tables import write_sessions_table

        labels = Labels(self.events)
        tally = Tally(labels.of(self.sessions(progress=progress)))
        packets, stopped = write_sessions_table(tally, path)
        told = self._label(labels, path, packets)
        return Written(path=path, packets=packets, labels=told, **tally.found(stopped=stopped))


class OfWindows(Honeydata):
    """Honeydata of windows, each of which is a session."""

    def __init__(
        self,
        draw: Callable[[Progress], Windows],
        recording: Recording | None = None,
        *,
        seed: Sequence[int] = (0,),
        name: str = "honeydata",
        start_ns: int = 0,
    ) -> None:
        super().__init__(recording, seed=seed, name=name)
        self._draw, self._start_ns = draw, start_ns
        self._drawn: Windows | None = None

    def windows(self, *, progress: Progress = silent) -> Windows:
        """The windows (N, L), which are drawn once."""
        if self._drawn is None:
            self._drawn = self._draw(progress)
        return self._drawn

    def sessions(self, *, progress: Progress = silent) -> Iterator[Session]:
        """Draw it, a window a session; they repeat no captured packet."""
        return sessions_of(self.windows(progress=progress), self._start_ns)

    def _check_end(self, path: Path) -> None:
        check_time(path, self._start_ns)

    def _rendered(
        self, recording: Recording | None, rng: np.random.Generator, progress: Progress
    ) -> Iterable[Session]:
        windows = self.windows(progress=progress)
        if recording is None:
            return sessions_of(windows, self._start_ns)
        found, counts = match(recording, windows, rng)
        if fuzzed := counts.get("none"):
            _warn(f"{fuzzed} packets: nothing like them was captured, so they are fuzzed")
        return sessions_of(found, self._start_ns)

    def _table(self) -> Any:  # noqa: ANN401 - of pyarrow, which has no types
        from iotflowgen.tables import windows_table

        return windows_table(self.windows())

    def _write_table(self, path: Path, progress: Progress) -> Written:
        from iotflowgen.tables import write_windows

        write_windows(windows := self.windows(progress=progress), path)
        return Written(path=path, packets=windows.length.size, sessions=len(windows))


def _persona(persona: Persona | None, **addresses: str | None) -> Persona:
    if persona is None:
        return Persona(**addresses)
    if any(addresses.values()):
        raise ArgumentError(
            "either a persona or addresses by themselves, not both", "persona", *addresses
        )
    return persona


def _renderer(
    recording: Recording | None, rng: np.random.Generator, shown: Persona, keep: bool
) -> SupportsRender:
    if recording is None:
        return Fuzzer(rng)
    if shown.ip and ":" in recording.identities.device_ip:
        _warn(f"{shown.ip} is not shown, for the device has IPv6 addresses alone")
    pseudonyms = Pseudonyms(recording.identities, rng, keep=keep, **asdict(shown))
    if shown.ip6 and shown.ip6 not in pseudonyms.addresses:
        _warn(f"{shown.ip6} is not shown, for the device has no IPv6 address beyond its link")
    templates = Templates(recording)
    return Renderer(templates, templates.disguise(pseudonyms), rng)


def _warn(message: str) -> None:
    warnings.warn(message, HoneydataWarning, stacklevel=3)
