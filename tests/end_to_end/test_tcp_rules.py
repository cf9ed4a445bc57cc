"""Sessions of the samples, as the command line writes them, read by a checker of TCP's rules."""

from pathlib import Path

import pytest
from scipy.stats import poisson
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
    real = [check(path) for path in sorted(Path(captures).iterdir())]
    broken, expected = rates([generated]), rates(real)
    for rule, rate in broken.items():
        # captures break a rule once or not at all: a rate of theirs has chance in it
        events = expected.get(rule, 0) * generated.segments / 1000
        assert rate * generated.segments / 1000 <= poisson.ppf(0.99, events), rule
