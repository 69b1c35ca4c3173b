"""The live figures of the site, in Chromium: from the disk, offline, beside the package."""

from __future__ import annotations

import base64
import csv
import dataclasses
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from website import figures

from microgpt import Run, model, page
from microgpt.config import GPTConfig
from microgpt.export.linked import linked
from microgpt.inside.heads import look
from microgpt.inside.observed import Observed, observe
from microgpt.studio.graphs import GraphAsked, Graphs, ValueAsked

from . import sites  # noqa: F401  (which skips where a site cannot be built)
from .browser import Axe, expect, watched

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow


class Its:
    """The model that the pages hold, as the package computes it."""

    def __init__(self, site: Path) -> None:
        text = (site / "_static" / "figures" / "model.js").read_text("utf-8")
        data = json.loads(text.partition(" = ")[2].rstrip(";\n"))
        names = {field.name for field in dataclasses.fields(GPTConfig)}
        self.config = GPTConfig(**{k: v for k, v in data["config"].items() if k in names})
        flat = np.frombuffer(base64.b64decode(data["weights"]["data"]), "<f4")
        self._weights = model.views(flat, self.config)
        self._written, self.about, self.symbols = data["tokenizer"], data["about"], data["symbols"]

    def seen(self, text: str) -> Observed:
        codes, other = self._written["inner"]["codes"], self._written["stand_in"]
        ids = [codes.index(ord(char)) if ord(char) in codes else other for char in text]
        tokens = [self._written["bos"], *ids][: self.config.block_size]
        return observe(self.config, self._weights, tokens)


@pytest.fixture(scope="module")
def its(site: Path) -> Its:
    return Its(site)


def where(site: Path, name: str) -> Path:
    """Return the page that has a figure."""
    pages = site.rglob("*.html")
    (found,) = (path for path in pages if f'data-figure="{name}"' in path.read_text("utf-8"))
    return found


@contextmanager
def opened(browser: Browser, address: str, home: str, **kind: Any) -> Iterator[Page]:
    """Open a figure's page, which must ask for nothing elsewhere, and complain of nothing."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 1000}, **kind})
    tab, asked, said = watched(context)
    tab.goto(address)
    tab.wait_for_selector("section.card > div")
    yield tab
    assert len(asked) > 5
    assert [url for url in asked if not url.startswith((home, "data:", "blob:"))] == []
    assert said == []
    assert tab.url == address  # its end is a place in the page, not what a figure shows
    context.close()


@contextmanager
def figure(browser: Browser, site: Path, name: str, **kind: Any) -> Iterator[Page]:
    """Open a figure's page from the disk, offline."""
    address = f"{where(site, name).as_uri()}#here"
    with opened(browser, address, site.as_uri(), offline=True, **kind) as tab:
        yield tab


def numbers(tab: Page, title: str) -> list[list[str]]:
    """Return the rows of a chart's CSV file, with its heading."""
    caption = tab.locator("figcaption", has_text=title)
    with tab.expect_download() as download:
        caption.get_by_role("button", name="CSV").click()
    with Path(download.value.path()).open(encoding="utf-8", newline="") as file:
        return [*csv.reader(file)]


def test_the_point_of_the_curve_is_dragged_and_the_numbers_follow(
    browser: Browser, site: Path, its: Its
) -> None:
    with figure(browser, site, "curve") as tab:
        cells = tab.locator("#objectives td")
        assert float(cells.first.inner_text()) == pytest.approx(-np.log(0.1), abs=0.006)
        picture = tab.locator("svg.drag").first
        picture.scroll_into_view_if_needed()
        box = picture.bounding_box()
        assert box
        tab.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.5 * box["height"])
        tab.mouse.down()
        places = []
        for share in (0.7, 0.5, 0.3):
            tab.mouse.move(box["x"] + share * box["width"], box["y"] + 0.5 * box["height"])
            p = float(tab.input_value("#p"))
            places.append(p)
            loss, slope = (float(text.replace(" ", "")) for text in cells.all_inner_texts()[:2])
            assert loss == pytest.approx(-np.log(p), abs=0.06)  # two digits of p are shown
            assert slope == pytest.approx(p - 1, abs=0.006)
        tab.mouse.up()
        assert places == sorted(places, reverse=True)
        assert places[0] > 10 * places[-1]
        assert f"this model {its.about['held_out']:.2f} nats" in tab.inner_text("#marks")


@pytest.mark.parametrize("prompt", ["", "sm"])
def test_the_temperature_changes_the_shares_to_what_the_package_computes(
    browser: Browser, site: Path, its: Its, prompt: str
) -> None:
    with figure(browser, site, "temperature") as tab:
        tab.fill("#prompt", prompt)
        logits = its.seen(prompt).logits_TV[-1]
        for temperature in (0.8, 0.3, 2.0):
            tab.get_by_role("textbox", name="Temperature as a number").fill(str(temperature))
            expect(tab.locator("#samples")).to_have_attribute("aria-busy", "false")
            for column, divisor in ((1, 1.0), (2, temperature)):
                powers = np.exp((logits - logits.max()) / divisor)
                p = dict(zip(its.symbols, powers / powers.sum()))
                rows = numbers(tab, "The next token")[1:]
                assert len(rows) == 12
                for row in rows:
                    assert float(row[column]) == pytest.approx(p[row[0]], abs=1e-6)
        first = tab.locator("#samples tbody tr").first.inner_text()
        tab.get_by_role("button", name="Draw others").click()
        expect(tab.locator("#samples tbody tr").first).not_to_have_text(first)
        assert tab.locator("#samples tbody tr").count() == 8
        tab.locator("#samples button").nth(2).click()
        name = tab.locator("#samples button").nth(2).inner_text()
        expect(tab.locator("#costs h3")).to_contain_text(name)


@pytest.mark.parametrize("text", ["emma", "É x", "", "anna" * 20])
def test_attention_is_what_the_package_observes(
    browser: Browser, site: Path, its: Its, text: str
) -> None:
    seen = its.seen(text)
    with figure(browser, site, "attention") as tab:
        tab.get_by_role("textbox", name="Text").fill(text)
        for layer, heads in enumerate(seen.attention_LHTT):
            for head, shares_TT in enumerate(heads):
                name = f"Layer {layer}, head {head} {look(shares_TT).says}"
                tab.get_by_role("button", name=name).click()
                rows = numbers(tab, f"Attention of head {head} of layer {layer}")[1:]
                assert len(rows) == len(shares_TT)
                for t, row in enumerate(rows):
                    found = [float(cell) for cell in row[1 : t + 2]]
                    assert found == pytest.approx(shares_TT[t, : t + 1].tolist(), abs=1e-5)
        if text.startswith("É"):  # never seen: it has a name, though another is read for it
            assert tab.locator(".board text", has_text="É?").count() == 2


def test_the_graph_unfolds_down_to_a_single_value(browser: Browser, site: Path) -> None:
    with figure(browser, site, "graph") as tab:
        for i, name in enumerate(["layer0", "attention", "scores", "position 2: m", "head 1"]):
            tab.locator("details:not([open]) > summary", has_text=name).first.click()
            expect(tab.locator(".outline details[open]")).to_have_count(i + 1)
        tab.locator("button.value").nth(1).click()
        shown = tab.inner_text("#value")
        assert "Computed as a * " in shown
        assert "layer0 › attention › scores › position 2 › head 1" in shown
        tab.locator("#value td button, #value th button").first.click()
        expect(tab.locator("#value-title")).not_to_have_text(shown.partition("\n")[0])
        tab.get_by_role("combobox", name="Loss").select_option(index=1)
        expect(tab.locator(".card h2")).not_to_contain_text("1,121")


def test_a_page_s_graphs_are_answered_for_as_the_studio_does(browser: Browser, model: Run) -> None:
    text = "anna"
    modules = {name: page.text(name) for name in page.names() if name.endswith(".js")}
    made = json.dumps(figures.graphs(model, text))
    tab = browser.new_page()
    tab.evaluate(
        f"{linked('inside/kept.js', modules)}\nwindow.kept = modules['inside/kept.js'].kept({made})"
    )
    graphs = Graphs()
    checked = 0
    for position in (None, 3):
        paths: list[list[str]] = [[]]
        while paths:
            path = paths.pop()
            for first in (0, 3):
                asked = GraphAsked(model.folder.name, text, position, path, first)
                own = json.loads(json.dumps(graphs.part(model, asked), default=dataclasses.asdict))
                found = tab.evaluate("a => kept.part('', ...a)", [position, path, first])
                assert near(found, own)
                checked += 1
            if not first:
                break
            whole = graphs.part(model, GraphAsked("", text, position, path))
            paths += [[*fold.path] for fold in whole["folds"]]
        for number in range(0, whole["values"], 7):
            own = graphs.value(model, ValueAsked("", text, number, position))
            found = tab.evaluate("a => kept.value('', ...a)", [position, number])
            assert near(found, json.loads(json.dumps(own)))
    assert checked > 250
    tab.close()


def near(found: Any, own: Any) -> bool:
    """Return whether two answers are the same, numbers to the digits that a page holds."""
    if isinstance(own, dict):
        return found.keys() == own.keys() and all(near(found[key], own[key]) for key in own)
    if isinstance(own, list):
        return len(found) == len(own) and all(map(near, found, own))
    return found == (pytest.approx(own, rel=1e-4, abs=1e-9) if isinstance(own, float) else own)


@pytest.mark.parametrize("name", figures.FIGURES)
def test_a_figure_has_the_page_s_colours_and_fits_a_phone(
    browser: Browser, site: Path, name: str
) -> None:
    narrow = {"viewport": {"width": 320, "height": 640}, "color_scheme": "dark"}
    with figure(browser, site, name, **narrow) as tab:
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        card = tab.locator("section.card")

        def ground() -> str:
            return card.evaluate("card => getComputedStyle(card).backgroundColor")

        assert (card.get_attribute("data-scheme"), ground()) == ("dark", "rgb(20, 23, 27)")
        tab.evaluate("document.body.dataset.theme = 'light'")
        expect(card).to_have_attribute("data-scheme", "light")
        assert ground() == "rgb(255, 255, 255)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["", "attention", "graph"])
def test_axe_finds_nothing_serious(browser: Browser, site: Path, name: str, scheme: Any) -> None:
    context = browser.new_context(color_scheme=scheme, offline=True)
    tab = context.new_page()
    tab.goto((where(site, name) if name else site / "index.html").as_uri())
    tab.wait_for_selector("section.card > div" if name else "article")
    tab.wait_for_timeout(300)
    found = Axe().run(tab)
    assert len(found.response["passes"]) > 20
    serious = [v for v in found.response["violations"] if v["impact"] in ("serious", "critical")]
    assert [(v["id"], [node["html"] for node in v["nodes"]][:3]) for v in serious] == []
    context.close()


def test_the_site_can_be_served_from_any_folder(browser: Browser, site: Path) -> None:
    serving = partial(SimpleHTTPRequestHandler, directory=str(site.parent))
    serving.log_message = lambda *_: None  # type: ignore[attr-defined]
    with ThreadingHTTPServer(("127.0.0.1", 0), serving) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        home = f"http://127.0.0.1:{server.server_port}/{site.name}"
        address = f"{home}/{where(site, 'curve').relative_to(site).as_posix()}"
        with opened(browser, address, home) as tab:
            assert tab.locator("#objectives td").count() == 6
        server.shutdown()
