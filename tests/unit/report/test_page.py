import re
from itertools import pairwise

import matplotlib as mpl
import pytest

from iotflowgen.cli.report import report
from iotflowgen.errors import ResultsError
from iotflowgen.evaluation import Results
from iotflowgen.report import write_report
from tests.unit.report.html_page import Page
from tests.unit.report.small_results import (
    PAPER,
    benchmark_results,
    cell,
    evaluate_results,
    failed,
)


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(benchmark_results(), path)
    return path.read_text()


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def written(results, folder):
    write_report(results, folder / "report.html")
    return Page((folder / "report.html").read_text())


def test_the_page_needs_nothing_else(text, page):
    assert all(link.startswith("#") for link in page.attributes("href", "src", "xlink:href"))
    assert not re.search(r"url\(|@import|<script|<link|<iframe|<img|javascript:", text)
    assert page.count("style") == 1


def test_table_1_is_what_the_results_and_the_paper_say(page):
    _, head, hue, max_gateway, means = page.tables["Adversary packet-metadata"]
    assert [name.lstrip("●◆") for name in head] == [
        *("device", "IoTG", "DG"),
        *("iotflow", "replay", "control"),
        *("iotflow", "replay"),
    ]
    assert hue == ["HueBridge", "61.4%", "96.4%", "70.0%", "50.0%", "50.0%", "+10.0", "+0.0"]
    assert max_gateway == ["MAXGateway", "62.6%", "91.0%", "80.0%", "–", "50.0%", "+10.0", "+0.0"]
    assert means == ["mean", "62.0%", "93.7%", "75.0%", "50.0%of 1", "50.0%", "+10.0", "+0.0"]


def test_every_adversary_has_its_table(page):
    for adversary in ("packet-metadata", "boosting"):
        _, head, iotflow, _ = page.tables[adversary]
        found = dict(zip(head[1:7], iotflow[1:7], strict=True))
        assert found["accuracy"] == "60.0%"
        assert found["by split"] == "+8.0, +12.0"
        assert iotflow[-1] == "80.0%MAXGateway"


def test_identification_and_metrics_stand_beside_real_traffic(page):
    _, iotflow, _ = page.tables["Windows taken for the right device, means"]
    assert iotflow[1:] == ["80.0%", "40.0%", "0.50", "60.0%"]
    rows = {row[0]: row[1:4] for row in page.tables["Means over devices and splits"]}
    assert rows["copied windows"] == ["20.0%", "20.0%", "90.0%"]
    assert rows["membership inference, ROC AUC"] == ["0.50", "0.51", "0.51"]
    assert "distance to the nearest window learnt from" not in rows  # infinite everywhere


def test_costs_and_settings_are_told(page):
    assert page.tables["Costs"][-1][1:] == ["2", "12.5", "12.5", "25.0", "0.5", "0.5"]
    assert ["versions.iotflowgen", "0.1.0"] in page.tables["Settings"]


def test_failures_are_shown_once_with_all_that_lacks_figures(page):
    _, *rows = page.tables["What went wrong, and what has no figures for it"]
    assert rows == [
        [
            "MAXGateway",
            "replay",
            "ModeCollapse: all the same; fit anew",
            "paper, boosting; paper, packet-metadata",
        ]
    ]
    assert "2 of 16 combinations" in page.words


def test_readers_without_eyes_find_their_way(page):
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(lower <= upper + 1 for upper, lower in pairwise(levels))
    assert all(attrs.get("scope") for tag, attrs in page.elements if tag == "th")
    assert page.count("caption") == page.count("table")
    assert page.count("title") == page.count("svg") + 1
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in page.attributes("href")} <= set(ids)


def test_plots_are_small(text, page):
    assert page.count("svg") > 15
    assert len(text) / page.count("svg") < 15_000


def test_a_day_is_drawn_where_traffic_lasts_for_days(tmp_path):
    results = evaluate_results()
    day = {"starts": {"tcp 8883": range(0, 1440, 5), "arp": (3, 700)}}
    kept = {"days": {"real": day, "synthetic": day}}
    samples = [each.model_dump() | kept for each in results.samples]
    days = Results.model_validate(results.model_dump() | {"samples": samples})
    for shown, is_drawn in ((days, True), (results, False)):
        write_report(shown, tmp_path / "report.html")
        text = (tmp_path / "report.html").read_text()
        assert ("A day, service by service" in text) == is_drawn
        assert ("A day of plug, real above and of honeydata.pcap below" in text) == is_drawn


def test_every_device_can_be_opened_and_the_first_is(page):
    opened = ["open" in attrs for tag, attrs in page.elements if tag == "details"]
    assert opened == [False, True, False]  # identification by device, then the devices


def test_same_results_same_bytes_whatever_plots_look_like_elsewhere(text, tmp_path):
    with mpl.rc_context({"font.size": 30, "svg.hashsalt": None, "axes.grid": True}):
        write_report(benchmark_results(), tmp_path / "again.html")
        assert mpl.rcParams["font.size"] == 30
    assert (tmp_path / "again.html").read_text() == text


def test_what_evaluate_writes_makes_a_page_without_empty_sections(tmp_path):
    page = written(evaluate_results(), tmp_path)
    assert "How detectable is the honeydata of plug?" in page.words
    assert page.tables["Adversary boosting"][-1] == ["plug", "75.0%", "50.0%"]
    assert page.tables["boosting"][-1][1:3] == ["75.0%", "70.0 to 80.0%"]
    ids = set(page.attributes("id"))
    assert {"reading", "table-1", "accuracy", "adversaries", "traffic", "made"} <= ids
    assert not {"identification", "metrics", "failures"} & ids
    assert "held-out" not in page.words
    assert "IoTG" not in page.words


def test_results_without_pictures_or_captures_make_a_page(tmp_path):
    cells = (cell("plug", PAPER, "markov", "rocket", [0.6]),)
    page = written(Results(made_with={}, cells=cells), tmp_path)
    assert not {"traffic", "made"} & set(page.attributes("id"))


def test_names_are_words_not_markup(tmp_path):
    device, generator = "<script>alert('$x$')</script>", 'a"><b>\x07\udcff'
    page = written(evaluate_results(device, generator), tmp_path)
    assert not {"script", "b"} & {tag for tag, _ in page.elements}
    assert device in page.words


def test_where_everything_failed_the_page_says_why(tmp_path):
    cells = (failed("plug", PAPER, "markov", "rocket", "TooShort: 3 packets; give more captures"),)
    page = written(Results(made_with={}, cells=cells), tmp_path)
    assert "TooShort: 3 packets; give more captures" in page.words
    assert page.count("svg") == 0


def test_nothing_to_report_is_an_error_and_leaves_no_file(tmp_path):
    with pytest.raises(ResultsError, match="run evaluate or benchmark"):
        write_report(Results(made_with={}), tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_progress_goes_to_its_end(tmp_path):
    told = []
    write_report(
        evaluate_results(),
        tmp_path / "report.html",
        progress=lambda stage, done, total, note="": told.append((stage, done, total, note)),
    )
    assert told == [("draw", 1, 2, "paper"), ("draw", 2, 2, "plug")]


@pytest.mark.parametrize("given", ["results.json", "."])
def test_the_command_takes_a_file_or_the_folder_of_a_benchmark(given, tmp_path):
    evaluate_results().write(tmp_path / "results.json")
    report(tmp_path / given, tmp_path / "report.html")
    assert "plug" in (tmp_path / "report.html").read_text()
