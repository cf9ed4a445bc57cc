"""The library as a Python programmer uses it: `import iotflowgen as iot`."""

import doctest
import importlib
import os
import pkgutil
import re
import subprocess
import sys
import weakref
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import iotflowgen as iot
from iotflowgen import library
from tests.conftest import REPOSITORY
from tests.end_to_end.invoke import invoke

PLUG = REPOSITORY / "samples" / "plug"
START = "2026-01-01"
COLUMNS = ("time_ns", "length", "outgoing", "src_port", "dst_port", "protocols", "source", "flow")


@pytest.fixture(scope="module")
def captures() -> iot.Captures:
    return iot.read_captures(PLUG)


@pytest.fixture(scope="module")
def model(captures: iot.Captures) -> iot.Model:
    return iot.fit(captures)


def same(these, those):
    these, those = list(these), list(those)
    assert len(these) == len(those)
    for this, that in zip(these, those, strict=True):
        for name in COLUMNS:
            np.testing.assert_array_equal(getattr(this, name), getattr(that, name))


def joined(sessions):
    sessions = list(sessions)
    return {name: np.concatenate([getattr(s, name) for s in sessions]) for name in COLUMNS}


def fresh(code: str) -> str:
    """What a new interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    return done.stdout.strip()


def test_importing_the_package_imports_nothing():
    loaded = fresh(
        "import sys; before = {*sys.modules}; import iotflowgen; "
        "print(sorted({n.partition('.')[0] for n in {*sys.modules} - before}))"
    )
    assert not {"numpy", "torch", "pandas", "pyarrow", "sklearn"} & {*eval(loaded)}
    assert fresh(
        "import iotflowgen as iot; print('fit' in dir(iot), hasattr(iot, 'nonesuch'))"
    ) == ("True False")


def test_everything_public_is_reachable_from_the_top_and_documented():
    for name in iot.__all__:
        assert (getattr(iot, name).__doc__ or "").strip(), name
    assert {*library.__all__} <= {*iot.__all__}
    assert {*importlib.import_module("iotflowgen.errors").__all__} <= {*iot.__all__}


@pytest.mark.parametrize(
    "name", [m.name for m in pkgutil.iter_modules(library.__path__, "iotflowgen.library.")]
)
def test_examples_in_docstrings(name, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_the_example_of_the_readme_is_typed(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    assert blocks
    for i, block in enumerate(blocks):
        (tmp_path / f"example_{i}.py").write_text(block)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--config-file", "pyproject.toml"),
            *sorted(tmp_path.iterdir()),
        ],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_a_saved_model_generates_the_same(model, tmp_path):
    model.save(tmp_path / "plug.model")
    loaded = iot.load(tmp_path / "plug.model")
    assert loaded.summary() == model.summary()
    assert loaded.captures == model.captures
    for path, each in (("a.pcap", model), ("b.pcap", loaded)):
        each.generate(sessions=2, seed=3, start=START).to_pcap(tmp_path / path)
    assert (tmp_path / "a.pcap").read_bytes() == (tmp_path / "b.pcap").read_bytes()


@pytest.mark.parametrize("suffix", ["pcap", "pcapng", "parquet", "csv"])
def test_the_shell_and_the_library_write_the_same(model, tmp_path, suffix):
    model.save(tmp_path / "plug.model")
    ours, theirs = tmp_path / f"ours.{suffix}", tmp_path / f"theirs.{suffix}"
    honey = model.generate(duration="3m", seed=2, start=START)
    write = {"parquet": honey.to_parquet, "csv": honey.to_csv}.get(suffix, honey.to_pcap)
    written = write(ours)
    options = ("--duration", "3m", "--seed", 2, "--start", START, "--out", theirs)
    assert invoke("generate", tmp_path / "plug.model", *options).returncode == 0
    assert ours.read_bytes() == theirs.read_bytes()
    assert written.packets > 100
    assert written.sessions == 1
    assert written.path == ours


def test_honeydata_is_the_same_however_often_it_is_asked_for(model):
    honey = model.generate(sessions=2, seed=5, start=START)
    same(honey, honey)
    same(honey, model.generate(sessions=2, seed=5, start=START))
    first = next(iter(honey))
    assert first.time_ns[0] == 1_767_225_600 * 10**9
    later = model.generate(sessions=2, seed=6, start=START)
    assert len(next(iter(later))) != len(first) or (next(iter(later)).length != first.length).any()


def test_amounts(model):
    assert [s.name for s in model.generate()] == ["0"]
    assert sum(map(len, model.generate(packets=700))) == 700
    for duration in ("3m", timedelta(minutes=3)):
        time_ns = joined(model.generate(duration=duration))["time_ns"]
        assert 60e9 < time_ns[-1] - time_ns[0] <= 180e9
    assert [len(s) for s in model.generate(windows=5)] == [20] * 5


@pytest.mark.parametrize(
    ("wanted", "arguments"),
    [
        ({"sessions": 1, "packets": 2}, ("sessions", "packets")),
        ({"sessions": 0}, ("sessions",)),
        ({"windows": 10**7}, ("windows",)),
        ({"duration": "5 weeks"}, ("duration",)),
        ({"duration": timedelta()}, ("duration",)),
        ({"start": "soon"}, ("start",)),
        ({"sessions": 1.5}, ("sessions",)),
        ({"packets": "7"}, ("packets",)),
        ({"windows": float("nan")}, ("windows",)),
        ({"duration": 5}, ("duration",)),
        ({"start": 5}, ("start",)),
        ({"seed": -1}, ("seed",)),
        ({"seed": (1, 2.5)}, ("seed",)),
    ],
)
def test_what_cannot_be_generated_is_refused_before_anything_is_drawn(model, wanted, arguments):
    with pytest.raises(iot.ArgumentError) as caught:
        model.generate(**wanted)
    assert caught.value.arguments == arguments
    assert isinstance(caught.value, ValueError)


def test_start_may_be_a_datetime(model):
    start = datetime(2026, 1, 1, 8, tzinfo=UTC)
    session = next(iter(model.generate(start=start)))
    assert session.time_ns[0] == int(start.timestamp()) * 10**9


def test_a_stream_goes_on_and_begins_as_what_is_generated(model):
    pieces = [*islice(model.stream(seed=4, start=START), 2)]
    assert len({piece.name for piece in pieces}) == 1
    assert pieces[1].time_ns[0] >= pieces[0].time_ns[-1]
    generated = joined(model.generate(packets=900, seed=4, start=START))
    for name, column in generated.items():
        np.testing.assert_array_equal(column, getattr(pieces[0], name)[:900])


def test_a_stream_keeps_nothing_of_what_it_has_given(model):
    stream = model.stream()
    given = weakref.ref(next(stream))
    next(stream)
    assert given() is None


def test_a_persona_by_keyword_or_as_one(model, tmp_path):
    honey = model.generate(seed=1, start=START)
    one, other = tmp_path / "one.pcap", tmp_path / "other.pcap"
    persona = iot.Persona(mac="02-11-22-33-44-55", ip="192.168.20.31")
    written = honey.to_pcap(one, persona=persona)
    honey.to_pcap(other, mac="02:11:22:33:44:55", ip="192.168.20.31")
    assert one.read_bytes() == other.read_bytes()
    assert (written.device_mac, written.device_ip) == ("02:11:22:33:44:55", "192.168.20.31")
    assert bytes([192, 168, 20, 31]) in one.read_bytes()
    with pytest.raises(iot.ArgumentError, match="not both"):
        honey.to_pcap(one, persona=persona, ip="192.168.20.31")
    with pytest.raises(iot.ArgumentError, match="none of: recorded, fuzz"):
        honey.to_pcap(one, payload="other")
    with pytest.raises(iot.ArgumentError, match="recorded only"):
        honey.to_pcap(one, ip="192.168.20.31", payload="fuzz")
    for wrong in (
        {"ip": "10.0.0.300"},
        {"ip": "10.0.0.255"},
        {"mac": "01:02:03:04:05:06"},
        {"gateway": "224.0.0.1"},
        {"gateway": "10.0.0.0"},
    ):
        with pytest.raises(iot.ArgumentError) as caught:
            iot.Persona(**wrong)
        assert caught.value.arguments == tuple(wrong)


def test_frames_in_pandas_are_the_tables_in_files(model, captures, tmp_path):
    pandas = pytest.importorskip("pandas")
    for each in (model.generate(sessions=2, start=START), model.generate(windows=3), captures):
        each.to_parquet(tmp_path / "x.parquet")
        pandas.testing.assert_frame_equal(
            each.to_pandas(), pandas.read_parquet(tmp_path / "x.parquet")
        )


def test_without_pandas_one_line_says_how_to_get_it(captures, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(iot.ExtraMissing, match="pip install"):
        captures.to_pandas()


def test_names_of_files_say_what_is_written(model, captures, tmp_path):
    honey = model.generate()
    for write in (honey.to_pcap, honey.to_parquet, honey.to_csv, captures.to_parquet):
        with pytest.raises(iot.OutputError, match="must end in"):
            write(tmp_path / "x.txt")
    assert list(tmp_path.iterdir()) == []


def test_captures_are_read_once_and_dealt_out(captures, tmp_path):
    half = captures[1::2]
    assert isinstance(half, iot.Captures)
    assert [trace.name for trace in half] == [trace.name for trace in captures][1::2]
    assert len(half.frames) == len(half) == 8
    learnt = iot.fit(half)
    assert learnt.captures == tuple(len(trace) for trace in half)
    learnt.save(tmp_path / "a.model")
    iot.fit(sorted(PLUG.iterdir())[1::2]).save(tmp_path / "b.model")
    assert (tmp_path / "a.model").read_bytes() == (tmp_path / "b.model").read_bytes()


def test_honeydata_is_told_from_captures_as_its_file_is(captures, tmp_path):
    honey = iot.fit(captures[::2]).generate(sessions=8, seed=1, start=START)
    honey.to_pcap(path := tmp_path / "honeydata.pcap")
    few = {"protocol": "held-out", "adversaries": ["boosting"], "windows": 30}
    found = iot.evaluate(captures[1::2], honey, **few)
    same_found = iot.evaluate(captures[1::2], path, **few)
    assert found.excess == same_found.excess
    assert found.excess["boosting"] == pytest.approx(
        found.accuracy["boosting"] - found.control["boosting"]
    )
    assert (found.results.cells[0].device, found.results.cells[0].generator) == ("plug", "sessions")
    found.to_json(tmp_path / "results.json")
    assert iot.read_results(tmp_path / "results.json").cells[0].adversary == "boosting"
    with pytest.raises(iot.ArgumentError, match="none of: packet-metadata"):
        iot.evaluate(captures, honey, adversaries=["eve"])


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"generator": "nonesuch"}, "generator"),
        ({"config": {"ordr": 3}}, "config"),
        ({"config": {"order": "many"}}, "config"),
        ({"config": 5}, "config"),
        ({"dissector": "nonesuch"}, "dissector"),
        ({"accelerator": "nonesuch"}, "accelerator"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
    ],
)
def test_what_cannot_be_learnt_by_is_refused_before_captures_are_read(options, argument):
    with pytest.raises(iot.ArgumentError) as caught:
        iot.fit(Path("absent"), **options)
    assert caught.value.arguments == (argument,)


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"protocol": "mine"}, "protocol"),
        ({"window": 0}, "window"),
        ({"windows": 1}, "windows"),
        ({"splits": 0}, "splits"),
        ({"adversaries": "eve"}, "adversary"),
        ({"dissector": "nonesuch"}, "dissector"),
        ({"windows": 50.5}, "windows"),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_before_captures_are_read(options, argument):
    with pytest.raises(iot.ArgumentError) as caught:
        iot.evaluate(Path("absent"), Path("absent.pcap"), **options)
    assert caught.value.arguments == (argument,)


def test_few_captures_are_said_to_be_few(captures):
    with pytest.warns(iot.CaptureWarning, match="few captures"):
        iot.fit(captures[:3])


def test_no_captures_are_too_few(captures):
    with pytest.raises(iot.TooShort, match="no captures"):
        iot.fit(captures[:0])
