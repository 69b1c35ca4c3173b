"""`microgpt why`: an idea of the course, explained with numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from microgpt.cli import flags
from microgpt.cli.flags import TRAINING, flag, whole, word
from microgpt.cli.terminal.say import note, say, say_json
from microgpt.cli.why.ideas import IDEAS, idea
from microgpt.cli.why.subject import Subject
from microgpt.data.corpus import Source
from microgpt.errors import RunError, UsageError
from microgpt.training.presets import PRESETS
from microgpt.wording import nearest


def why(
    what: Annotated[
        str | None,
        flag(f"Idea to explain: {', '.join(IDEAS)}. Default: loss."),
    ] = None,
    run: Annotated[
        flags.Name | None,
        word("Folder of a run, or its name in runs/; with --train it may be a file."),
    ] = None,
    text: Annotated[
        str | None, flag("Text to explain it on; needs a run. Default: a sample of the run.")
    ] = None,
    /,
    *,
    step: Annotated[
        int | None,
        whole(
            "Follow one position of the text through the model and back: 0 predicts the first "
            "token, the last one the end."
        ),
    ] = None,
    train: Annotated[
        bool,
        Parameter(
            help="Train models with and without the idea and compare them; of the idea loss, one "
            "with each loss. On the embedded names, a file of text, or a run's own text with its "
            "own recipe.",
            show_default=False,
        ),
    ] = False,
    gradient: Annotated[
        bool, Parameter(help="Explain the idea gradient.", show_default=False)
    ] = False,
    preset: Annotated[
        str | None, flag(f"Recipe: {', '.join(PRESETS)}. Default: microgpt.", TRAINING)
    ] = None,
    steps: Annotated[
        int | None, whole("Steps of each training. Default: the recipe's, 1,000 at most.", TRAINING)
    ] = None,
    seed: Annotated[
        int | None,
        whole("The first random seed of the order of documents and the initial values.", TRAINING),
    ] = None,
    seeds: Annotated[
        int | None,
        whole("Random seeds, one training with each; not for the loss. Default: 1.", TRAINING),
    ] = None,
    save: Annotated[
        Path | None,
        flag(
            "Write the curves of the losses to a .png or .svg file too; needs matplotlib.", TRAINING
        ),
    ] = None,
    json: flags.Json = False,
    reading: flags.Reading = flags.READING,
    machine: flags.Machine = flags.MACHINE,
) -> None:
    """Explain an idea with numbers, such as loss, softmax or attention; on a run and a text.

    Without a run it explains on small numbers; with a run and a text it shows theirs; with --train
    it trains models with and without the idea, and compares them. The course in docs/learn has a
    page for each idea.

    Example: microgpt why attention runs/names-1 emma
    """
    source = reading.source()
    given: dict[str, Any] = {"preset": preset, "steps": steps, "seed": seed}
    name, run, text = _words(what, run, text)
    if gradient:
        if what in IDEAS and name != "gradient":
            raise UsageError(f'--gradient must stand without another idea; got "{name}".')
        name = "gradient"
    if step is not None and (train or name != "loss" or run is None):
        raise UsageError(
            "--step must stand with RUN and TEXT alone, as in: microgpt why RUN TEXT --step 2"
        )
    if train:
        if text is not None:
            raise UsageError(f'--train must have one file or run at most; got "{text}" as well.')
        engine = machine.engine or "auto", machine.threads, machine.device
        if name == "loss":
            from microgpt.cli.why.train import tried

            _alone("seeds", seeds, "another idea than loss")
            tried(run, source, **given, save=save, json=json, engine=engine)
        else:
            from microgpt.cli.why.comparison import compared

            _alone("save", save, "the idea loss")
            compared(name, run, source, **given, seeds=seeds, json=json, engine=engine)
        return
    data = None if source == Source() else source
    for other, value in {**given, "seeds": seeds, "save": save, "data": data}.items():
        if value is not None:
            raise UsageError(f"{other} must stand with --train: only what is trained has it.")
    explained = idea(name)
    if run is None:
        if not json:
            explained.example()
            say()
            say(f"On a run: microgpt why {name} RUN [TEXT]")
        elif name == "loss":
            from microgpt.cli.why.loss import chances

            say_json({"table": chances()})
        else:
            raise UsageError(f"--json must stand with a run: microgpt why {name} RUN TEXT --json")
        return
    opened = _opened(run, machine, alone=what == run)
    from microgpt.runs.first import first_of, which

    if said := which(opened):
        note(said)
    opened = first_of(opened)
    subject = Subject(opened, text if text is not None else opened.sample(1)[0])
    if step is None:
        numbers, tell = explained.numbers(subject), explained.tell
    else:
        from microgpt.cli.why import step as followed

        numbers, tell = followed.numbers(subject, step), followed.tell
    if json:
        say_json(numbers)
    else:
        tell(numbers)


def _alone(name: str, value: object, idea: str) -> None:
    """Raise UsageError if a flag is given that the idea does not have."""
    if value is not None:
        raise UsageError(f"{name} must stand with {idea}.")


def _words(
    what: str | None, run: str | None, text: str | None
) -> tuple[str, str | None, str | None]:
    """Return idea, run and text: the first word is an idea, or the run if it is no idea's name."""
    if what is None or what in IDEAS:
        return what or "loss", run, text
    if text is not None:
        meant = nearest(what, IDEAS)
        hint = f"Did you mean {meant}?" if meant else "A text of several words needs quotes."
        raise UsageError(f'idea must be one of {", ".join(IDEAS)}; got "{what}". {hint}')
    return "loss", what, run


def _opened(run: str, machine: flags.Machine, *, alone: bool) -> Any:
    """Open the run; a word that stands first and is no run may have been meant as an idea."""
    try:
        return machine.run(run)
    except RunError as error:
        meant = nearest(run, IDEAS) if alone else None
        if meant is None:
            raise
        raise RunError(f"{error} Did you mean the idea {meant}?") from None
