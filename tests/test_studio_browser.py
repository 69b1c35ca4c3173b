"""The studio's page in Debian's Chromium: by mouse, by touch, by keys; hostile text; no network."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import microgpt
from microgpt import Run
from microgpt.loss.objectives import OBJECTIVES
from microgpt.studio.server import Server

from .browser import accessible, chromium, expect
from .conftest import TINY
from .studios import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow
SIZES = {"wide": (1280, 800), "narrow": (320, 640), "huge": (3840, 2160)}
HOSTILE = ["<script>boom()</script>", "<img src=x onerror=boom()>", "</ol><svg onload=boom()>"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run trained on names and on what an attacker would have put among them."""
    texts = [*TINY, *(a + b for a in TINY for b in TINY[:6]), *HOSTILE]
    return microgpt.train(
        texts, engine="scalar", preset="microgpt", steps=60, holdout=0.3,
        out=tmp_path_factory.mktemp("runs") / HOSTILE[1].replace("/", "_"),
    )  # fmt: skip


@pytest.fixture
def server(trained: Run) -> Iterator[Server]:
    with serving(trained.folder.parent) as served:
        yield served


class Tab:
    """A tab, and all that the page asked for and complained of."""

    def __init__(self, browser: Browser, server: Server, **kind: Any) -> None:
        self.context = browser.new_context(bypass_csp=kind.pop("bypass_csp", False), **kind)
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.said: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.goto(server.address)
        self.page.wait_for_selector("#way")
        self.home = f"http://127.0.0.1:{server.port}/"

    def text(self, name: str) -> str:
        return self.page.inner_text(f"#{name}")

    def count(self, characters: int) -> None:
        """Wait until so many characters are shown, the end included."""
        expect(self.page.locator("#characters button")).to_have_count(characters)

    def close(self) -> None:
        assert [url for url in self.asked if not url.startswith((self.home, "data:"))] == []
        assert self.said == []
        self.context.close()


@pytest.fixture
def tab(browser: Browser, server: Server) -> Iterator[Tab]:
    made = Tab(browser, server, viewport={"width": 1280, "height": 800}, has_touch=True)
    yield made
    made.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_is_cut_off(
    browser: Browser, server: Server, size: str, scheme: Any
) -> None:
    width, height = SIZES[size]
    # Axe is a script, which the page itself would not let in.
    made = Tab(
        browser, server, viewport={"width": width, "height": height}, color_scheme=scheme,
        bypass_csp=True,
    )  # fmt: skip
    made.page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    made.page.wait_for_selector("figure table")
    accessible(made.page)
    assert made.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    made.close()


def test_the_address_keeps_no_token_and_has_what_is_on_the_page(tab: Tab) -> None:
    assert "token" not in tab.page.url
    tab.page.fill("#text", "annalena")
    tab.count(9)
    tab.page.click("#characters li:nth-child(3) button")
    tab.page.fill("#p", "0.25")
    expect(tab.page.locator("#way")).to_contain_text("p of n =")
    way, says = tab.text("way"), tab.text("says")
    assert "text=annalena" in tab.page.url
    tab.page.reload()
    tab.page.wait_for_selector("#characters li:nth-child(3) button[aria-pressed=true]")
    expect(tab.page.locator("#way")).to_have_text(way)
    assert tab.text("says") == says
    assert tab.page.input_value("#p") == "0.25"


def test_a_text_costs_what_the_package_says(tab: Tab, trained: Run) -> None:
    tab.page.fill("#text", "annalena")
    tab.count(9)
    shown = tab.page.locator("#characters span").all_inner_texts()
    assert [float(nats) for nats in shown] == pytest.approx(
        trained.score("annalena").losses, abs=0.006
    )
    assert f"{trained.score('annalena').loss:.2f} nats a character" in tab.text("sum")


def test_the_point_moves_by_mouse_touch_keys_and_number(tab: Tab) -> None:
    chart = tab.page.locator("figure.plot svg").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box
    seen = set[str]()
    y = box["y"] + box["height"] / 2
    tab.page.mouse.move(box["x"] + 0.7 * box["width"], y)
    tab.page.mouse.down()
    seen.add(tab.page.input_value("#p"))
    tab.page.mouse.move(box["x"] + 0.3 * box["width"], y)
    seen.add(tab.page.input_value("#p"))
    tab.page.mouse.up()
    tab.page.mouse.move(box["x"] + 0.5 * box["width"], y)
    assert tab.page.input_value("#p") in seen  # the button is up
    tab.page.touchscreen.tap(box["x"] + 0.5 * box["width"], y)
    seen.add(tab.page.input_value("#p"))
    tab.page.focus("#p-slider")
    tab.page.keyboard.press("ArrowLeft")
    seen.add(tab.page.input_value("#p"))
    tab.page.keyboard.press("End")
    assert tab.page.input_value("#p") == "1"
    assert len(seen) == 4
    tab.page.fill("#p", "0.0001")
    assert "Sure and wrong" in tab.text("says")
    tab.page.fill("#p", "7")
    assert tab.page.get_attribute("#p", "aria-invalid") == "true"


def test_what_a_script_computes_is_what_the_package_computes(tab: Tab) -> None:
    module = "import('/page/loss.js')"
    rows = [[2.0, -1.0, 0.5], [1000.0, 999.0, -1000.0], [0.0, 0.0], [-3.25, 4.5, 0.125, 7.0]]
    for logits in rows:
        for target in range(len(logits)):
            found = tab.page.evaluate(
                f"{module}.then(m => m.crossEntropy({json.dumps(logits)}, {target}).nats)"
            )
            assert found == pytest.approx(microgpt.cross_entropy(logits, target)[0], abs=1e-12)
    rest = tab.page.evaluate(f"{module}.then(m => m.crossEntropy([2, -1], 0, 0.5).nats)")
    assert rest == pytest.approx(microgpt.cross_entropy(rows[0], 0)[0], abs=1e-12)
    for p in (1e-5, 0.01, 0.3, 0.5, 0.99, 1.0):
        found = tab.page.evaluate(
            f"{module}.then(m => m.OBJECTIVES.map(o => [o.value({p}), o.slope({p})]))"
        )
        nats = -math.log(p)
        expected = [[o.value(nats), o.weight(nats) * (p - 1)] for o in OBJECTIVES.values()]
        assert found == [pytest.approx(pair, abs=1e-12) for pair in expected]


def test_a_moved_logit_changes_every_probability_and_goes_back(tab: Tab) -> None:
    before = tab.text("way")
    column = "#inside td:last-child"
    told = tab.page.locator(column).all_inner_texts()
    tab.page.locator("#inside input[type=range]").first.focus()
    for _ in range(40):
        tab.page.keyboard.press("ArrowRight")
    moved = tab.page.locator(column).all_inner_texts()
    assert sum(a != b for a, b in zip(told, moved)) > len(told) // 2
    assert tab.text("way") != before
    tab.page.get_by_role("button", name="As the model had it").click()
    assert tab.text("way") == before


def test_every_control_is_reached_by_keyboard(tab: Tab) -> None:
    controls = tab.page.evaluate(
        "document.querySelectorAll('input, select, button, summary').length"
    )
    reached = set[str]()
    tab.page.evaluate("document.activeElement.blur()")
    for _ in range(controls + 5):
        tab.page.keyboard.press("Tab")
        reached.add(tab.page.evaluate(
            "(() => { const e = document.activeElement; return e.tagName + '|' + "
            "[...document.querySelectorAll(e.tagName)].indexOf(e) })()"
        ))  # fmt: skip
    found = [at for at in reached if at.split("|")[0] in ("INPUT", "SELECT", "BUTTON", "SUMMARY")]
    assert len(found) == controls


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_runs_nothing(tab: Tab, text: str) -> None:
    tab.page.evaluate("void (window.boom = () => { window.ran = true })")
    tab.page.fill("#text", text)
    tab.count(len(text) + 1)
    for at in (1, 5, len(text)):
        tab.page.click(f"#characters li:nth-child({at}) button")
    assert tab.page.evaluate("window.ran") is None
    assert tab.page.locator("#characters script, #characters img").count() == 0


def test_chart_files_are_whole(tab: Tab, tmp_path: Path) -> None:
    for name, start in (("SVG", "<svg"), ("CSV", '"p: the probability of what came"')):
        with tab.page.expect_download() as coming:
            tab.page.get_by_role("button", name=name).first.click()
        path = tmp_path / name
        coming.value.save_as(path)
        assert path.read_text("utf-8").startswith(start)
    lines = (tmp_path / "CSV").read_text("utf-8").splitlines()
    assert len(lines) == 122
    for line in lines[1:]:
        p, nats, miss, _ = map(float, line.split(","))
        assert (nats, miss) == pytest.approx((-math.log(p), 1 - p))


def test_a_studio_that_has_ended_is_said_to_have(browser: Browser, trained: Run) -> None:
    with serving(trained.folder.parent) as server:
        made = Tab(browser, server)
    made.page.fill("#text", "otto")
    expect(made.page.locator("#status")).to_contain_text("The studio does not answer")
    with serving(trained.folder.parent) as server:
        made.page.goto(f"http://127.0.0.1:{server.port}/")
        assert "This address has been used" in made.page.inner_text("body")
    made.context.close()


def test_without_runs_the_page_says_what_to_do(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        page = browser.new_page()
        page.goto(server.address)
        expect(page.locator("#status")).to_contain_text("microgpt train")
        page.close()
