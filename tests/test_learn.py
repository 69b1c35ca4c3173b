"""The course: every line of code that a page quotes stands in the source."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
from course import title

from microgpt.cli.why.ideas import IDEAS

ROOT = Path(__file__).resolve().parents[1]
LEARN = ROOT / "docs" / "learn"
PAGES = sorted(LEARN.glob("*.md"))
_QUOTED = re.compile(r"<!-- from (\S+) -->\n+```\w*\n(.*?)```", re.DOTALL)


def stands_in(piece: str, source: str) -> int:
    """Where lines stand in a source one after another, however far to the right; -1: nowhere."""
    wanted = textwrap.dedent(piece).strip("\n").split("\n")
    lines = source.split("\n")
    for i in range(len(lines) - len(wanted) + 1):
        if textwrap.dedent("\n".join(lines[i : i + len(wanted)])).split("\n") == wanted:
            return i
    return -1


def test_a_changed_line_is_noticed() -> None:
    source = "class A:\n    def b(self):\n        return 1\n\n    c = 2\n"
    assert stands_in("def b(self):\n    return 1\n", source) == 1
    assert stands_in("def b(self):\n    return 2\n", source) == -1
    assert stands_in("def b(self):\nreturn 1\n", source) == -1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_of_a_page_is_that_of_the_source(page: Path) -> None:
    """A line of three dots stands for lines that are left out."""
    for path, code in _QUOTED.findall(page.read_text("utf-8")):
        source, after = (ROOT / path).read_text("utf-8"), -1
        for piece in re.split(r"^ *\.\.\.\n", code, flags=re.MULTILINE):
            found = stands_in(piece, source)
            assert found > after, f"{page.name} quotes {path}, which has no such lines:\n{piece}"
            after = found


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.stem in IDEAS], ids=lambda p: p.stem
)
def test_a_page_of_an_idea_has_all_its_parts(page: Path) -> None:
    text = page.read_text("utf-8")
    assert f"\n$ microgpt why {page.stem}".replace(" loss", "") in text
    assert "\n>>> " in text
    assert "\n## An experiment\n" in text or "\n### An experiment\n" in text
    for heading in ("What usually goes wrong", "Sources"):
        assert f"\n## {heading}\n" in text, heading
    assert len(_QUOTED.findall(text)) >= 1


def test_the_pages_are_a_chain() -> None:
    ends = [("The course", "README.md"), *((title(name), f"{name}.md") for name in IDEAS),
            ("Exercises", "exercises.md")]  # fmt: skip
    for before, (_, page), after in zip(ends, ends[1:], ends[2:]):
        last = (LEARN / page).read_text("utf-8").rpartition("\n\n")[2].replace("\n", " ")
        chain = f"Before: [{before[0]}]({before[1]}). Next: [{after[0]}]({after[1]}). Live: "
        assert last.startswith(chain), page
