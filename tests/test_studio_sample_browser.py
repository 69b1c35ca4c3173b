"""The view of samples in Debian's Chromium: sliders, kept samples, files, texts of markup."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from microgpt import Run
from microgpt.sampling import Choice, probabilities
from microgpt.studio.server import Server

from .browser import expect
from .studios import ask, serving
from .tabs import Tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

# A server that answers with one sample, and does not end.
ONE = r"""
const asked = fetch;
const one = 'data: {"text": "first", "loss": 1.5, "ended": "end"}\n\n';
const bytes = new TextEncoder().encode(one);
const endless = () => new ReadableStream({ start: (to) => to.enqueue(bytes) });
window.fetch = (path, given) =>
  path === "/api/samples" ? Promise.resolve(new Response(endless())) : asked(path, given);
"""

READY = "#samples[aria-busy=false] tr"


@pytest.fixture(scope="module")
def server(trained: Run) -> Iterator[Server]:
    with serving(trained.folder.parent) as served:
        yield served


@pytest.fixture
def tab(browser: Browser, server: Server) -> Iterator[Tab]:
    made = Tab(browser, server, READY, view="sample", values={"temperature": "1"})
    yield made
    made.close()


def shown(text: str) -> str:
    return text or "(empty)"


def texts(tab: Tab) -> list[str]:
    return [
        text.removesuffix("…")
        for text in tab.page.locator("#samples tbody th button").all_inner_texts()
    ]


def test_samples_are_those_of_the_run(tab: Tab, trained: Run) -> None:
    ours = islice(trained.samples(Choice(temperature=1.0)), 12)
    assert texts(tab) == [shown(one.text) for one in ours]
    # It was trained in a Python program: nobody knows its documents any more.
    assert set(tab.page.locator("#samples td:nth-child(3)").all_inner_texts()) == {""}


def test_the_distribution_follows_the_sliders_as_the_package_computes_it(
    tab: Tab, server: Server, trained: Run
) -> None:
    tab.page.get_by_label("Top-k", exact=True).fill("4")
    tab.page.get_by_label("Temperature", exact=True).fill("0.5")
    tab.page.get_by_label("Min-p", exact=True).fill("0.1")
    logits = np.array(ask(server, "/api/next", run=trained.folder.name, prompt="")["logits"])
    p = probabilities(logits[None], Choice(temperature=0.5, top_k=4, min_p=0.1))[0]
    expect(tab.page.locator(".shares text.cut")).to_have_count(12 - int((p > 0).sum()))
    tab.page.locator(".shares summary").click()
    cells = tab.page.locator(".shares td:nth-child(3)")
    expect(cells).to_have_count(12)  # the table is made once it is open
    assert [float(cell) for cell in cells.all_inner_texts()] == pytest.approx(
        sorted(p, reverse=True)[:12], abs=0.0051
    )
    assert tab.address("k") == "4"


def test_a_number_that_is_typed_is_drawn_with_as_it_is(tab: Tab, trained: Run) -> None:
    typed = tab.page.get_by_label("Temperature as a number")
    typed.fill("0.333")  # between two places of the slider
    ours = list(islice(trained.samples(Choice(temperature=0.333)), 12))
    expect(tab.page.locator("#samples tbody th button")).to_have_text(
        [shown(one.text) + ("…" if one.ended == "block" else "") for one in ours]
    )
    typed.fill("cold")
    expect(typed).to_have_attribute("aria-invalid", "true")
    assert tab.address("temperature") == "0.333"


def test_a_sample_that_is_pointed_at_shows_what_each_of_its_characters_costs(
    tab: Tab, server: Server, trained: Run
) -> None:
    ours = [one.text for one in islice(trained.samples(Choice(temperature=1.0)), 12)]
    for i, reach in ((0, None), (4, "hover"), (7, "focus")):
        if reach:
            getattr(tab.page.locator("#samples tbody th button").nth(i), reach)()
        expect(tab.page.locator("#costs h3")).to_contain_text(f"of {shown(ours[i])} costs")
        positions = ask(server, "/api/price", run=trained.folder.name, text=ours[i])["positions"]
        cells = tab.page.locator("#costs .position > span")
        expect(cells).to_have_count(len(positions))
        assert [float(cell) for cell in cells.all_inner_texts()] == pytest.approx(
            [one["nats"] for one in positions], abs=0.0051
        )


def test_a_slow_model_s_samples_are_shown_as_they_come(tab: Tab) -> None:
    tab.page.add_init_script(ONE)
    tab.page.reload()
    expect(tab.page.locator("#samples tbody tr")).to_have_count(1)
    expect(tab.page.locator("#samples")).to_have_attribute("aria-busy", "true")
    assert texts(tab) == ["first"]


def test_kept_samples_stay_and_are_downloaded(tab: Tab, tmp_path: Path) -> None:
    kept = texts(tab)[:2]
    for i in range(2):
        tab.page.get_by_role("button", name="Keep").nth(i).click()
    before = texts(tab)
    tab.page.get_by_role("button", name="Draw others").click()
    expect(tab.page.locator("#samples tbody th").first).not_to_have_text(before[0])
    tab.page.reload()
    expect(tab.page.locator("#kept tbody tr")).to_have_count(2)
    with tab.page.expect_download() as coming:
        tab.page.locator("#kept").get_by_role("button", name="Download CSV").click()
    coming.value.save_as(tmp_path / "kept.csv")
    lines = (tmp_path / "kept.csv").read_bytes().decode().split("\r\n")
    assert [line.rsplit(",", 1)[0] for line in lines[1:3]] == [
        '"' + text.replace('"', '""') + '"' for text in kept
    ]
    with tab.page.expect_download() as coming:
        tab.page.locator("#kept").get_by_role("button", name="Download text").click()
    coming.value.save_as(tmp_path / "kept.txt")
    assert (tmp_path / "kept.txt").read_text("utf-8") == "".join(f"{one}\n" for one in kept)
    tab.page.get_by_role("button", name="Drop").first.click()
    expect(tab.page.locator("#kept tbody tr")).to_have_count(1)


def test_a_sample_opens_in_the_view_of_the_loss(tab: Tab) -> None:
    text = texts(tab)[3]
    tab.page.locator("#samples tbody th button").nth(3).click()
    tab.page.wait_for_selector("#way")
    assert tab.page.input_value("#text") == text


def test_a_prompt_that_cannot_be_read_is_said(tab: Tab) -> None:
    tab.page.fill("#prompt", "lé")
    expect(tab.page.locator("#status")).to_contain_text('the prompt has "é"')
    tab.page.fill("#prompt", "le")
    expect(tab.page.locator("#status")).to_have_text("")
    expect(tab.page.locator("#samples tbody th").first).to_contain_text("le")
