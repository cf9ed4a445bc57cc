"""What a day of many packets takes: to learn from it, and to generate an hour.

The day is a stream of a model of the given captures, its times brought closer together, written as
a pcap of microseconds. Time is that of the processor, of all threads, and memory the most that was
resident, of each command by itself, files that it reads included.

    python benchmarks/large.py CAPTURES/WeMoLink
"""

import argparse
import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

import iotflowgen as iot
from iotflowgen.files import whole_file
from iotflowgen.generators import versions
from iotflowgen.wire.pcap import read_records

COMMAND = Path(sys.executable).parent / "iotflowgen"
DAY_NS = 24 * 3600 * 10**9
HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)


def write_day(captures: Path, packets: int, out: Path) -> None:
    """Write the capture of a day."""
    stream = out.with_name("stream.pcap")
    honey = iot.fit(captures).generate(packets=packets, start="2026-01-01T00:00:00Z")
    honey.to_pcap(stream)
    records = read_records(stream)
    first, last = int(records.time_ns[0]), int(records.time_ns[-1])
    time_ns = first + ((records.time_ns - first) * (DAY_NS / (last - first))).astype(np.int64)
    size, frames = records.frames.size, records.frames
    columns = (time_ns // 10**9, time_ns % 10**9 // 1000, size, records.length)
    heads = np.stack(columns, axis=-1).astype("<u4")
    with whole_file(out) as temporary, temporary.open("wb") as file:
        file.write(HEADER)
        for i, (at, count) in enumerate(zip(frames.start.tolist(), size.tolist(), strict=True)):
            file.write(heads[i].tobytes())
            file.write(frames.data[at : at + count].data)
    stream.unlink()


def taken(*arguments: str | Path) -> dict[str, float]:
    """What a command takes: seconds of the processor, and megabytes."""
    process = subprocess.Popen([COMMAND, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, [COMMAND, *arguments])
    return {
        "seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "megabytes": round(usage.ru_maxrss * 1024 / 1e6),
    }


def main() -> None:
    """Measure and write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("captures", type=Path, help="of the device whose traffic it is")
    parser.add_argument("--packets", type=int, default=5_000_000, help="of the day")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/large.json"))
    parser.add_argument("--scratch", type=Path, default=Path("out/benchmark/large"))
    chosen = parser.parse_args()
    chosen.scratch.mkdir(parents=True, exist_ok=True)
    day, model, hour = (chosen.scratch / name for name in ("day.pcap", "model", "hour.pcap"))
    if not day.exists():
        write_day(chosen.captures, chosen.packets, day)
    found: dict[str, Any] = {
        "versions": versions(),
        "device": chosen.captures.name,
        "packets": chosen.packets,
        "gigabytes": round(day.stat().st_size / 1e9, 2),
        "fit": taken("fit", day, "--out", model),
        "hour": taken("generate", model, "--duration", "1h", "--out", hour),
    }
    found["hour"]["packets"] = len(read_records(hour).frames)
    with whole_file(chosen.out) as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
