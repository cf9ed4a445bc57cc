"""The small parts: figures as written, colours, plots as elements, the paper's table."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.report import PAPER_TABLE_1
from iotflowgen.report.palette import INKS, marks
from iotflowgen.report.svg import inline_svg, panel, plotting
from iotflowgen.report.table import NONE, points, told
from tests.conftest import REPOSITORY

OURS = ["iotflow", "doppelganger", "markov", "replay"]


def test_table_1_of_the_paper_has_its_means():
    iotg, dg = (sum(column) / 18 for column in zip(*PAPER_TABLE_1.values(), strict=True))
    assert len(PAPER_TABLE_1) == 18
    assert (round(iotg, 3), round(dg, 3)) == (0.639, 0.943)


@pytest.mark.captures
def test_the_papers_devices_are_folders_of_the_captures(aalto):
    assert all((aalto / name).is_dir() for name in PAPER_TABLE_1)


@given(st.lists(st.sampled_from([*OURS, "a.pcap", "b.csv", "c"]), unique=True))
def test_a_generator_keeps_its_colour_whoever_else_takes_part(names):
    chosen = marks(names)
    alone = marks(OURS)
    assert all(chosen[name] == alone[name] for name in names if name in OURS)
    assert len(set(chosen.values())) == min(len(names), 6)


def test_each_colour_differs_on_either_ground():
    assert len({ink.light for ink in INKS}) == len({ink.dark for ink in INKS}) == len(INKS)


@given(st.floats(-1, 1))
def test_an_excess_is_written_with_its_sign(excess):
    text = points(excess).text
    assert re.fullmatch(r"[+−]\d+\.\d", text)
    assert text != "−0.0"
    assert abs(float(text.replace("−", "-")) - 100 * excess) <= 0.0501


@pytest.mark.parametrize(("accuracy", "shade"), [(0.4, 0), (0.5, 0), (0.75, 0.5), (1, 1)])
def test_the_further_from_a_guess_the_darker(accuracy, shade):
    assert told(accuracy).shade == shade
    assert told(None) == NONE


def test_a_plot_takes_the_colours_of_the_page_and_names_itself():
    with plotting():
        figure, axes = panel(100, left=20)
        axes.plot([0, 1], [0, 1], color=marks(["iotflow"])["iotflow"].ink.light)
        svg = inline_svg(figure, "a < b & c")
    assert svg.startswith('<svg viewBox="0 0 360 100" role="img"><title>a &lt; b &amp; c</title>')
    assert "var(--series-1)" in svg
    assert not re.search(r"#[0-9a-f]{6}\b(?!\")", svg.replace('href="#', ""))
    assert not re.search(r"\d\.\d{2}", svg)
    assert "clip" not in svg


def test_the_template_and_the_style_are_packaged():
    settings = (REPOSITORY / "pyproject.toml").read_text()
    folder = REPOSITORY / "src" / "iotflowgen"
    wanted = [path for path in (folder / "report").iterdir() if path.suffix in {".css", ".j2"}]
    assert len(wanted) == 2
    assert all(f'"{path.relative_to(folder)}"' in settings for path in wanted)
