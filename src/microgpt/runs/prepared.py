"""A training prepared in memory, without a folder.

In: data, a preset and the settings that override it. Out: a `Prepared` training. All mistakes in
the input are found here.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from microgpt.config import GPTConfig, TokenizerName, TrainConfig, check_count, check_tokenizer
from microgpt.data import again, corpus, stored
from microgpt.data.corpus import MEMORY, Corpus, Source
from microgpt.data.tokenizer.bpe import smaller
from microgpt.data.tokenizer.masks import parse, unmatched
from microgpt.engines.contract import Engine, State
from microgpt.engines.ranks import ALONE, Ranks, agreed
from microgpt.errors import UsageError
from microgpt.runs.settings import Settings
from microgpt.runs.together import check_readable, check_same
from microgpt.training import budget, recipe
from microgpt.training.estimate import Estimate, estimate
from microgpt.training.fastest import open_fastest
from microgpt.training.presets import preset
from microgpt.training.task import Dataset, Task, tokenizer_for
from microgpt.training.trainer import Trainer


@dataclass(frozen=True, eq=False)
class Prepared:
    """A training that is ready to begin, without a folder.

    Attributes:
        settings: of its run.
        corpus: the documents, and notes on their files.
        trainer: the training.
        why: the reason for the recipe, if it was chosen for a budget.
        measured: the speeds of engines, if one was chosen by them.
        needs: what the training needs; None: it is resumed.
        reading: seconds it took to read and encode the documents.
    """

    settings: Settings
    corpus: Corpus
    trainer: Trainer
    why: str | None = None
    measured: str | None = None
    needs: Estimate | None = None
    reading: float = 0.0


@dataclass(frozen=True, eq=False)
class Ready:
    """A training whose engine is open, and has no state yet.

    Attributes:
        task: the documents and the settings of the training.
        engine: opened for it.
        spent: seconds spent on preparing so far.
        settings, corpus, why, measured, needs, reading: those of `Prepared`.
    """

    task: Task
    engine: Engine
    spent: float
    settings: Settings
    corpus: Corpus
    why: str | None
    measured: str | None
    needs: Estimate
    reading: float

    def start(self) -> Prepared:
        """Make the first state, and do all work that can be done before the first step."""
        trainer = started(self.task, self.engine, self.settings, spent=self.spent)
        return Prepared(
            self.settings,
            self.corpus,
            trainer,
            self.why,
            self.measured,
            self.needs,
            self.reading,
        )


def in_memory(data: Source | Iterable[Any], **others: Any) -> Prepared:
    """Prepare a training in memory; nothing is written to disk.

    Args:
        data: where the documents are, or the documents.
        others: the other arguments of `ready`.

    Raises:
        UsageError, DataError: a setting or the data is invalid.
    """
    return ready(data, **others).start()


def ready(
    data: Source | Iterable[Any],
    *,
    preset_name: str | None = None,
    tokenizer: TokenizerName | None = None,
    vocab_size: int | None = None,
    mask: str | Sequence[str] | None = None,
    engine: str = "auto",
    threads: int | None = None,
    device: str | None = None,
    log_every: int = 1,
    ranks: Ranks = ALONE,
    **overrides: Any,
) -> Ready:
    """Read the documents, choose the settings, and open the engine, in each of the ranks.

    Args:
        data: where the documents are, or the documents.
        preset_name: the recipe that `overrides` change. None: with `seconds` alone the recipe is
            chosen for this machine and this data (`budget`); else "micro", or, without the native
            engine, "microgpt".
        tokenizer: "characters", "bytes", "bpe", or the path of a `tokenizer.json`. None:
            "characters", or that of prepared data.
        vocab_size: how many token ids "bpe" has; None: 1,000.
        mask: what is read as one symbol, as `masks.parse` takes it.
        engine: by name, or "auto".
        threads: for the engine.
        device: for the engine.
        log_every: steps a line of the log.
        ranks: the processes that train together; each reads the documents, rank 0 chooses.
        overrides: fields of GPTConfig and TrainConfig that differ from the preset's; None: as
            there.

    Raises:
        UsageError, DataError: a setting or the data is invalid.
        RankError: that is so in another rank, or it reads other documents than this one.
    """
    check_count("log_every", log_every)
    check_tokenizer(tokenizer or "characters", vocab_size)
    masks = parse(mask)
    own = {
        "preset": preset_name,
        "tokenizer": None if tokenizer == "characters" else tokenizer,
        "vocab_size": vocab_size,
        "engine": None if engine == "auto" else engine,
        "mask": tuple(map(str, masks)) or None,
    }
    asked = {name: its for name, its in {**own, **overrides}.items() if its is not None}
    shape, how = by_config(overrides)
    is_chosen = preset_name is None and how.get("seconds") and not how.get("steps")
    preset_name = preset_name or (recipe.CHOSEN if is_chosen else recipe.default(engine))
    begin = budget.ALWAYS if is_chosen else preset(preset_name)
    if isinstance(data, Source) and data.stream:
        how.setdefault("long", "window")  # "cut" would leave one block of a whole book
    share = agreed(ranks, lambda: stored.holdout(data) if isinstance(data, Source) else None)
    if share is not None:
        how.setdefault("holdout", share)
    training = TrainConfig(**{**begin.training, **how})
    if how.get("mixture") == "log-linear" and not training.ngram:
        raise UsageError("mixture must stand with counts to mix in; got ngram=0. Try --ngram 5.")
    # Only to validate the settings before a long file is read.
    GPTConfig(vocab_size=1, **{**begin.model, **shape})
    began = time.perf_counter()

    def read_all() -> tuple[Corpus, Dataset]:
        read = corpus.read(data) if isinstance(data, Source) else corpus.from_documents(data)
        tokens = tokenizer_for(tokenizer, read, begin.bos, masks, vocab_size, training.holdout)
        read = replace(read, notes=(*read.notes, *unmatched(masks, tokens), *smaller(tokens)))
        dataset = Dataset(read, tokens, training.holdout)
        _ = dataset.encoded
        return read, dataset

    check_readable(data, ranks)
    read, dataset = agreed(ranks, read_all)
    check_same(read, dataset.tokenizer, ranks)
    reading = time.perf_counter() - began
    choice, spent = None, 0.0
    if is_chosen:

        def choose() -> Any:
            if ranks.rank:
                return None
            # Several ranks train one model.
            is_set = "models" in how or ranks.world > 1
            opening = dataset, training, engine, threads, device
            return recipe.choose(*opening, is_set=is_set, mixture=how.get("mixture"))

        choice, spent = ranks.told(agreed(ranks, choose))
        shape = {**choice.model, **shape}
        training = TrainConfig(**{**choice.training, **how})
    config = GPTConfig(vocab_size=dataset.tokenizer.vocab_size, **{**begin.model, **shape})
    task = Task(dataset, config, training)

    def opened_for() -> tuple[Engine, str | None, Estimate]:
        opened, measured = open_fastest(task, engine, threads, device, ranks)
        return opened, measured, estimate(task, opened)

    opened, measured, needs = agreed(ranks, opened_for)
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
    why = choice.why if choice else None
    return Ready(task, opened, spent, settings, read, why, measured, needs, reading)


def started(
    task: Task, engine: Engine, settings: Settings, state: State | None = None, spent: float = 0.0
) -> Trainer:
    """Make the trainer; do all work that can be done before the first step, and time it.

    Args:
        task: the training's.
        engine: opened for the task.
        settings: the run's.
        state: the state to resume from; None: the training is new.
        spent: seconds spent on preparing so far.
    """
    began = time.perf_counter()
    engine.load(state or task.first_state())
    task.prepare()
    if settings.training.seconds and task.heldout and not settings.source.stream:
        _ = task.dataset.alike
    return Trainer(task, engine, spent + time.perf_counter() - began, settings.log_every)


def by_config(overrides: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split overrides into fields of GPTConfig and of TrainConfig; leave out None values."""
    given = {name: value for name, value in overrides.items() if value is not None}
    # A budget in seconds replaces the preset's in steps, unless both are given.
    if "seconds" in given:
        given.setdefault("steps", None)
    shape = {f.name: given.pop(f.name) for f in fields(GPTConfig) if f.name in given}
    how = {f.name: given.pop(f.name) for f in fields(TrainConfig) if f.name in given}
    for name in given:
        raise UsageError(f'a setting must be a field of GPTConfig or TrainConfig; got "{name}".')
    return shape, how
