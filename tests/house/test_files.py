"""Nothing in the project points to a place that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house.tree import ROOT, tracked

PAGES = sorted(path for path in tracked() if path.suffix == ".md")
LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)>\s]+)>?[^)]*\)")
CODE = re.compile(r"^(`{3,}|~{3,}).*?^\1|`[^`\n]+`", re.DOTALL | re.MULTILINE)
# Put together, or this file would be the first to be found.
MACHINE = re.compile("|".join("/" + place for place in (r"work/", r"root/", r"tmp/", r"home/\w", r"Users/\w")))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def relative_links(text: str) -> list[str]:
    """Return what a page links to inside the project, without the part after #."""
    found = [link.partition("#")[0] for link in LINK.findall(CODE.sub("", text))]
    return [link for link in found if link and not re.match(r"[a-z]+:", link)]


def test_links_are_recognised() -> None:
    text = "[a](b.md) ![c](d/e.png) [f](https://g) [h](#i) [j](k.md#l) `[m](n.md)`\n```\n[o](p.md)\n```\n"
    assert relative_links(text) == ["b.md", "d/e.png", "k.md"]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    links = relative_links(page.read_text(encoding="utf-8"))
    assert not [link for link in links if not (page.parent / link).exists()]


def test_no_machine_is_named() -> None:
    found = []
    for path in tracked():
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if MACHINE.search(line):
                found.append(f"{name(path)}:{number}: {line.strip()[:100]}")
    assert not found, "\n".join(found)


def test_scripts_can_be_run() -> None:
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o100


def test_the_picture_of_the_tree_is_true() -> None:
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    pictured = set(re.findall(r"^ {6}(\S+) +\S", page, re.MULTILINE))
    there = {
        path.name + "/" * path.is_dir()
        for path in (ROOT / "broker").iterdir()
        if path.name != "__pycache__" and path.suffix not in {".so", ".pyc"}
    }
    assert pictured == there
