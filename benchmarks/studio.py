"""How long the studio's page takes from the move of a slider to the whole new curve on the screen.

The studio runs as a process of its own, and the page in Chromium, which times each curve: from the
event of the slider to the frame after the one in which the last point was drawn. There is a row
for each setting that is changed one step at a time, for a hand that drags without a rest, for the
frames of a training that streams, and for the server's part alone. The model is the one that the
page begins with, 1,000 steps of microgpt on names; widths are 16 to 48, batches 1 to 8 documents.

    python benchmarks/studio.py [MOVES]
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright
from process import MICROGPT, keep

from microgpt.studio.datasets import Datasets
from microgpt.studio.draft import DraftAsked
from microgpt.studio.drafts import Drafts
from microgpt.studio.uploads import Uploads

RECORD = Path(__file__).parent / "records" / "studio.json"
SLIDERS = {"Learning rate": 8, "Width": 4, "Batch": 3}
"""How many steps each is moved up, and down again."""
WATCH = """
window.redrawn = [];
new PerformanceObserver((list) => window.redrawn.push(...list.getEntries().map((e) => e.duration)))
  .observe({ type: "measure" });
window.frames = [];
const next = (now) => { window.frames.push(now); requestAnimationFrame(next); };
requestAnimationFrame(next);
"""


def main(moves: int) -> None:
    """Measure, print, and write the record."""
    rows = [server(moves)]
    with studio() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.add_init_script(WATCH)
        page.goto(address)  # its token is valid once
        page.goto(f"{address.partition('?')[0]}#view=train")
        rows += [stepped(page, label, up, moves) for label, up in SLIDERS.items()]
        rows += [chosen(page, moves), dragged(page), streamed(page)]
        browser.close()
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))
    keep(RECORD, rows, ("what",), before=False)


def summary(what: str, milliseconds: Sequence[float]) -> dict[str, Any]:
    """Return a row: how many, their median, their 95th percentile."""
    return {
        "what": what,
        "n": len(milliseconds),
        "median_ms": round(float(np.median(milliseconds)), 1),
        "p95_ms": round(float(np.percentile(milliseconds, 95)), 1),
    }


def server(moves: int) -> dict[str, Any]:
    """Time the server's part: from the question to the event that the training has ended."""
    drafts, took = Drafts(Datasets(Uploads())), list[float]()
    for i in range(moves + 1):
        began = time.perf_counter()
        for event in drafts.train(DraftAsked(tab="", lr=0.01 + 0.001 * i)):
            if "ended" in event:
                took.append(1000 * (time.perf_counter() - began))
                break
    return summary("the server alone, 1,000 steps of microgpt", took[1:])


def begin(page: Page, settings: str = "") -> None:
    """Open the view anew, and wait for the end of its first training."""
    page.evaluate(f"location.hash = 'view=train{settings}'")
    page.reload()
    page.wait_for_selector(".samples li")


def stepped(page: Page, label: str, up: int, moves: int) -> dict[str, Any]:
    """Move a slider by its keys, some steps up and down again; wait for each curve."""
    begin(page)
    slider = page.locator("label.slider", has_text=label).locator("input")
    keys = ["ArrowRight" if i // up % 2 == 0 else "ArrowLeft" for i in range(moves)]
    took = [redrawn(page, lambda k=k: slider.press(k)) for k in keys]
    return summary(f"{label}, one move at a time", took)


def chosen(page: Page, moves: int) -> dict[str, Any]:
    """Choose one loss after the other."""
    begin(page)
    choice = page.locator("label", has=page.locator("span", has_text="Loss")).locator("select")
    losses = ["linear", "quadratic", "cross-entropy"]
    took = [redrawn(page, lambda i=i: choice.select_option(losses[i % 3])) for i in range(moves)]
    return summary("Loss, one choice at a time", took)


def redrawn(page: Page, move: Any) -> float:
    """Move something; return the milliseconds to the new curve, as the page measured them."""
    page.evaluate("window.redrawn.length = 0")
    move()
    while not (found := page.evaluate("window.redrawn")):
        time.sleep(0.02)
    return found[0]


def dragged(page: Page, seconds: float = 5.0) -> dict[str, Any]:
    """Drag the learning rate back and forth with 60 moves a second."""
    begin(page)
    box: Any = page.locator("label.slider input").first.bounding_box()
    y = box["y"] + box["height"] / 2
    page.evaluate("window.redrawn.length = 0")
    page.mouse.move(box["x"] + 10, y)
    page.mouse.down()
    began = time.perf_counter()
    while (now := time.perf_counter() - began) < seconds:
        share = abs(1 - now % 2)
        page.mouse.move(box["x"] + 10 + share * (box["width"] - 60), y)
        time.sleep(1 / 60)
    page.mouse.up()
    time.sleep(1)
    took = page.evaluate("window.redrawn")
    return {**summary("a hand that drags", took), "curves_a_second": round(len(took) / seconds, 1)}


def streamed(page: Page, seconds: float = 5.0) -> dict[str, Any]:
    """Time the frames while a training streams that is too long to be redrawn."""
    page.evaluate("location.hash = 'view=train&seconds=6&width=64&batch=16'")
    page.wait_for_selector("#at:has-text('Step')")
    page.evaluate("window.frames.length = 0")
    time.sleep(seconds)
    return summary(
        "a frame while a training streams", np.diff(page.evaluate("window.frames")).tolist()
    )


@contextmanager
def studio() -> Generator[str]:
    """Run the studio in an empty folder; yield its address."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [*MICROGPT, "studio", "--no-browser", "--port", "0"],
            cwd=folder, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert process.stdout
            line = next(line for line in process.stdout if "http://" in line)
            yield "http://" + line.partition("http://")[2].split()[0]
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 60)
