"""A run as one page that computes: the model, its scripts and its style in a single file.

In: a run, documents. Out: HTML, which asks nothing of a network and needs no server.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import microgpt
from microgpt import html
from microgpt import page as source
from microgpt.counting.ladder import Ladder
from microgpt.data.texts import Texts
from microgpt.data.tokenizer import BPE
from microgpt.errors import DataError, RunError, UsageError
from microgpt.export.data import chosen, data
from microgpt.export.linked import linked
from microgpt.export.weights import Bits, Weights, weights
from microgpt.runs.evaluation_set import evaluation_set
from microgpt.runs.measurement import Measurement
from microgpt.runs.run import Run
from microgpt.sampling import Choice
from microgpt.wording import printable

_HERE = Path(__file__).parent

_STYLES = ("style/page.css", "style/chart.css", "style/loss.css", "style/sample.css")

# The most characters of the text that the page begins with, a sample.
_BEGIN = 24

MOST = 800
"""The most documents in a file."""


@dataclass(frozen=True)
class Exported:
    """A page.

    Attributes:
        page: the file's content.
        weights: the parameters in it.
        documents: how many texts of the data are in it.
        ladder: how good the model is; None: its documents are missing.
        why: why there is no ladder, a sentence; else "".
    """

    page: bytes
    weights: Weights
    documents: int
    ladder: Ladder | None
    why: str


def export(run: Run, documents: int = 100, bits: Bits | None = None) -> Exported:
    """Make a page of a run.

    Args:
        run: the run.
        documents: how many of the run's documents the file may hold, those with the highest and
            the lowest losses.
        bits: of each parameter; None: 16 if they cost under 0.001 nats, else 32.

    Raises:
        UsageError: the number is not in [0, 800], the run's tokenizer is a BPE, or a mask has an
            expression that a browser reads otherwise.
    """
    if not 0 <= documents <= MOST:
        raise UsageError(f"documents must be a whole number from 0 to {MOST}; got {documents}.")
    if isinstance(run.tokenizer, BPE):
        raise UsageError(
            "a page that computes must be of a run that reads characters or bytes; "
            f"{run.folder} reads the tokens of a BPE."
        )
    found, texts, why = None, Texts.of([]), ""
    try:
        on = evaluation_set(run, None, None)
        found, texts = Measurement(run, on).measured(), on.texts
    except (DataError, RunError) as error:
        why = str(error)
    its = weights(run, texts, bits)
    shown = chosen(found.result, documents) if found else []
    ladder = found.ladder if found else None
    first = next(run.samples(Choice())).text[:_BEGIN]
    values = {**data(run, its, shown), "first": first, "measured": _measured(ladder)}
    page = _page(run, values, its, ladder, why)
    return Exported(page, its, len(shown), ladder, why)


def _page(run: Run, values: dict[str, Any], its: Weights, ladder: Ladder | None, why: str) -> bytes:
    own = (_HERE / "page.css").read_text("utf-8")
    style = "".join([html.page_style(), *map(source.text, _STYLES), own])
    modules = {name: source.text(name) for name in source.names() if name.endswith(".js")}
    script = f"\n{linked('alone/main.js', modules)}\n"
    unit = run.tokenizer.unit
    # All ASCII; and no text in it can end the element that it stands in, or begin another.
    text = json.dumps(values, separators=(",", ":")).replace("<", "\\u003c")
    template = html.template("page.html.jinja", _HERE)
    page = template.render(
        name=printable(run.folder.resolve().name),
        source=printable(Path(run.settings.source.name).name),
        settings=run.settings,
        parameters=run.parameters,
        updates=run.log.steps,
        mixed_with=run.mixed_with,
        unit=unit,
        ladder=ladder,
        why=why,
        weights=its,
        alphabet=printable(run.tokenizer.alphabet),
        documents=len(values["documents"]),
        version=microgpt.__version__,
        data=text,
        style=style,
        script=script,
        digests={name: _digest(part) for name, part in (("style", style), ("script", script))},
    )
    return page.encode("utf-8", "backslashreplace")


def _measured(ladder: Ladder | None) -> dict[str, Any]:
    """Return the run and the models that it is compared with, their losses, and on what."""
    if not ladder:
        return {"what": "", "rungs": []}
    rungs = [
        {"name": rung.name, "loss": rung.sum.mean, "is_this": rung.is_this} for rung in ladder.rungs
    ]
    return {"what": ladder.what, "rungs": rungs}


def _digest(text: str) -> str:
    """Return the hash by which the page's content security policy allows a part of it."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
