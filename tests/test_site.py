"""The site of the docs: links lead somewhere, nothing is from elsewhere, search works offline."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from website.figures import placed
from website.pages import sources

from .sites import built, faults, python, read

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

FORGOTTEN = """
[a heading](docs/score.md#nowhere) [a page](docs/none.md) [a file](src/none.py) [a place](#no)
![a picture](docs/images/no.png) `[none](code.md)`

```
[none](code.md)
```
"""


def test_every_link_leads_somewhere_and_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    assert faults(site) == []
    checked = [link for path in site.rglob("*.html") for link in read(path).links]
    assert len(checked) > 1000
    assert sum("#" in link.strip("#") for link in checked) >= 5


def test_the_check_of_links_sees_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("@import 'b.css'; p { background: url(//example.org/x.png) }")
    (tmp_path / "a.html").write_text(
        "<link rel=stylesheet href=a.css><p id=here><a href=#here><a href=#there><a href=b.html>"
        "<script src=https://example.org/x.js></script><a href=https://example.org>"
        "<a href=../out.html><a href=/a.html><img src=no.png><p style='background: url(no.svg)'>"
    )
    assert [sentence.partition("a.html")[2] or sentence for sentence in faults(tmp_path)] == [
        ": #there has no such place",
        ": there is no b.html",
        ": ../out.html leads out of the site",
        ": /a.html leads out of the site",
        " loads https://example.org/x.js",
        ": there is no no.png",
        ": there is no no.svg",
        "a.css loads //example.org/x.png",
        "a.css: there is no b.css",
    ]


def test_every_page_of_the_repository_is_in_the_navigation(site: Path) -> None:
    links = {(site / link).resolve() for link in read(site / "index.html").links}
    for path, name in sources().items():
        assert (site / f"{name}.html").resolve() in links or name == "index", path


def test_the_pages_say_what_the_markdown_says(site: Path) -> None:
    front = (site / "index.html").read_text("utf-8")
    assert "<title>microgpt</title>" in front
    loss = (site / "learn" / "loss.html").read_text("utf-8")
    code = re.search(r"From <a [^>]*href=\"([^\"]*)\"", loss)
    assert code
    assert "cross_entropy" in (site / "learn" / code[1]).read_text("utf-8")
    notebook = (site / "examples" / "notebook.html").read_text("utf-8")
    assert notebook.count('<div class="output">') > 5
    for path in site.rglob("*.html"):
        assert "```" not in re.sub(r"<pre>.*?</pre>", "", path.read_text("utf-8"), flags=re.DOTALL)


def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    (root / "docs").mkdir(parents=True)
    (root / "docs" / "score.md").write_text("# Scores\n\n## A heading\n")
    (root / "README.md").write_text(f"# Tree\n[that](docs/score.md#a-heading)\n{FORGOTTEN}")
    words = "import sys, pathlib; from website.build import build; "
    words += "sys.exit(build(*map(pathlib.Path, sys.argv[1:])))"
    done = python("-c", words, str(tmp_path / "out"), str(root))
    assert done.returncode == 1
    assert done.stderr.count("WARNING") == 5
    for name in ("'nowhere'", "'docs/none.md'", "'src/none.py'", "'no'", "docs/images/no.png"):
        assert name in done.stderr


def test_what_is_no_site_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = built(tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"make_site.py: {tmp_path} must be empty, or a site that was built before.\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_figure_that_there_is_not_fails_the_build() -> None:
    with pytest.raises(ValueError, match=r"^learn/a: a figure must be one of curve, .*'curv'\.$"):
        placed('<div class="figure" data-figure="curv"></div>', "learn/a")


@pytest.mark.parametrize("word", ["calibration", "logarithmischer"])
def test_the_search_works_from_the_disk(browser: Browser, site: Path, word: str) -> None:
    from .browser import watched  # which skips where there is no browser

    context = browser.new_context(offline=True)
    tab, asked, said = watched(context)
    tab.goto((site / "learn" / "loss.html").as_uri())
    tab.get_by_role("textbox", name="Search").fill(word)
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#search-results h2")
    tab.wait_for_selector("#search-results p:has-text('earch')")
    found = tab.locator("#search-results li a")
    if word == "calibration":
        tab.wait_for_selector("#search-results li a:has-text('The calibration')")
        found.first.click()
        tab.wait_for_load_state()
        assert "calibration" in tab.inner_text("article").lower()
    else:
        assert found.count() == 0
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert said == []
    context.close()
