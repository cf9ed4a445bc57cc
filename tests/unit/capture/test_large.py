"""Of a capture of very many packets, stretches spread over all of it are read."""

import numpy as np
import pytest

import iotflowgen as iot
from iotflowgen.cli.app import app
from iotflowgen.library.captures import read_captures

PLUG = "samples/plug/plug-01.pcapng"


@pytest.mark.filterwarnings("ignore:.* are many")
def test_stretches_are_those_of_the_file():
    (whole,) = read_captures(PLUG).with_frames()
    parts = [*read_captures(PLUG, most=80).with_frames()]
    assert len(parts) > 1
    assert sum(len(trace) for trace, _ in parts) <= 1.2 * 80
    assert parts[0][0].name == f"plug-01.pcapng (1 of {len(parts)})"
    for trace, frames in parts:
        at = np.searchsorted(whole[0].in_file, trace.in_file)
        assert (np.diff(at) == 1).all()
        np.testing.assert_array_equal(trace.time_ns, whole[0].time_ns[at])
        np.testing.assert_array_equal(trace.outgoing, whole[0].outgoing[at])
        assert frames.tolist() == whole[1].take(at).tolist()
    ends = [int(trace.in_file[-1]) for trace, _ in parts]
    assert ends == sorted(ends)
    assert ends[-1] > len(whole[0]) / 2


@pytest.mark.filterwarnings("ignore:.* are many")
def test_long_packets_count_for_more():
    (whole,) = read_captures(PLUG)
    packets = len(whole) * int(whole.length.mean()) // 128
    assert sum(map(len, read_captures(PLUG, most=packets - 100))) < len(whole)
    assert len(read_captures(PLUG, most=2 * packets)[0]) == len(whole)


def test_it_is_said_that_packets_were_left_out():
    with pytest.warns(iot.CaptureWarning, match=r"packets are many: \d+ of them are learnt from"):
        read_captures(PLUG, most=80)


def test_what_large_captures_take_is_said_before(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("iotflowgen.cli.fit._LARGE", 0)
    with pytest.raises(SystemExit):
        app(["fit", PLUG, "--out", str(tmp_path / "a.model"), "--window", "500"])
    said = capsys.readouterr().err
    assert "learning from them will take about 20 s and 0.8 GB of memory" in said
    assert said.index("will take") < said.index("captures ...")
