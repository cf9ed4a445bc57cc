"""Decoys on a network of namespaces: what comes there, how late, and what it takes.

    sudo python benchmarks/live.py captures/aalto

Each row is measured by itself, and those that are in the results already are not measured again;
`--rows hour` names one. What takes long can be made shorter, and results say how long it was:

    sudo python benchmarks/live.py captures/aalto --rows boots hour --seconds 600 --decoys 1000

- `frames`: sessions of six devices as an observer at the switch sees them, beside the file.
- `uplink`: packets that leave a gateway on whose bridge decoys are.
- `boots`, `hour`: decoys of 20 models, which are the devices of the paper's Table 1 and the two
  samples; how late packets are, by the clock of who sends and by that of an observer, beside
  tcpreplay with the same file; processor and memory of all processes.
- `drift`: when the packets of a long run come, beside when they were planned.
- `long`: a run of days: memory, repeats of what was said before, and the counters.
- `kills`: `kill -9` of each process in turn, and what is seen until decoys are back.

Needs root, tcpreplay and tcpdump. Times mean something only on a machine that does nothing else.
"""

import argparse
import json
import os
import platform
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

import iotflowgen as iot
from iotflowgen.errors import NetworkError
from iotflowgen.files import whole_file
from iotflowgen.generators.model_file import versions
from iotflowgen.live import Composer, ask, read_home
from iotflowgen.wire import read_records

ROOT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.live.networks import Namespace, Observer, Site, run, site  # noqa: E402

RESULTS: Final = ROOT / "benchmarks" / "results"
COMMAND: Final = Path(sys.executable).with_name("iotflowgen")
START: Final = "2026-01-01T08:00"
START_NS: Final = 1_767_254_400 * 10**9
ENDS: Final = ("--near", "near0", "--far", "far0")
_SIX: Final = 6
_RUN: Final = 50
"""Packets in a row that are a repeat."""
_NETWORK: Final = """[network]
subnet = "10.20.0.0/16"
gateway = "10.20.0.1"
gateway_mac = "02:00:5e:10:00:01"
"""


@dataclass
class Setting:
    """What rows are measured with."""

    models: list[Path]
    scratch: Path
    decoys: int
    seconds: float | None
    pace: float
    kills: int
    sessions: int

    def home(self, decoys: int, *, first: int = 0) -> Path:
        """A home of so many, model by model in turn."""
        path = self.scratch / f"home-{decoys}-{first}.toml"
        lines = [_NETWORK]
        for i in range(decoys):
            model = self.models[(first + i) % len(self.models)]
            place = i + 2
            lines += [
                f'[[decoys]]\nname = "d{first + i}"\nmodel = "{model}"',
                f'address = "10.20.{1 + place // 250}.{1 + place % 250}"\nseed = {first + i}\n',
            ]
        path.write_text("\n".join(lines))
        return path


@dataclass
class Network:
    """A switch, a computer with a near and a far interface, and where decoys are asked."""

    site: Site
    host: Namespace
    socket: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def live(self, *words: object) -> list[str]:
        """The command that puts decoys there."""
        own = ("--socket", self.socket, "--json")
        return [*self.host.command(COMMAND, "live", *own, *words)]

    def start(self, *words: object, log: Path) -> subprocess.Popen[str]:
        """Put decoys there, for as long as the row is measured."""
        process = subprocess.Popen(
            self.live(*words), text=True, stdout=subprocess.PIPE, stderr=log.open("w")
        )
        self.started.append(process)
        return process

    def status(self) -> dict[str, Any]:
        """What decoys say of themselves; nothing as long as they do not run."""
        try:
            return ask(self.socket, {"ask": "status"})
        except NetworkError:
            return {}

    def begun(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        """Wait for the first packet."""
        while True:
            found = self.status()
            if found.get("near", 0) + found.get("far", 0):
                return found
            if process.poll() is not None:
                raise SystemExit("decoys have ended before their first packet")
            time.sleep(0.05)


@contextmanager
def network(scratch: Path) -> Iterator[Network]:
    """A network in namespaces, gone afterwards."""
    with site() as made:
        host = made.namespace("host")
        made.plug_in(host, "near0")
        made.plug_in(host, "far0")
        found = Network(made, host, scratch / "live.sock")
        try:
            yield found
        finally:
            for process in found.started:
                process.terminate()
                process.communicate(timeout=20)


def frames(setting: Setting) -> dict[str, Any]:
    """Sessions at the observer beside the file: the same frames, in the same order?"""
    seconds, found = setting.seconds or 120.0, Counter[str]()
    for session in range(setting.sessions):
        chosen = Setting(**{**vars(setting), "models": setting.models[:_SIX]})
        home, file = chosen.home(1, first=session), setting.scratch / "planned.pcap"
        device_s = f"{seconds * setting.pace:.0f}s"
        dry = ("--dry-run", "--start", START, "--duration", device_s, "--out", file)
        subprocess.run([COMMAND, "live", home, *dry], check=True, capture_output=True)
        planned = read_records(file).frames.tolist()
        with network(setting.scratch) as net, closing(net.site.observer) as observer:
            words = ("--start", START, "--pace", setting.pace, "--duration", f"{seconds}s")
            process = net.start(home, *ENDS, *words, log=setting.scratch / "frames.log")
            while process.poll() is None:
                observer.watch(quiet=0.2)
            seen = observer.watch()
        # nobody has the address: that is asked before the first composed packet
        asked = sum(map(_is_probe, seen))
        seen = [frame for frame in seen if not _is_probe(frame)]
        planned = [frame for frame in planned if not _is_probe(frame)]
        found += Counter(
            sessions=1,
            equal=seen == planned,
            planned=len(planned),
            unplanned=sum((Counter(seen) - Counter(planned)).values()),
            missing=sum((Counter(planned) - Counter(seen)).values()),
            probes=asked,
        )
    return {"seconds": seconds, "pace": setting.pace, "devices": _SIX, **found}


def _is_probe(frame: bytes) -> bool:
    return frame[12:14] + frame[28:32] == b"\x08\x06" + bytes(4)


def uplink(setting: Setting) -> dict[str, Any]:
    """Packets on the uplink of a gateway on whose bridge decoys are."""
    seconds, decoys = setting.seconds or 300.0, min(setting.decoys, 20)
    with network(setting.scratch) as net:
        host, outside = net.host, net.site.namespace("outside")
        host.run("ip", "link", "add", "name", "lan0", "type", "bridge", "mcast_snooping", 0)
        net.site.mute(host, "lan0")
        host.run("ip", "link", "set", "lan0", "up")
        host.run("ip", "address", "add", "10.20.0.1/16", "dev", "lan0")
        ends = ("wan0", "netns", host.name, "type", "veth", "peer", "name", "net0")
        run("ip", "link", "add", *ends, "netns", outside.name, check=True)
        for where, name, last in ((host, "wan0", 2), (outside, "net0", 1)):
            net.site.mute(where, name)
            where.run("ip", "address", "add", f"203.0.113.{last}/24", "dev", name)
            where.run("ip", "link", "set", name, "up")
        host.run("ip", "route", "add", "default", "via", "203.0.113.1")
        host.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        home = setting.home(decoys)
        home.write_text(home.read_text().replace('gateway_mac = "02:00:5e:10:00:01"\n', ""))
        with closing(Observer(outside.packet_socket("net0"))) as observer:
            words = ("--pace", setting.pace, "--duration", f"{seconds}s", "--rate", 50_000)
            process = net.start(home, "--bridge", "lan0", *words, log=setting.scratch / "up.log")
            while process.poll() is None:
                observer.watch(quiet=0.2)
            left = len(observer.watch())
        said = json.loads(process.communicate()[0])
    sent = said["near"] + said["far"]
    return {"seconds": seconds, "pace": setting.pace, "decoys": decoys, "sent": sent, "left": left}


def boots(setting: Setting) -> dict[str, Any]:
    """All boot at once: lateness at the observer, beside tcpreplay with the same file."""
    seconds = setting.seconds or 600.0
    home, file = setting.home(setting.decoys), setting.scratch / "boots.pcap"
    device_s = f"{seconds:.0f}s"
    dry = ("--dry-run", "--start", START, "--duration", device_s, "--out", file)
    subprocess.run([COMMAND, "live", home, *dry], check=True, capture_output=True)
    planned = _without_probes(file)
    with network(setting.scratch) as net, _dumped(net, setting.scratch) as seen:
        words = (*ENDS, "--start", START, "--duration", device_s, "--rate", 50_000)
        found = _measured(net, home, words, setting.scratch)
        found["observer"] = _late(seen(), planned)
    with network(setting.scratch) as net, _dumped(net, setting.scratch) as seen:
        before = os.times()
        replay = ("tcpreplay", "--intf1=near0", "--timer=nano", "--quiet", file)
        subprocess.run(net.host.command(*replay), check=True, capture_output=True)
        after = os.times()
        used = sum(after[2:4]) - sum(before[2:4])
        found["tcpreplay"] = {**_late(seen(), planned), "processor": used / seconds}
    return {"seconds": seconds, "decoys": setting.decoys, "packets": len(planned), **found}


def hour(setting: Setting) -> dict[str, Any]:
    """An hour of decoys, each of which goes on after its start."""
    seconds = setting.seconds or 3600.0
    home = setting.home(setting.decoys)
    with network(setting.scratch) as net:
        words = (*ENDS, "--duration", f"{seconds:.0f}s", "--rate", 50_000)
        found = _measured(net, home, words, setting.scratch)
    return {"seconds": seconds, "decoys": setting.decoys, **found}


def _measured(net: Network, home: Path, words: Sequence[object], scratch: Path) -> dict[str, Any]:
    """Decoys until they end: lateness, and processor and memory of all their processes."""
    started = time.monotonic()
    process = net.start(home, *words, log=scratch / "measured.log")
    net.begun(process)
    begun, (first_s, _) = time.monotonic(), _used(process.pid)
    last_s, most_mb, until = first_s, 0.0, begun
    while process.poll() is None:
        used_s, mb = _used(process.pid)
        if mb > most_mb / 2:
            # all of them are still there
            last_s, most_mb, until = used_s, max(most_mb, mb), time.monotonic()
        time.sleep(2)
    said = json.loads(process.communicate()[0])
    return {
        "start_seconds": begun - started,
        "sent": said["near"] + said["far"],
        "withheld": said["withheld"],
        "shift": said["shift"],
        "lateness_ms": said["lateness_ms"],
        "processor": (last_s - first_s) / (until - begun),
        "memory_mb": most_mb,
    }


def _tree(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # it has ended meanwhile
            for child in task.read_text().split():
                found += _tree(int(child))
    return found


def _running(process: subprocess.Popen[Any], module: str) -> int:
    """The process that another has started of a module, once it runs."""
    while process.poll() is None:
        for each in _tree(process.pid):
            with suppress(OSError):
                if module in Path(f"/proc/{each}/cmdline").read_text().split("\0"):
                    return each
        time.sleep(0.1)
    raise RuntimeError(f"all has ended, and nothing runs {module}")


def _used(pid: int) -> tuple[float, float]:
    """Seconds of processor, and megabytes (PSS), of a process and those it has started."""
    seconds = mb = 0.0
    for each in _tree(pid):
        try:
            stat = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            rollup = Path(f"/proc/{each}/smaps_rollup").read_text()
        except OSError:
            continue
        seconds += (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
        pss = re.search(r"^Pss:\s+(\d+) kB", rollup, re.M)
        mb += int(pss[1]) / 1024 if pss else 0
    return seconds, mb


@contextmanager
def _dumped(net: Network, scratch: Path) -> Iterator[Callable[[], np.ndarray]]:
    """When the switch heard frames: times, nanoseconds, once it is over."""
    where, file = net.site.namespace("observer"), scratch / "seen.pcap"
    net.site.plug_in(where, "obs0")
    words = ("tcpdump", "-i", "obs0", "-Q", "in", "-s", 64, "--time-stamp-precision=nano")
    command = where.command(*words, "-B", 65536, "-w", file)
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    time.sleep(1)

    def seen() -> np.ndarray:
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        process.wait()
        return _without_probes(file)

    try:
        yield seen
    finally:
        process.kill()
        file.unlink(missing_ok=True)


def _without_probes(file: Path) -> np.ndarray:
    records = read_records(file)
    kept = [not _is_probe(frame) for frame in records.frames.tolist()]
    time_ns: np.ndarray = records.time_ns[np.array(kept, dtype=bool)]
    return time_ns


def _late(seen: np.ndarray, planned: np.ndarray) -> dict[str, Any]:
    """How late frames were, beside the one that was the least late; milliseconds."""
    if len(seen) != len(planned):
        return {"seen": len(seen), "planned": len(planned)}
    late = (seen - planned - (seen - planned).min()) / 1e6
    shares = {"p50": 50, "p99": 99, "p99.9": 99.9, "most": 100}
    found = {name: float(np.percentile(late, share)) for name, share in shares.items()}
    drift = float(np.median(late[-len(late) // 10 :]) - np.median(late[: len(late) // 10 + 1]))
    return {**found, "drift": drift}


def drift(setting: Setting) -> dict[str, Any]:
    """A day, in less time: is the end as late as the beginning?"""
    pace, decoys = max(setting.pace, 60.0), _SIX
    seconds = setting.seconds or 86_400 / pace
    home, file = setting.home(decoys), setting.scratch / "drift.pcap"
    dry = ("--dry-run", "--start", START, "--duration", f"{seconds * pace:.0f}s", "--out", file)
    subprocess.run([COMMAND, "live", home, *dry], check=True, capture_output=True)
    planned = _without_probes(file)
    planned = planned[0] + ((planned - planned[0]) / pace).astype(np.int64)
    with network(setting.scratch) as net, _dumped(net, setting.scratch) as seen:
        words = (*ENDS, "--start", START, "--pace", pace, "--duration", f"{seconds:.0f}s")
        found = _measured(net, home, (*words, "--rate", 50_000), setting.scratch)
        late = _late(seen(), planned)
    return {"seconds": seconds, "pace": pace, "decoys": decoys, "observer": late, **found}


def long(setting: Setting) -> dict[str, Any]:
    """Days of decoys: does memory grow, do runs of packets come again, are counters right?"""
    pace, decoys = max(setting.pace, 60.0), min(setting.decoys, 50)
    seconds = setting.seconds or 7 * 86_400 / pace
    home, memory = setting.home(decoys), list[float]()
    with network(setting.scratch) as net:
        words = (*ENDS, "--pace", pace, "--duration", f"{seconds:.0f}s", "--rate", 50_000)
        process = net.start(home, *words, log=setting.scratch / "long.log")
        net.begun(process)
        while process.poll() is None:
            memory.append(_used(process.pid)[1])
            time.sleep(min(5.0, seconds / 40))
        said = json.loads(process.communicate()[0])
    halves = np.array_split(np.array([mb for mb in memory if mb][1:]), 4)
    return {
        **{"seconds": seconds, "pace": pace, "decoys": decoys},
        "sent": said["near"] + said["far"],
        "withheld": said["withheld"],
        "memory_mb": [round(float(part.mean())) for part in halves if len(part)],
        "repeats": _repeats(home, seconds * pace),
    }


def _repeats(home: Path, seconds: float) -> int:
    """Runs of packets of one decoy that come again, byte by byte, in what it is to say."""
    composer, found = Composer(read_home(home)), 0
    composer.switch_on(START_NS)
    runs: set[int] = set()
    last: dict[int, list[int]] = {}
    for until in range(600, int(seconds) + 600, 600):
        stretch = composer.until(START_NS + min(until, int(seconds)) * 10**9)
        for decoy, frame in zip(stretch.decoy.tolist(), stretch.frames.tolist(), strict=True):
            said = last.setdefault(decoy, [])
            said.append(hash(frame))
            if len(said) == _RUN:
                whole = hash((decoy, *said))
                found += whole in runs
                runs.add(whole)
                said.clear()
    return found


def kills(setting: Setting) -> dict[str, Any]:
    """`kill -9` of each process in turn: how long until decoys are back, and what was wrong."""
    home = setting.home(_SIX)
    hosts = {
        bytes.fromhex(each["mac"].replace(":", "")): each["ip"]
        for each in Composer(read_home(home)).identities()
    }
    modules = ("ahead", "emitting.process", "answering.process", "leasing.process")
    back_s: list[float] = []
    with network(setting.scratch) as net, closing(net.site.observer) as observer:
        words = (*ENDS, "--pace", 20)
        process = net.start(home, *words, log=setting.scratch / "kills.log")
        net.begun(process)
        for number in range(setting.kills):
            # who ends sooner than that does so again and again
            time.sleep(2.5 + random.random())  # noqa: S311 - no secret
            killed = _running(process, f"iotflowgen.live.{modules[number % len(modules)]}")
            observer.watch(quiet=0.01)
            os.kill(killed, signal.SIGKILL)
            since = time.time()
            # what is on its way has come
            time.sleep(0.1)
            observer.watch(quiet=0.01)
            net.begun(process)
            seen = len(observer.times)
            while not any(not _is_probe(frame) for frame in observer.frames[seen:]):
                observer.watch(frames=1, quiet=30)
            back_s.append(observer.times[-1] - since)
        observer.watch(quiet=0.1)
        wrong = sum(not _is_right(frame, hosts) for frame in observer.frames)
        found = len(observer.frames)
    return {
        **{"kills": len(back_s), "decoys": _SIX, "frames": found, "wrong": wrong},
        **{"back_median_s": float(np.median(back_s)), "back_longest_s": max(back_s)},
    }


def _is_right(frame: bytes, hosts: dict[bytes, str]) -> bool:
    """Whether a frame is a decoy's with its own address, or a peer's for a decoy or a group."""
    own = hosts.get(frame[6:12])
    if own is None:
        return bool(frame[0] & 1) or frame[:6] in hosts
    if frame[12:14] != b"\x08\x00":
        return True
    source = ".".join(map(str, frame[26:30]))
    return source in (own, "0.0.0.0")  # noqa: S104 - no socket


ROWS: Final = {each.__name__: each for each in (frames, uplink, boots, hour, drift, long, kills)}


def models(root: Path, scratch: Path) -> list[Path]:
    """Those of the paper's devices and of the samples."""
    makefile = (ROOT / "Makefile").read_text()
    said = re.search(r"^DEVICES := (.*?)\n\n", makefile, re.M | re.S)
    names = re.findall(r"[\w-]+", said[1].replace("$\\", "")) if said else []
    found = []
    for captures in (*(root / name for name in names), *(ROOT / "samples" / n for n in _SAMPLES)):
        path = scratch / f"{captures.name}.model"
        if not path.exists():
            iot.fit(captures).save(path)
        found.append(path)
    return found


_SAMPLES: Final = ("plug", "camera")


def main() -> None:
    """Measure rows and write them to the results, one by one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="captures, a folder a device")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=[*ROWS])
    parser.add_argument("--decoys", type=int, default=1000)
    parser.add_argument("--seconds", type=float, help="of a row, on the clock on the wall")
    parser.add_argument("--pace", type=float, default=1.0, help="device seconds in a second")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--sessions", type=int, default=16)
    parser.add_argument("--again", action="store_true", help="also rows that are there")
    parser.add_argument("--out", type=Path, default=RESULTS / "live.json")
    parser.add_argument("--scratch", type=Path, default=ROOT / "out" / "benchmark" / "live")
    chosen = parser.parse_args()
    chosen.scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        learnt = models(chosen.root, chosen.scratch)
        given = {name: getattr(chosen, name) for name in ("decoys", "seconds", "pace")}
        given |= {"kills": chosen.kills, "sessions": chosen.sessions}
        setting = Setting(models=learnt, scratch=Path(folder), **given)
        for name in chosen.rows:
            known = json.loads(chosen.out.read_text()) if chosen.out.exists() else {"rows": {}}
            if name in known["rows"] and not chosen.again:
                continue
            load = os.getloadavg()[0]
            found = ROWS[name](setting)
            machine = {"cores": os.cpu_count(), "kernel": platform.release(), "load_before": load}
            row = {**found, "machine": machine, "versions": versions()}
            known["rows"][name] = row
            print(name, json.dumps(found), flush=True)
            with whole_file(chosen.out) as temporary:
                temporary.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
