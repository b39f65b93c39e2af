"""What pages take from the code is what the code says now; ``python -m docs.generate`` makes it so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs import generate

PAGES = generate.pages()


def flat(text: str) -> str:
    """Return a text without what differs between versions of Python: where help texts wrap, and one detail of them."""
    return re.sub(r"(-\w) [A-Z]+, (--[\w-]+ [A-Z]+)", r"\1, \2", " ".join(text.split()))


def test_every_part_has_its_place() -> None:
    found = [name for page in PAGES for _, name, _ in generate.PART.findall(page.read_text(encoding="utf-8"))]
    assert set(found) == set(generate.PARTS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_parts_are_fresh(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert flat(text) == flat(generate.written(text)), "run python -m docs.generate"


@pytest.mark.parametrize("name", generate.PICTURES)
def test_pictures_are_fresh(name: str) -> None:
    assert (generate.DOCS / name).read_text(encoding="utf-8") == generate.PICTURES[name](), (
        "run python -m docs.generate"
    )


def test_a_stale_part_is_found() -> None:
    text = "<!-- generated: limits -->\nstale words\n<!-- end -->"
    assert "stale words" not in generate.written(text) and "`handshake`" in generate.written(text)
