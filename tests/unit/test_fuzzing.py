"""A part of `benchmarks/fuzzing.py`: commands end well on damaged captures and hostile models."""

from pathlib import Path

import fuzzing
import pytest
import typer


@pytest.mark.filterwarnings("always")
@pytest.mark.parametrize(
    ("of", "numbers"), [("captures", range(40)), ("models", range(40))], ids=["captures", "models"]
)
def test_damaged_files_are_read_or_refused_in_one_line(of, numbers):
    runs = fuzzing.runs(of, numbers)
    assert {run.number: run.defect for run in runs if run.defect} == {}
    # both happens, or the mutations are not worth their name
    refused = sum(any(run.statuses) for run in runs)
    assert 0 < refused < len(runs)


def test_a_defect_is_seen(monkeypatch, tmp_path):
    app = typer.Typer(callback=lambda: None)

    @app.command()
    def info(path: Path):
        raise ZeroDivisionError(path)

    monkeypatch.setattr(fuzzing, "app", app)
    assert "info: ZeroDivisionError" in fuzzing.run_capture(0, tmp_path).defect
