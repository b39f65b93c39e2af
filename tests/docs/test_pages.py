"""Every program, command and output on the pages of the tutorial and the how-tos, as they stand there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import DOCS, blocks, follow

#: Pages with a test of their own, and lists of pages.
OWN_TESTS = {"testing.md", "index.md"}
PAGES = sorted(
    page
    for folder in ("tutorial", "howto")
    for page in (DOCS / folder).glob("*.md")
    if page.name not in OWN_TESTS and blocks(page)
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page(page: Path, tmp_path: Path) -> None:
    assert follow(page, tmp_path) > 0


def test_a_wrong_output_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n")
    with pytest.raises(AssertionError, match="line 1: 2"):
        follow(page, tmp_path)
    page.write_text("```console\n$ echo one\ntwo\n```\n")
    with pytest.raises(AssertionError, match="the page says:\ntwo"):
        follow(page, tmp_path)


def test_a_session_is_one(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```pycon\n>>> x = 1\n```\n\nThen:\n\n```pycon\n>>> x + 1\n2\n```\n")
    assert follow(page, tmp_path) == 2
    page.write_text(page.read_text().replace("2\n", "3\n"))
    with pytest.raises(AssertionError, match=r'File "page.md", line 8(.|\n)*Expected:\n    3\nGot:\n    2'):
        follow(page, tmp_path)
