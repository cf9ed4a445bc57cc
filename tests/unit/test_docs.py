"""Documents stay short where they promise to, and find what they link to."""

import re

import pytest

from tests.conftest import REPOSITORY

DECISIONS = sorted((REPOSITORY / "docs" / "decisions").glob("[0-9]*.md"))
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md"]
PAGES += sorted((REPOSITORY / "docs").rglob("*.md"))
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("record", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_is_a_short_record_in_the_index(record):
    text = record.read_text()
    assert len(text.splitlines()) <= 20
    assert text.startswith(f"# {record.stem[:3]}: ")
    assert "**Question.**" in text
    assert "**Decision.**" in text
    assert re.search(r"^\d{4}-\d\d-\d\d, .*Commits? [0-9a-f]{7}", text, re.MULTILINE)
    title = text.splitlines()[0].partition(": ")[2]
    index = (record.parent / "index.md").read_text()
    assert f"| [{record.stem[:3]}]({record.name}) | {title} |" in index


def test_the_readme_is_read_in_one_go():
    assert len((REPOSITORY / "README.md").read_text().splitlines()) <= 110


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_pages_link_to_files_that_exist(page):
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target
