"""Sessions of any length to a capture file, packet by packet as they come.

Memory does not grow with the length of the file. Whoever interrupts it (Ctrl-C) has what was
written so far, as a whole file.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from iotflowgen.errors import OutputError
from iotflowgen.files import whole_file
from iotflowgen.packets.build import PacketBuilder, PacketFeatures
from iotflowgen.packets.pcap import capture_format
from iotflowgen.packets.write import WriteReport
from iotflowgen.progress import Progress, silent
from iotflowgen.traffic import Trace

__all__ = ["write_sessions"]

_BLOCK = 4096
"""Packets that are built before they are written."""


def write_sessions(
    path: Path,
    sessions: Iterable[Trace],
    builder: PacketBuilder,
    *,
    progress: Progress = silent,
) -> WriteReport:
    """Write sessions, one after the other, as frames to pcap or pcapng by the suffix of `path`.

    Args:
        path: Ends in `.pcap` or `.pcapng`.
        sessions: Their times are those in the file. A session of the same name as the one before
            goes on with it: its connections stay open.
        builder: Builds the packets.
        progress: Told how many packets are written, after each few thousand.

    Raises:
        OutputError: The suffix is another, the file cannot be written, or a packet comes before
            the one before it, or at a time that the format cannot hold.
    """
    capture = capture_format(path)
    compromises: Counter[str] = Counter()
    packets = size = last_ns = 0
    name: str | None = None
    with whole_file(path) as temporary, temporary.open("wb") as file:
        file.write(capture.header)
        try:
            for session in sessions:
                begins, name = session.name != name, session.name
                for start in range(0, len(session), _BLOCK):
                    block = session[start : start + _BLOCK]
                    times = block.time_ns.tolist()
                    if not last_ns <= times[0] <= times[-1] < capture.end_ns:
                        raise OutputError(
                            f"{path} cannot hold {name} after what comes before; "
                            "choose another --start"
                        )
                    frames = builder.build(_packets(block), times, begins=begins and not start)
                    records = [*map(capture.record, times, (frame.data for frame in frames))]
                    file.write(b"".join(records))
                    for frame in frames:
                        compromises.update(frame.compromises)
                    packets, last_ns = packets + len(frames), times[-1]
                    size += sum(len(frame.data) for frame in frames)
                    progress("write", packets, 0)
        except KeyboardInterrupt:
            # blocks are written whole, so the file ends with one
            pass
    return WriteReport(
        packets=packets,
        bytes=size,
        device_mac=builder.device_mac,
        device_ip=builder.device_ip,
        compromises=dict(compromises.most_common()),
    )


def _packets(trace: Trace) -> list[PacketFeatures]:
    columns = (getattr(trace, name).tolist() for name in PacketFeatures._fields)
    return [PacketFeatures(*row) for row in zip(*columns, strict=True)]
