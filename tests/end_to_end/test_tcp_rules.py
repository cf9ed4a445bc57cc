"""Sessions of the samples, as the command line writes them, read by a checker of TCP's rules."""

from pathlib import Path

import pytest
from tcp_checker import check, rates

from tests.conftest import REPOSITORY
from tests.end_to_end.invoke import invoke


@pytest.mark.parametrize("name", ["plug", "camera"])
def test_sessions_break_rules_no_more_often_than_captures(name, tmp_path):
    captures, model, out = REPOSITORY / "samples" / name, tmp_path / "model", tmp_path / "out.pcap"
    assert invoke("fit", captures, "--out", model).returncode == 0
    start = ("--start", "2026-01-01", "--seed", "1")
    assert invoke("generate", model, "--sessions", "16", *start, "--out", out).returncode == 0
    generated = check(out)
    assert generated.segments > 500
    real = rates([check(path) for path in sorted(Path(captures).iterdir())])
    assert all(rate <= real.get(rule, 0) for rule, rate in rates([generated]).items())
