import json

import pytest

from iotflowgen.errors import ResultsError
from iotflowgen.evaluation import Attack, Cell, Detection, Results, Sample, read_results


def detection(mean):
    return Detection("boosting", mean, (mean - 0.1, mean + 0.1), 0.5, (mean,) * 5)


@pytest.fixture
def results():
    attacks = tuple(
        Attack(detection=detection(found), control=detection(control))
        for found, control in ((0.75, 0.5), (0.5, 0.625))
    )
    names = {"device": "plug", "protocol": "held-out", "generator": "markov"}
    return Results(
        made_with={"seed": 0},
        cells=(
            Cell(**names, adversary="boosting", attacks=attacks),
            Cell(**names, adversary="rocket", error="TooShort: too short"),
        ),
        samples=(Sample(**names, trial=0, metrics={"nearest_distance": {"ratio": float("inf")}}),),
    )


def test_what_is_written_is_read(results, tmp_path):
    path = tmp_path / "results.json"
    results.write(path)
    assert read_results(path) == results
    said = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert said["cells"][0]["excess"] == 0.0625
    assert said["samples"][0]["metrics"]["nearest_distance"]["ratio"] is None


def test_cells_are_selected_by_what_they_are_of(results):
    assert [cell.adversary for cell in results.select(device="plug")] == ["boosting"]
    assert not list(results.select(device="plug", generator="replay"))


def test_files_that_are_no_results_get_one_line(tmp_path):
    path = tmp_path / "results.json"
    with pytest.raises(ResultsError, match=r"cannot read .*results\.json"):
        read_results(path)
    for text, said in (
        ("not json", "not a results file"),
        ("[]", "not a results file"),
        ('{"schema_version": 99}', "schema version 99, this iotflowgen reads 2"),
        ('{"schema_version": 2}', "has unknown entries"),
    ):
        path.write_text(text)
        with pytest.raises(ResultsError, match=said):
            read_results(path)
