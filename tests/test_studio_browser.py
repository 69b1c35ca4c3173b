"""The studio's page in Debian's Chromium: by mouse, by touch, by keys; hostile text; no network."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import microgpt
from microgpt import Run
from microgpt.loss.objectives import OBJECTIVES
from microgpt.runs.evaluation_set import evaluation_set
from microgpt.runs.measurement import Measurement
from microgpt.studio.server import Server

from .browser import expect
from .conftest import TINY
from .hostile import PAYLOADS
from .studios import serving
from .tabs import Tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow


@pytest.fixture
def server(trained: Run) -> Iterator[Server]:
    with serving(trained.folder.parent) as served:
        yield served


@pytest.fixture
def tab(browser: Browser, server: Server) -> Iterator[Tab]:
    made = Tab(browser, server, "#way", viewport={"width": 1280, "height": 800}, has_touch=True)
    yield made
    made.close()


@pytest.fixture
def curve(browser: Browser, server: Server) -> Iterator[Tab]:
    made = Tab(browser, server, "#says", view="curve", has_touch=True)
    yield made
    made.close()


def heights(tab: Tab, characters: str = "characters") -> tuple[list[float], float]:
    """Return the heights of the characters' losses, and that of their mean, in per cent."""
    found = tab.page.evaluate(
        f"[...document.querySelectorAll('#{characters} .tower')].map((one) => "
        "[one.children[0].style.height, one.children[1].style.bottom].map(parseFloat))"
    )
    assert len({mean for _, mean in found}) == 1
    return [rise for rise, _ in found], found[0][1]


def test_the_address_has_what_is_on_the_page(tab: Tab) -> None:
    tab.page.fill("#text", "annalena")
    expect(tab.page.locator("#characters button")).to_have_count(9)
    tab.page.click("#characters li:nth-child(3) button")
    expect(tab.page.locator("#way")).to_contain_text("p of n =")
    way = tab.text("way")
    assert "text=annalena" in tab.page.url
    tab.page.reload()
    tab.page.wait_for_selector("#characters li:nth-child(3) button[aria-pressed=true]")
    expect(tab.page.locator("#way")).to_have_text(way)
    tab.page.get_by_role("link", name="Curve").click()
    tab.page.fill("#p", "0.25")
    says = tab.text("says")
    tab.page.reload()
    expect(tab.page.locator("#says")).to_have_text(says)
    assert tab.page.input_value("#p") == "0.25"


def test_losses_are_heights_with_their_mean_and_follow_a_moved_logit(
    tab: Tab, trained: Run
) -> None:
    tab.page.fill("#text", "annalena")
    expect(tab.page.locator("#characters button")).to_have_count(9)
    losses = np.array(trained.score("annalena").losses)
    rises, mean = heights(tab)
    assert rises == pytest.approx([*100 * losses / losses.max()], abs=0.01)
    assert mean == pytest.approx(100 * losses.mean() / losses.max(), abs=0.01)
    expect(tab.page.locator("#way")).to_contain_text("p of a =")
    tab.page.locator("#inside tr.this input").press("Home")  # what came becomes unlikely
    moved, its = heights(tab)
    assert moved[0] == 100
    # As much rises above the line as is missing below it.
    assert its == pytest.approx(np.mean(moved), abs=0.01)
    nats = float(re.findall(r"-log p = ([\d.]+) nats", tab.text("way"))[0])
    assert moved[1] == pytest.approx(100 * losses[1] / nats, abs=0.1)
    tab.page.get_by_role("button", name="As the model had it").click()
    assert heights(tab) == (rises, mean)


def test_two_texts_stand_on_one_scale_and_their_difference_is_said(tab: Tab, trained: Run) -> None:
    tab.page.get_by_role("button", name="Compare with another text").click()
    expect(tab.page.locator("#other")).to_be_focused()
    tab.page.fill("#other", "zqx")
    tab.page.fill("#text", "anna")
    expect(tab.page.locator("#difference")).to_contain_text("anna costs")
    expect(tab.page.locator("#difference")).to_contain_text("than zqx")
    one, two = trained.score("anna"), trained.score("zqx")
    assert f"{two.loss - one.loss:.2f} nats" in tab.text("difference")
    most = max(*one.losses, *two.losses)
    for characters, losses in (("characters", one.losses), ("other-characters", two.losses)):
        rises = [100 * nats / most for nats in losses]
        assert heights(tab, characters)[0] == pytest.approx(rises, abs=0.01)
    tab.page.click("#other-characters li:nth-child(2) button")
    expect(tab.page.locator("#way")).to_contain_text("p of q")
    tab.page.reload()
    expect(tab.page.locator("#way")).to_contain_text("p of q")
    tab.page.get_by_role("button", name="Only one text").click()
    expect(tab.page.locator("#way")).to_contain_text("p of a")
    assert tab.address("other") is None


def test_models_that_count_are_marked_on_the_curve_once_they_are_known(
    browser: Browser, tmp_path: Path
) -> None:
    (tmp_path / "names.txt").write_text("\n".join([*TINY, *(a + b for a in TINY for b in TINY)]))
    run = microgpt.train(
        tmp_path / "names.txt", engine="scalar", steps=2, n_embd=8, holdout=0.3, out=tmp_path / "a"
    )
    rungs = {rung.name: rung.sum.mean for rung in run.ladder().rungs}
    with serving(tmp_path) as server:
        tab = Tab(browser, server, "#says", view="curve")
        for name in ("pairs", f"{run.ngram.n}-grams"):
            says = f"{name} {rungs[name]:.2f}"
            expect(tab.page.locator("#marks")).to_contain_text(says)
            assert tab.page.locator("figure.plot text.level", has_text=name).count() == 1
        tab.close()


def test_without_held_out_documents_the_curve_says_what_its_marks_were_measured_on(
    browser: Browser, tmp_path: Path
) -> None:
    (tmp_path / "names.txt").write_text("\n".join(TINY))
    run = microgpt.train(
        tmp_path / "names.txt", engine="scalar", steps=2, n_embd=8, holdout=0, out=tmp_path / "a"
    )
    found = Measurement(run, evaluation_set(run, None, None)).measured()
    with serving(tmp_path) as server:
        tab = Tab(browser, server, "#says", view="curve")
        marks = tab.page.locator("#marks")
        expect(marks).to_contain_text(f"{len(TINY)} documents it was trained on")
        expect(marks).to_contain_text(f"this model {found.result.loss:.2f}")
        assert tab.page.locator("figure.plot text.level", has_text="this model").count() == 1
        tab.close()


def test_a_text_costs_what_the_package_says(tab: Tab, trained: Run) -> None:
    tab.page.fill("#text", "annalena")
    expect(tab.page.locator("#characters button")).to_have_count(9)
    shown = tab.page.locator("#characters button span").all_inner_texts()
    assert [float(nats) for nats in shown] == pytest.approx(
        trained.score("annalena").losses, abs=0.006
    )
    assert f"{trained.score('annalena').loss:.2f} nats a character" in tab.text("sum")


def test_the_point_moves_by_mouse_touch_keys_and_number(curve: Tab) -> None:
    tab = curve
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
    # Nearly certain: what is left of the loss is not rounded away.
    sure = tab.page.evaluate(f"{module}.then(m => m.crossEntropy([40, 0], 0).nats)")
    assert sure == pytest.approx(microgpt.cross_entropy([40.0, 0.0], 0)[0], rel=1e-12, abs=0)
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


@pytest.mark.parametrize("text", PAYLOADS[::23])
def test_hostile_text_runs_nothing(tab: Tab, text: str) -> None:
    tab.page.fill("#text", text)
    expect(tab.page.locator("#characters button")).to_have_count(len(text) + 1)
    for at in (1, 5, len(text)):
        tab.page.click(f"#characters li:nth-child({at}) button")
    assert tab.page.locator("#characters script, #characters img").count() == 0


def test_chart_files_are_whole(curve: Tab, tmp_path: Path) -> None:
    for name, start in (("SVG", "<svg"), ("CSV", '"p: the probability of what came"')):
        with curve.page.expect_download() as coming:
            curve.page.get_by_role("button", name=name).first.click()
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
        made = Tab(browser, server, "#way")
    made.page.fill("#text", "otto")
    expect(made.page.locator("#status")).to_contain_text("The studio does not answer")
    with serving(trained.folder.parent) as server:
        made.page.goto(f"http://127.0.0.1:{server.port}/")
        assert "This address has been used" in made.page.inner_text("body")
    made.context.close()


def test_the_address_that_is_opened_keeps_no_token(browser: Browser, server: Server) -> None:
    page = browser.new_page()
    page.goto(server.address)
    page.wait_for_selector("#way")
    assert "token" not in page.url
    page.close()


def test_without_runs_one_can_train_and_other_views_say_what_to_do(
    browser: Browser, tmp_path: Path
) -> None:
    with serving(tmp_path) as server:
        page = browser.new_page()
        page.goto(server.address)
        expect(page.locator("nav a[aria-current]")).to_have_text("Train")
        page.get_by_role("link", name="Loss", exact=True).click()
        expect(page.locator("#status")).to_contain_text("microgpt train")
        page.close()
