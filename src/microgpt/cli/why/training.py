"""`microgpt why training`: the batches of a training, and what its log says.

In: nothing, or a run. Out: a small training step by step; where the run's loss fell, how noisy a
step is, and how far the held-out loss is from the training loss.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from microgpt.cli.terminal.bars import bar
from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import say
from microgpt.cli.terminal.tables import table
from microgpt.cli.why.subject import Subject
from microgpt.config import GPTConfig, TrainConfig
from microgpt.data.corpus import from_documents
from microgpt.runs.fall import Fall
from microgpt.training.heldout import HeldOut
from microgpt.training.loop import Step
from microgpt.training.task import Dataset, Task, tokenizer_for
from microgpt.training.trainer import Trainer
from microgpt.wording import count, figures, printable

_NAMES = ("ada", "alan", "anna", "bea", "ben", "bob", "dana", "lena")
# Steps of the small training, documents a step; the steps that are shown.
_STEPS, _BATCH, _SHOWN = 40, 2, (1, 2, 3, 4, 5, 6, 8, 12, 20, 36, 40)
_WIDTH = 24


def example() -> None:
    """Print a small training: each step's batch, its line of the log, the held-out loss."""
    data = from_documents(_NAMES)
    tokenizer = tokenizer_for("characters", data, "last")
    config = GPTConfig(vocab_size=tokenizer.vocab_size, block_size=8, n_head=2, n_embd=8)
    training = TrainConfig(steps=_STEPS, batch_size=_BATCH, holdout=0.2, seed=1)
    task = Task(Dataset(data, tokenizer, training.holdout), config, training)
    learned, held_out = task.dataset.train_documents, task.dataset.heldout_documents
    say("A batch is a function of the step.", "bold")
    say(
        f"{count(len(learned), 'name')} to learn from: {', '.join(learned)}. {_BATCH} a step, "
        f"{_STEPS} steps. Held out: {', '.join(held_out)}."
    )
    say()
    rows = table(
        "step", "epoch", "its batch", "positions", "loss", "lr", "held out", left=0,
        least=("lr", "positions", "epoch"),
    )  # fmt: skip
    steps, evaluations = _trained(task)
    for step in (steps[number - 1] for number in _SHOWN):
        batch = task.plan.batches(step.step - 1, 1).step(0)
        texts = [tokenizer.decode(batch.document(d)[1][:-1].tolist()) for d in range(_BATCH)]
        measured = evaluations.get(step.step)
        rows.add_row(
            str(step.step), str((step.step - 1) * _BATCH // len(learned) + 1), ", ".join(texts),
            str(step.sum.positions), figures(step.loss), f"{step.lr:.5f}",
            figures(measured.sum.mean) if measured and not measured.kept else "",
        )  # fmt: skip
    stdout().print(rows)
    say()
    say(
        "Each epoch is a new order of all names. Step 4 of any training with these settings has "
        "this batch, a resumed one included: the number of the step is all that must be kept."
    )
    blind = f"ln {tokenizer.vocab_size} = {math.log(tokenizer.vocab_size):.4f}"
    kept = evaluations[_STEPS].kept
    say(
        f"Blind guessing costs {blind}: there it began. So few names are soon known by heart: the "
        "loss falls, and the held-out loss, of names that no step reads, rises again"
        + (f"; it was lowest after step {kept}, and that model is kept." if kept else ".")
    )


def _trained(task: Task) -> tuple[list[Step], dict[int, HeldOut]]:
    """Train, and return all steps, and the evaluations by step."""
    engine = task.open("scalar")
    engine.load(task.first_state())
    steps: list[Step] = []
    evaluations: dict[int, HeldOut] = {}
    for event in Trainer(task, engine):
        if isinstance(event, HeldOut):
            evaluations[event.step] = event
        else:
            steps += event
    return steps, evaluations


def numbers(on: Subject) -> dict[str, Any]:
    """Return what the run's log says; the text is not needed."""
    run, log, settings = on.run, on.run.log, on.run.settings
    fall = Fall.of(log)
    return {
        "run": str(run.folder), "unit": run.tokenizer.unit, "steps": log.steps,
        "lines": len(log.lines), "evaluations": len(log.heldout),
        "first_lines": [*log.lines[:1], *log.heldout[:1]], "log_every": settings.log_every,
        "batch_size": settings.training.batch_size, "documents": settings.documents,
        "positions": sum(line["positions"] for line in log.lines),
        "vocabulary": on.config.vocab_size, "blind": math.log(on.config.vocab_size),
        "mixture": run.mixture is not None, "lr": [log.lines[0]["lr"], log.lines[-1]["lr"]],
        **asdict(fall), "gap": fall.gap,
    }  # fmt: skip


def tell(numbers: dict[str, Any]) -> None:
    """Print what the log says."""
    n, every = numbers["steps"], numbers["log_every"]
    say(
        f"{printable(numbers['run'])}: {count(n, 'step')} of "
        f"{count(numbers['batch_size'], 'document')}, {numbers['positions'] / n:,.0f} positions "
        f"each on average; the data has {count(numbers['documents'], 'document')}."
    )
    each = "a step each" if every == 1 else f"{every} steps each"
    say(
        f"log.jsonl: {count(numbers['lines'], 'line')}, {each}, and "
        f"{count(numbers['evaluations'], 'evaluation')}. The first of both:"
    )
    say()
    for line in numbers["first_lines"]:
        say(json.dumps(line))
    say()
    _show_spans(numbers["spans"])
    say()
    for sentence in (_began, _fell, _noisy, _ended):
        if said := sentence(numbers):
            say(said)


def _show_spans(spans: Sequence[dict[str, Any]]) -> None:
    rows = table("steps", "mean loss", "of the fall", "", left=0, least=("",))
    rows.columns[-1].justify = "left"
    for span in spans:
        first, last, share = span["first"], span["last"], span["share"]
        rows.add_row(
            f"{first:,}" if first == last else f"{first:,}-{last:,}",
            figures(span["loss"]),
            "" if share is None else f"{share:.0%}",
            bar(max(share or 0.0, 0.0), 1.0, _WIDTH),
        )
    stdout().print(rows)


def _began(numbers: dict[str, Any]) -> str:
    """Say how the first loss compares with blind guessing."""
    off, blind = numbers["first"] - numbers["blind"], f"ln {numbers['vocabulary']:,}"
    beside = "is" if abs(off) < 5e-5 else f"is {abs(off):.4f} {'above' if off > 0 else 'below'}"
    every = "" if numbers["log_every"] == 1 else f", the mean of {numbers['log_every']} steps"
    return (
        f"Began at {figures(numbers['first'])}{every}. That {beside} blind guessing, {blind} = "
        f"{figures(numbers['blind'])}."
    )


def _fell(numbers: dict[str, Any]) -> str:
    """Say when most of the fall was made."""
    half, most, tail = numbers["half"], numbers["most"], count(numbers["tail"], "step")
    if half is None or most is None:
        return f"The last {tail} have {figures(numbers['last'])}: the loss has not fallen."
    return (
        f"Ended at {figures(numbers['last'])}, the mean of the last {tail}. Half of the fall was "
        f"made by step {half['last']:,}, nine tenths by step {most['last']:,} of "
        f"{numbers['steps']:,}. lr fell from {numbers['lr'][0]:g} to {numbers['lr'][1]:.1g}."
    )


def _noisy(numbers: dict[str, Any]) -> str:
    """Say how noisy one line is, beside a mean of many."""
    noise = numbers["noise"]
    if noise is None or not noise["mean"]:
        return ""
    ratio, root = noise["one"] / noise["mean"], math.sqrt(noise["lines"])
    of = "A step" if numbers["log_every"] == 1 else "A line"
    return (
        f"{of} differs from the trend by {noise['one']:.4f} (standard deviation), a mean of "
        f"{noise['lines']} by {noise['mean']:.4f}, {ratio:.1f} times less: of independent numbers "
        f"it would be the root of {noise['lines']}, {root:.1f}."
    )


def _ended(numbers: dict[str, Any]) -> str:
    """Say how far the held-out loss is from the training loss."""
    if numbers["held_out"] is None:
        return "No document was held out: whether the model knows more than these is not known."
    error = "" if numbers["error"] is None else f" ± {numbers['error']:.4f}"
    alone = " (the GPT alone)" if numbers["mixture"] else ""
    gap = numbers["gap"]
    return (
        f"Held out{alone}: {figures(numbers['held_out'])}{error}, {abs(gap):.4f} "
        f"{'above' if gap >= 0 else 'below'} the last steps."
    )
