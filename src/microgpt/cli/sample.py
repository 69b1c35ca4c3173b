"""`microgpt sample`: new texts, each with its loss."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

from cyclopts import Parameter

from microgpt.cli import flags
from microgpt.cli.flags import flag, whole
from microgpt.cli.terminal.samples import say_samples
from microgpt.cli.terminal.say import ellipsis, note, say, say_json
from microgpt.data.alike import Known
from microgpt.errors import MicroGPTError, UsageError
from microgpt.runs.checkpoint import has_ended
from microgpt.runs.known import known
from microgpt.runs.run import Run
from microgpt.sampling import Choice
from microgpt.wording import count, figures, printable

# With --new: the most samples drawn for each sample wanted.
_PATIENCE = 100


def sample(
    run: flags.RunName = None,
    *,
    number: Annotated[int, Parameter(name=["--number", "-n"]), whole("Number of samples.")] = 20,
    prompt: Annotated[str, flag("Text that every sample begins with.")] = "",
    temperature: Annotated[
        float,
        flag("Divides the logits: below 1 likelier texts, above 1 stranger ones, 0 the likeliest."),
    ] = Choice.temperature,
    top_k: Annotated[int | None, whole("Draw from the k likeliest tokens only.")] = None,
    top_p: Annotated[
        float, flag("Draw from the fewest likeliest tokens that together have this probability.")
    ] = Choice.top_p,
    min_p: Annotated[
        float,
        flag("Draw from tokens with at least this share of the likeliest one's probability."),
    ] = Choice.min_p,
    seed: Annotated[int, whole("Random seed: the same one draws the same samples.")] = Choice.seed,
    new: Annotated[
        bool, Parameter(help="Only samples that are not in the training data.", show_default=False)
    ] = False,
    json: flags.Json = False,
    machine: flags.Machine = flags.MACHINE,
) -> None:
    """Draw new texts from a run.

    Example: microgpt sample runs/names-1 --number 5 --prompt ka --new
    """
    if number < 1:
        raise UsageError(f"number must be a whole number from 1; got {number}.")
    choice = Choice(
        prompt=prompt, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, seed=seed
    )
    opened = machine.run(run)
    seen_in = _known(opened, needed=new)
    drawn = islice(opened.samples(choice), number * (_PATIENCE if new else 1))
    width = opened.settings.model.block_size
    shown = starred = blocked = 0
    for one in drawn:
        seen = None if seen_in is None else one.text in seen_in
        if new and seen:
            continue
        shown, starred = shown + 1, starred + bool(seen)
        blocked += one.ended == "block"
        if json:
            say_json(
                {
                    "text": one.text,
                    "loss": one.loss,
                    "seen": seen,
                    "nats": one.sum.nats,
                    "positions": one.sum.positions,
                    "ended": one.ended,
                }
            )
        else:
            mark = ("*" if seen else "") + (ellipsis() if one.ended == "block" else "")
            if opened.settings.source.stream:
                say(figures(one.loss, 2), "quiet", at_once=False)
                say_samples([one.text + mark])
            else:
                text = printable(one.text) or "(empty)"
                say(f"{text + mark:{width + 2}}  {figures(one.loss, 2)}", at_once=False)
        if shown == number:
            break
    if not json:
        say(_legend(opened, starred, blocked, seen_in is not None), "quiet")
    if shown < number:
        raise MicroGPTError(
            f"only {shown} of {number} samples were new after {number * _PATIENCE} draws. "
            "Try a higher --temperature."
        )


def _legend(run: Run, starred: int, blocked: int, known: bool) -> str:
    notes = [f"(the number: nats a {run.tokenizer.unit}, by the model itself"]
    # Of a training that was killed the log may have steps that the checkpoint has not.
    made, wanted = run.engine.updates, run.settings.training.steps
    if wanted and not run.settings.training.seconds and not has_ended(run.folder):
        notes += [f"the training stopped after {made:,} of {count(wanted, 'step')}"]
    notes += ["* stands in the training data"] if starred else []
    notes += [f"{ellipsis()} reached the end of the block"] if blocked else []
    notes += [] if known else ["the training data is gone: whether seen is not known"]
    return "; ".join(notes) + ")"


def _known(run: Run, *, needed: bool) -> Known | None:
    """Return the training documents; None: they cannot be read, and are not needed."""
    try:
        return known(run)
    except MicroGPTError as error:
        if needed:
            raise
        note(str(error))
        return None
