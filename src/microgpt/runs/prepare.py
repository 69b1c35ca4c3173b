"""The preparation of a training with its folder: a new one, or an interrupted one to resume.

In: data, a preset and the settings that override it; or a run's folder. Out: a `Session`. All
mistakes in the input are found here, before a folder is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from microgpt.data.corpus import MEMORY, Corpus, Source
from microgpt.data.tokenizer import Tokenizer
from microgpt.engines.contract import Engine
from microgpt.engines.ranks import ALONE, Ranks, agreed
from microgpt.errors import RunError
from microgpt.runs import checkpoint
from microgpt.runs.documents import keep_held_out, read_again
from microgpt.runs.files import remove_temporaries
from microgpt.runs.folder import claimed, new_folder
from microgpt.runs.prepared import Prepared, ready, started
from microgpt.runs.recorder import Recorder
from microgpt.runs.session import Session
from microgpt.runs.settings import Settings
from microgpt.runs.together import check_readable, check_same
from microgpt.runs.tracking import Track, chosen, followed
from microgpt.training.progress import Checkpoint
from microgpt.training.task import Dataset, Task, open_for


def new(
    data: Source | Iterable[Any],
    *,
    out: Path | None = None,
    track: Track = None,
    ranks: Ranks = ALONE,
    **others: Any,
) -> Session:
    """Prepare a training and lock its folder.

    Args:
        data: where the documents are, or the documents.
        out: the folder; None: the first free of runs/NAME-1, runs/NAME-2, ...
        track: names of trackers that follow the training: see `tracking.chosen`.
        ranks: the processes that train together, of which this is rank 0: see `follower` for the
            others.
        others: the other arguments of `ready`.

    Raises:
        UsageError, DataError, RunError: a setting, the data or the run is invalid.
        MissingExtra: a tracker is not installed.
    """
    trackers = agreed(ranks, lambda: chosen(track))
    opened = ready(data, ranks=ranks, **others)
    settings = opened.settings
    with ExitStack() as stack:
        folder = agreed(ranks, lambda: stack.enter_context(new_folder(out, settings.source.name)))
        ranks.told(folder.resolve())
        stack.callback(ranks.dismiss)
        try:
            made = opened.start()
            trainer = made.trainer
            recorder = Recorder(folder, trainer, settings)
            stack.callback(recorder.log.close)
            recorder.save()
            held_out = trainer.task.dataset.heldout_documents
            if settings.source == MEMORY and held_out:
                keep_held_out(folder, held_out)
            # Last: a folder with a config.json counts as a run.
            checkpoint.write_settings(folder, settings, trainer.task.tokenizer)
        except BaseException:
            import shutil

            # The folder was empty and is locked: remove it rather than leave an incomplete run.
            shutil.rmtree(folder, ignore_errors=True)
            raise
        ranks.remember(folder)
        tracking = stack.enter_context(followed(folder, trackers))
        return Session(made, recorder, stack.pop_all(), tracking)


def resume(
    folder: Path,
    documents: Sequence[str] | None = None,
    engine: str | None = None,
    threads: int | None = None,
    device: str | None = None,
    track: Track = None,
    ranks: Ranks = ALONE,
) -> Session:
    """Prepare to resume a run from its checkpoint, exactly as if it had never stopped.

    Args:
        folder: the run's.
        documents: the documents, if they did not come from a file.
        engine: by name; None: the run's.
        threads: for the engine.
        device: for the engine.
        track: names of trackers, beside those that the run has had; "none": no tracker.
        ranks: the processes that train together, of which this is rank 0.

    Raises:
        RunError: the folder is no run, damaged, or in use, or the documents have changed.
        MissingExtra: a tracker of `track` is not installed.
    """
    with ExitStack() as stack:

        def claim() -> tuple[Settings, Tokenizer, Checkpoint, Sequence[str]]:
            trackers = chosen(track, folder)
            settings, tokens = checkpoint.read_settings(folder)
            check_readable(settings.source, ranks)
            stack.enter_context(claimed(folder))
            remove_temporaries(folder)
            saved = checkpoint.load(folder, settings.model, settings.training.models)
            if saved.is_earlier:
                raise RunError(
                    f"{folder}: an earlier version of microgpt trained it, and did not write where "
                    "its log stands. It can be read, not resumed. Train anew to go on."
                )
            return settings, tokens, saved, trackers

        settings, tokens, saved, trackers = agreed(ranks, claim)
        ranks.told(folder.resolve())
        ranks.told((settings, tokens.to_json()))
        training = settings.training

        def open_task() -> tuple[Corpus, Engine]:
            name = engine or ("torch" if ranks.world > 1 else settings.engine)
            opened = open_for(name, settings.model, training, threads, device, ranks)
            return read_again(folder, settings, documents, piped=True), opened

        read, opened = agreed(ranks, open_task)
        check_same(read, tokens, ranks)
        task = Task(Dataset(read, tokens, training.holdout), settings.model, training)
        stack.callback(ranks.dismiss)
        trainer = started(task, opened, settings, saved.state)
        recorder = Recorder(folder, trainer, settings, saved)
        stack.callback(recorder.log.close)
        ranks.remember(folder)
        ended = trainer.updates if trainer.has_ended else None
        tracking = stack.enter_context(followed(folder, trackers, ended))
        return Session(Prepared(settings, read, trainer), recorder, stack.pop_all(), tracking)
