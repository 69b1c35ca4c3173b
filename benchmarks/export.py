"""What an exported page weighs, what 16 bits cost, and how far its losses are from the engine's.

Each model is trained with one seed and measured on documents that it has not learnt from; a page is
opened in Chromium, which scores the first thousand of them.

    python benchmarks/export.py FILE
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

import microgpt
from microgpt import Run
from microgpt.engines.contract import State
from microgpt.export.html import export

RECORD = Path(__file__).parent / "records" / "export.json"
MODELS: dict[str, dict[str, Any]] = {
    "microgpt": {"preset": "microgpt", "holdout": 0.1},
    "micro": {"preset": "micro"},
    "small": {"preset": "small"},
    "small + counts": {"preset": "small", "ngram": 5},
}
TEXTS = 1000


def main(data: str) -> None:
    """Measure, print, and write the record."""
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        rows = []
        for name, settings in MODELS.items():
            run = microgpt.train(data, out=Path(folder, name), **settings)
            rows.append({"model": name, **measured(run, browser, Path(folder, "page.html"))})
            print(rows[-1])
        record = {
            "date": time.strftime("%Y-%m-%d"), "file": Path(data).name, "texts": TEXTS,
            "build": f"microgpt {microgpt.__version__}, Chromium {browser.version}", "rows": rows,
        }  # fmt: skip
        browser.close()
    RECORD.write_text(json.dumps(record, indent=1) + "\n")


def measured(run: Run, browser: Any, path: Path) -> dict[str, Any]:
    """Measure a run's page in 16 and in 32 bits, and the cost of the former."""
    texts = [*run.held_out]
    exact = np.concatenate(run.losses(texts))
    found: dict[str, Any] = {
        "parameters": len(run.engine.state().parameters),
        "documents": len(texts),
        "loss": float(exact.mean()),
    }
    for bits in (32, 16):
        path.write_bytes(export(run, bits=bits).page)
        tab = browser.new_page()
        tab.goto(path.as_uri())
        began = time.perf_counter()
        ask = "(all) => all.map((text) => microgpt.score(text).losses)"
        theirs = np.concatenate(tab.evaluate(ask, texts[:TEXTS]))
        took = time.perf_counter() - began
        tab.close()
        if bits == 16:
            short = run.engine.state().parameters.astype(np.float16).astype(np.float64)
            run.engine.load(State.fresh(short))
            found["cost"] = float(np.concatenate(run.losses(texts)).mean() - exact.mean())
        ours = np.concatenate(run.losses(texts[:TEXTS]))
        off = float(np.abs(theirs - ours).max())
        found[str(bits)] = {
            "bytes": path.stat().st_size, "off": off, "positions": len(ours),
            "from_run": float(np.abs(theirs - exact[: len(theirs)]).max()),
            "seconds": round(took, 2),
        }  # fmt: skip
    return found


if __name__ == "__main__":
    main(sys.argv[1])
