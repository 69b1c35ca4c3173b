"""A model card: what a model was trained on, how good it is, and what it cannot do.

In: a run and its losses. Out: Markdown, the `README.md` of a folder for Hugging Face; `card.md` is
its template. No text of the data is in it, and no path: files are called by their names alone.
"""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from string import Template

import microgpt
from microgpt.counting.ladder import Ladder
from microgpt.data.corpus import MEMORY
from microgpt.data.texts import Texts
from microgpt.export.alone import OwnLoss, without_path
from microgpt.loss import LN_2, LossSum
from microgpt.model import size
from microgpt.runs.command import command
from microgpt.runs.run import Run
from microgpt.runs.settings import Settings
from microgpt.sampling import Choice
from microgpt.wording import count, figures, printable


def card(run: Run, loss: OwnLoss, ladder: Ladder | None, name: str) -> str:
    """Return the card.

    Args:
        run: the run.
        loss: of its GPT alone.
        ladder: the GPT beside models that only count; None: its loss is not known.
        name: of the folder.
    """
    settings, model, training = run.settings, run.settings.model, run.settings.training
    template = Template((Path(__file__).parent / "card.md").read_text("utf-8"))
    return template.substitute(
        unit=run.tokenizer.unit,
        metrics=_metrics(run, loss, name),
        title=plain(name),
        parameters=count(size(model), "parameter"),
        version=microgpt.__version__,
        source=plain(_source(settings)),
        mixture=_mixture(run),
        name=json.dumps(name, ensure_ascii=False),
        temperature=Choice.temperature,
        example=json.dumps(_example(run), ensure_ascii=False),
        block=count(model.block_size, "id"),
        loss=_losses(run, loss, ladder),
        documents=count(settings.documents, "text"),
        held_out=_held_out(training.holdout),
        alphabet=code(run.tokenizer.alphabet),
        updates=count(run.engine.updates, "update"),
        batch=count(training.batch_size, "text"),
        preset=settings.preset,
        engine=settings.engine,
        seed=training.seed,
        layers=count(model.n_layer, "layer"),
        heads=count(model.n_head, "head"),
        width=model.n_embd,
        dropout=f"{training.dropout:g}",
        command=command(_without_paths(settings), without_path(run.tokenizer)),
        unknown=_unknown(run),
    )


def _metrics(run: Run, loss: OwnLoss, name: str) -> str:
    """Return what a program reads of the loss: YAML, of which JSON is a part."""
    if not loss.sum:
        return ""
    metrics = {
        f"nats a {run.tokenizer.unit}": loss.sum.mean,
        "bits a byte": bits_per_byte(loss.sum, loss),
    }
    results = {
        "task": {"type": "text-generation"},
        "dataset": {"type": "text", "name": _source(run.settings)},
        "metrics": [
            {"type": metric.replace(" ", "_"), "name": metric, "value": round(value, 6)}
            for metric, value in metrics.items()
        ],
    }
    return f"model-index: {json.dumps([{'name': name, 'results': [results]}])}\n"


def _mixture(run: Run) -> str:
    if not run.mixture:
        return ""
    return (
        f" In microgpt it is mixed with {run.mixed_with}: here is the GPT alone, and its own loss."
    )


def _losses(run: Run, loss: OwnLoss, ladder: Ladder | None) -> str:
    if ladder is None or not loss.sum or not loss.on:
        return f"It is not known: {plain(loss.why)}"
    unit = run.tokenizer.unit
    seen = " It was trained on these; other texts cost more." if loss.on.seen else ""
    rows = [
        f"| {'**this model**' if rung.is_this else rung.name} | {_numbers(rung.sum, loss)} |"
        for rung in ladder.rungs
    ]
    below = (
        "Blind: every one alike. Letters: how common each is. Pairs: after the one before. "
        "n-grams: interpolated Kneser-Ney. xz: what the texts add to a compressed file."
    )
    return "\n".join(
        [
            f"On {ladder.what}, {count(loss.sum.positions, unit)} with the ends of texts.{seen}\n",
            f"| | nats a {unit} | bits | perplexity | bits a byte |",
            "|---|---|---|---|---|",
            *rows,
            f"\n{f'Without models that only count: {plain(ladder.why)}' if ladder.why else below}",
        ]
    )


def _numbers(total: LossSum, loss: OwnLoss) -> str:
    values = (figures(total.mean), figures(total.bits, 3), figures(total.perplexity, 1))
    return " | ".join([*values, figures(bits_per_byte(total, loss), 3)])


def bits_per_byte(total: LossSum, loss: OwnLoss) -> float:
    """Return the sum of bits over the bytes of the texts in UTF-8, and one for each end."""
    texts = Texts.of(loss.on.texts if loss.on else [])
    return total.nats / LN_2 / int((texts.sizes + 1).sum())


def _held_out(share: float) -> str:
    return f", {100 * share:.3g} % of them held out by a hash of their text" if share else ""


def _unknown(run: Run) -> str:
    if run.tokenizer.any_bytes:
        return "It reads any Unicode text."
    return (
        "A text with a character that was not in the data is an error of the tokenizer, "
        "`Missing [UNK] token`: there is no id for it."
    )


def _example(run: Run) -> str:
    """Return a text that the tokenizer reads: not a sample, which may be a text of the data."""
    known = [piece.decode("utf-8", "ignore") for piece in run.tokenizer.pieces]
    if all(letter in known for letter in "a text"):
        return "a text"
    return "".join(letter for letter in known if letter.isalnum())[:4] or "".join(known)[:1]


def _source(settings: Settings) -> str:
    """Name the data, without paths."""
    source = settings.source
    if source == MEMORY:
        return "the texts of a Python program"
    if not source.files:
        return "the names that come with microgpt"
    names = ("standard input" if file == "-" else Path(file).name for file in source.files)
    return ", ".join(names)


def _without_paths(settings: Settings) -> Settings:
    source = settings.source
    if source == MEMORY:
        return settings
    names = tuple(Path(file).name for file in source.files)
    return dataclasses.replace(settings, source=dataclasses.replace(source, files=names))


def plain(text: str) -> str:
    r"""Return text that Markdown shows as it is.

    >>> print(plain("a_b <c>"))
    a\_b \<c\>
    """
    return re.sub(r"([\\`*_{}\[\]<>()#+!|&~$])", r"\\\1", printable(text))


def code(text: str) -> str:
    """Return text as code that Markdown shows as it is.

    >>> print(code("a-z"), code("a`b"))
    `a-z` `` a`b ``
    """
    longest = max((len(found) for found in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}" if longest else f"`{text}`"
