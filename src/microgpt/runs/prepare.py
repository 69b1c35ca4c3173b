"""From what a person says to a training that can begin: a new one, or one to be resumed.

In: data and a preset with what is set differently, or a run's folder. Out: a `Session`. All that
can be wrong is found here, before a folder is made.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

from microgpt.config import GPTConfig, TrainConfig, check_count
from microgpt.data import again, corpus
from microgpt.data.corpus import Corpus, Source
from microgpt.errors import RunError, UsageError
from microgpt.runs import checkpoint
from microgpt.runs.files import remove_temporaries
from microgpt.runs.folder import claimed, new_folder
from microgpt.runs.recorder import Recorder
from microgpt.runs.session import Session
from microgpt.runs.settings import Settings
from microgpt.training import budget, recipe
from microgpt.training.presets import preset
from microgpt.training.task import Dataset, Task, open_for, tokenizer_for
from microgpt.training.trainer import Trainer
from microgpt.wording import count

# In place of a file's name: the documents came from a Python program.
MEMORY = Source(files=("(documents)",))


def new(
    data: Source | Sequence[str],
    *,
    preset_name: str | None = None,
    tokenizer: Literal["characters", "bytes"] = "characters",
    engine: str = "auto",
    threads: int | None = None,
    device: str | None = None,
    out: Path | None = None,
    log_every: int = 1,
    **overrides: Any,
) -> Session:
    """Prepare a training and claim its folder.

    Args:
        data: where the documents are, or the documents.
        preset_name: where all numbers begin. None: with `seconds` alone the recipe is chosen for
            this machine and this data (`budget`); else "micro", or, without the native engine,
            "microgpt".
        tokenizer: "characters" or "bytes".
        engine: by name, or "auto".
        threads: for the engine.
        device: for the engine.
        out: the folder; None: the first free of runs/NAME-1, runs/NAME-2, ...
        log_every: steps a line of the log.
        overrides: fields of GPTConfig and TrainConfig set differently from the preset; None: not.

    Raises:
        UsageError, DataError, RunError: what is wrong, in one sentence.
    """
    check_count("log_every", log_every)
    own = {
        "preset": preset_name,
        "tokenizer": None if tokenizer == "characters" else tokenizer,
        "engine": None if engine == "auto" else engine,
    }
    asked = {name: its for name, its in {**own, **overrides}.items() if its is not None}
    shape, how = _sort(overrides)
    is_chosen = preset_name is None and how.get("seconds") and not how.get("steps")
    preset_name = preset_name or (recipe.CHOSEN if is_chosen else recipe.default(engine))
    begin = budget.ALWAYS if is_chosen else preset(preset_name)
    if isinstance(data, Source) and data.stream:
        how.setdefault("long", "window")  # of a book cut to one block nothing would be left
    training = TrainConfig(**{**begin.training, **how})
    # A mistake is told before a long file is read.
    GPTConfig(vocab_size=1, **{**begin.model, **shape})
    began = time.perf_counter()
    read = corpus.read(data) if isinstance(data, Source) else corpus.from_documents(data)
    tokens = tokenizer_for(tokenizer, read.documents, begin.bos)
    dataset = Dataset(read, tokens, training.holdout)
    _ = dataset.encoded
    reading = time.perf_counter() - began
    choice, spent = None, 0.0
    if is_chosen:
        choice, spent = recipe.choose(dataset, training, engine, threads, device)
        shape = {**choice.model, **shape}
        training = TrainConfig(**{**choice.training, **how})
    config = GPTConfig(vocab_size=tokens.vocab_size, **{**begin.model, **shape})
    task = Task(dataset, config, training)
    opened = task.open(engine, threads, device)
    settings = Settings(
        preset=preset_name,
        model=config,
        training=training,
        source=data if isinstance(data, Source) else MEMORY,
        fingerprint=read.fingerprint,
        documents=len(read.documents),
        engine=opened.name,
        log_every=log_every,
        asked=asked,
        paths=again.absolute(data) if isinstance(data, Source) else (),
    )
    began = time.perf_counter()
    opened.load(task.first_state())
    _prepare(task, settings)
    spent += time.perf_counter() - began
    trainer = Trainer(task, opened, _at_most_half(spent, training), log_every)
    with ExitStack() as stack:
        folder = stack.enter_context(new_folder(out, settings.source.name))
        try:
            recorder = Recorder(folder, trainer, settings)
            stack.callback(recorder.log.close)
            recorder.save()
            # With this it is a run.
            checkpoint.write_settings(folder, settings, tokens)
        except BaseException:
            # It was empty and is ours. What could not begin is no run.
            shutil.rmtree(folder, ignore_errors=True)
            raise
        why = choice.why if choice else None
        return Session(settings, read, trainer, recorder, stack.pop_all(), why, spent, reading)


def resume(
    folder: Path,
    *,
    documents: Sequence[str] | None = None,
    engine: str | None = None,
    threads: int | None = None,
    device: str | None = None,
) -> Session:
    """Go on where a run's checkpoint stands, exactly as if it had never stopped.

    Args:
        folder: the run's.
        documents: the documents, if they came from no file.
        engine: another one than before, if wanted.
        threads: for the engine.
        device: for the engine.

    Raises:
        RunError: no run, damaged, in use, or its data has changed.
    """
    settings, tokens = checkpoint.read_settings(folder)
    with ExitStack() as stack:
        stack.enter_context(claimed(folder))
        remove_temporaries(folder)
        saved = checkpoint.load(folder, settings.model)
        if saved.is_earlier:
            raise RunError(
                f"{folder}: an earlier version of microgpt trained it, and did not write where its "
                "log stands. It can be read, not resumed. Train anew to go on."
            )
        training = settings.training
        opened = open_for(engine or settings.engine, settings.model, training, threads, device)
        opened.load(saved.state)
        read = read_again(folder, settings, documents, piped=True)
        task = Task(Dataset(read, tokens, training.holdout), settings.model, training)
        began = time.perf_counter()
        _prepare(task, settings)
        spent = time.perf_counter() - began
        trainer = Trainer(task, opened, _at_most_half(spent, training), settings.log_every)
        recorder = Recorder(folder, trainer, settings, saved)
        stack.callback(recorder.log.close)
        return Session(settings, read, trainer, recorder, stack.pop_all(), prepared=spent)


def _prepare(task: Task, settings: Settings) -> None:
    """Do before the first step all that need not wait: where the clock runs it counts, too."""
    task.prepare()
    if settings.training.seconds and task.heldout and not settings.source.stream:
        _ = task.dataset.alike


def _at_most_half(seconds: float, training: TrainConfig) -> float:
    """Return what preparing is counted as: half of a budget is for training all the same."""
    return min(seconds, (training.seconds or math.inf) / 2)


def read_again(
    folder: Path,
    settings: Settings,
    documents: Sequence[str] | None = None,
    *,
    piped: bool = False,
) -> Corpus:
    """Read the documents of a run.

    Args:
        folder: the run's.
        settings: the run's.
        documents: the documents, if they came from no file.
        piped: whether standard input has them, if they came from there.

    Raises:
        RunError: they are not those it was trained on, or cannot be had again.
    """
    source = settings.source
    if documents is not None:
        read = corpus.from_documents(documents)
    elif source == MEMORY:
        raise RunError(f"{folder}: its documents came from a Python program; give them again.")
    elif "-" in source.files and not piped:
        raise RunError(f"{folder}: its documents came through a pipe, and are not kept.")
    else:
        found = again.read(source, settings.fingerprint, folder, settings.paths)
        if not found:
            raise RunError(
                f"{folder}: what it was trained on must be there to be read again; there is no "
                f"{' '.join(settings.paths or source.files)}. Bring it back, or name another file "
                "where one can be given. score, sample and compress do without."
            )
        read = found
    if read.fingerprint != settings.fingerprint:
        where = ", ".join(source.files) or "the embedded names"
        raise RunError(
            f"{folder}: {where} must be what it was trained on "
            f"({count(settings.documents, 'document')}); got other text "
            f"({count(len(read.documents), 'document')}). Bring it back, or train anew."
        )
    return read


def _sort(overrides: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sort what was set into the model's and the training's."""
    given = {name: value for name, value in overrides.items() if value is not None}
    # A budget in seconds replaces the preset's in steps, unless both are given.
    if "seconds" in given:
        given.setdefault("steps", None)
    shape = {f.name: given.pop(f.name) for f in fields(GPTConfig) if f.name in given}
    how = {f.name: given.pop(f.name) for f in fields(TrainConfig) if f.name in given}
    for name in given:
        raise UsageError(f'a setting must be a field of GPTConfig or TrainConfig; got "{name}".')
    return shape, how
