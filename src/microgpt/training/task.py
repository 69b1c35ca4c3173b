"""A training before its first step: the plan of its batches, held-out documents, the first state.

In: documents, a tokenizer, two configs. Out: a `Task`. `train`, `sweep`, `experiment` and
`sklearn` all prepare their trainings here. Nothing is read from disk or written to it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from microgpt import model
from microgpt.config import GPTConfig, LongDocuments, TokenizerName, TrainConfig, check_tokenizer
from microgpt.counting import mixing
from microgpt.counting.mixture import Mixture
from microgpt.counting.ngram import NGram
from microgpt.data.alike import Alike, same, same_ids
from microgpt.data.batch import Layout, lay_out
from microgpt.data.corpus import Corpus
from microgpt.data.decoded import sampled
from microgpt.data.encoded import Encoded
from microgpt.data.plan import Plan
from microgpt.data.shuffle import shuffled
from microgpt.data.split import split
from microgpt.data.stored import TokenCorpus
from microgpt.data.texts import Texts
from microgpt.data.tokenizer import BPE, BosPlace, Bytes, Characters, Masked, Tokenizer, encode_all
from microgpt.data.tokenizer.bpe import VOCAB_SIZE
from microgpt.data.tokenizer.masks import Mask
from microgpt.engines import open_engine
from microgpt.engines.compute import Compute
from microgpt.engines.contract import Engine, Predictor, State
from microgpt.engines.ranks import ALONE, Ranks
from microgpt.errors import UsageError
from microgpt.model.operations import Change, unchanged
from microgpt.optim import Optimizer
from microgpt.training.heldout import HeldOutDocuments


class Dataset:
    """Training documents, held-out documents and their tokenizer.

    Layouts, counts and held-out documents are cached, for trainings on the same data with other
    settings.

    Args:
        data: the documents.
        tokenizer: encodes them.
        holdout: the share of documents to hold out, in [0, 1).

    Raises:
        DataError: no document is left to train on.
    """

    def __init__(self, data: Corpus, tokenizer: Tokenizer, holdout: float) -> None:
        self.tokenizer, self.stream = tokenizer, data.stream
        self.train_documents, self.heldout_documents = split(data, holdout)
        self.layout = lru_cache(16)(self._layout)
        self.counts = lru_cache(4)(self._counts)
        self.heldout = lru_cache(4)(self._heldout)

    @cached_property
    def judged(self) -> tuple[Sequence[str], Sequence[str]]:
        """The documents trained on and those held out; of very many stored ones, some."""
        return sampled((self.train_documents, self.heldout_documents))

    @cached_property
    def alike(self) -> Alike:
        """Which of the documents `judged` are read the same, those trained on first."""
        if not self.tokenizer.symbols:
            return same(*self.judged, self.tokenizer)
        held_out = encode_all(self.tokenizer, self.heldout_documents)
        return same_ids(Encoded.joined([self.encoded, held_out], self.tokenizer.bos))

    def as_read(self) -> Texts:
        """Return the documents trained on as they are read, each that differs once at least."""
        if not self.tokenizer.symbols:
            return self.train_documents
        firsts = self.alike.firsts_U
        different = self.train_documents.take(firsts[firsts < len(self.train_documents)])
        return self.tokenizer.reading(different)

    @cached_property
    def encoded(self) -> Encoded:
        """The token ids of the training documents."""
        return encode_all(self.tokenizer, self.train_documents)

    def _layout(self, block_size: int, long: LongDocuments) -> Layout:
        """Fit the training documents to a block size."""
        return lay_out(self.encoded, self.tokenizer.bos, block_size, long)

    def _counts(self, block_size: int, long: LongDocuments, n: int) -> NGram:
        """Count the n-grams of the training documents."""
        texts = self.layout(block_size, long).texts
        return NGram.of(texts, self.tokenizer.vocab_size, self.tokenizer.bos, n)

    def _heldout(self, block_size: int) -> HeldOutDocuments:
        """Fit the held-out documents to a block size, in an order of their own."""
        return HeldOutDocuments(self.heldout_documents, self.tokenizer, block_size)


@dataclass(frozen=True, eq=False)
class Task:
    """A training before its first step.

    Attributes:
        dataset: the documents and their tokenizer.
        model: the model's settings.
        training: the training's settings.
    """

    dataset: Dataset
    model: GPTConfig
    training: TrainConfig

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the documents."""
        return self.dataset.tokenizer

    @property
    def layout(self) -> Layout:
        """The training documents, fitted to the block size."""
        return self.dataset.layout(self.model.block_size, self.training.long)

    @cached_property
    def plan(self) -> Plan:
        """The plan: which documents each step trains on."""
        training = self.training
        return Plan(self.layout.batch, training.batch_size, training.seed, training.order)

    @property
    def counts(self) -> NGram | None:
        """The n-gram model that the GPT is mixed with; None: it is not mixed."""
        n = self.training.ngram
        return self.dataset.counts(self.model.block_size, self.training.long, n) if n else None

    @property
    def rung(self) -> NGram | None:
        """The n-gram model of the ladder, if it is one that is mixed in.

        A log-linear mixture counts longer n-grams than those with the lowest loss alone.
        """
        return self.counts if self.training.mixture == "linear" else None

    def mixture(self, gpt: Predictor) -> Mixture | None:
        """Return a GPT mixed with the counts, nothing fitted yet; None: it is not mixed."""
        return mixing.new(self.training.mixture, gpt, self.counts) if self.counts else None

    @property
    def heldout(self) -> HeldOutDocuments:
        """The held-out documents, in an order that is the same for all trainings on them."""
        return self.dataset.heldout(self.model.block_size)

    def prepare(self) -> None:
        """Shuffle the documents and count n-grams now, so that the first step does not."""
        self.plan.batches(0, 1)
        _ = self.counts

    def first_state(self) -> State:
        """Draw the state before the first update."""
        training = self.training
        return first_state(self.model, training.seed, len(self.layout.batch), training.models)

    def open(
        self,
        engine: str,
        threads: int | None = None,
        device: str | None = None,
        ranks: Ranks = ALONE,
        change: Change = unchanged,
    ) -> Engine:
        """Open an engine for this training; its state is not loaded yet."""
        return open_for(engine, self.model, self.training, threads, device, ranks, change)


def open_for(
    name: str,
    config: GPTConfig,
    training: TrainConfig,
    threads: int | None = None,
    device: str | None = None,
    ranks: Ranks = ALONE,
    change: Change = unchanged,
) -> Engine:
    """Open the engine of a training."""
    optimizer, compute = Optimizer.of(training), Compute.of(training)
    loss = training.loss
    return open_engine(
        name, config, optimizer, loss, threads, device, compute, ranks, change, training.models
    )


def first_state(config: GPTConfig, seed: int, documents: int, models: int = 1) -> State:
    """Draw the state before the first update.

    Args:
        config: the model's settings.
        seed: of the generator.
        documents: how many training documents, or windows of them, the generator shuffles first.
        models: how many models it draws, one after another: the first is as it would be alone.
    """
    # As in the original, one generator shuffles the documents and then draws the initial values.
    rng = random.Random(seed)
    shuffled(documents, rng)
    drawn = [model.initial(config, rng) for _ in range(models)]
    return State.fresh(model.joined(drawn))


def tokenizer_for(
    name: TokenizerName | None,
    data: Corpus,
    bos: BosPlace,
    masks: Sequence[Mask] = (),
    vocab_size: int | None = None,
    holdout: float = 0.0,
) -> Tokenizer:
    """Make the tokenizer of a training.

    Args:
        name: the kind of tokenizer, or a file; None: "characters", or that of data prepared.
        data: the documents. The characters of all of them are the vocabulary of "characters", as in
            the original; the merges of "bpe" are learned from those that are trained on.
        bos: whether BOS is the first id or the last.
        masks: what is read as one symbol.
        vocab_size: how many ids "bpe" has at most.
        holdout: the share of documents that are held out.

    Raises:
        UsageError: there is no tokenizer of this name, or it does not go with the other settings.
        MissingExtra: Hugging Face's tokenizers is not installed.
    """
    if isinstance(data, TokenCorpus):
        return data.reader(name, bos, masks, vocab_size)
    name = name or "characters"
    check_tokenizer(name, vocab_size)
    if name not in ("characters", "bytes"):
        if masks:
            raise UsageError("mask must stand with tokenizer characters or bytes; got another.")
        if name != "bpe":
            return BPE.of_file(name, bos)
        return BPE.of(split(data, holdout)[0], vocab_size or VOCAB_SIZE, bos)

    def made(blocks: Iterable[Texts]) -> Characters | Bytes:
        return Bytes(bos) if name == "bytes" else Characters.counted(blocks, bos)

    documents = data.documents
    return Masked.of(documents, masks, made) if masks else made(documents.blocks())
