"""The texts that the page trains on, ready for the first step; kept for the next training.

In: "names", or the id of a file that was sent, and how to read it. Out: a `ReadyText`: documents,
split and encoded, and the losses of the baselines on those held out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock

from microgpt.config import LongDocuments
from microgpt.counting.ladder import ladder, ngram
from microgpt.data import corpus
from microgpt.data.corpus import EMBEDDED, Corpus, Source
from microgpt.data.tokenizer import BosPlace
from microgpt.studio.recent import Recent
from microgpt.studio.uploads import ReadAs, Uploads
from microgpt.training.heldout import MOST
from microgpt.training.presets import preset
from microgpt.training.task import Dataset, tokenizer_for
from microgpt.wording import count, name_of

HELD_OUT = 0.1
"""The share of documents that the page holds out, whatever the preset: a curve needs them."""

_KEPT = 4


@dataclass(frozen=True, kw_only=True)
class TextAsked:
    """Which text to train on, and the preset, which says how it is cut to documents.

    Attributes:
        text: "names", which comes with microgpt, or the id of a file that was sent.
        read_as: how to read the file.
        preset: a recipe.
    """

    text: str = EMBEDDED
    read_as: ReadAs = field(default_factory=ReadAs)
    preset: str = "microgpt"

    @property
    def long(self) -> LongDocuments:
        """What happens to documents longer than the block, as in `microgpt train`."""
        how = preset(self.preset).training.get("long", "window")
        return "window" if self.read_as.stream else how


@dataclass(frozen=True)
class Level:
    """A baseline, as a level line: its name, and its loss in nats a position."""

    name: str
    loss: float


class ReadyText:
    """A text that can be trained on.

    Args:
        read: its documents.
        bos: where the preset has BOS.

    Attributes:
        corpus: the documents, and notes on the file.
        dataset: the same, split and encoded.
    """

    def __init__(self, read: Corpus, bos: BosPlace) -> None:
        tokens = tokenizer_for("characters", read, bos)
        self.corpus, self.dataset = read, Dataset(read, tokens, HELD_OUT)
        self.levels = lru_cache(8)(self._levels)

    def _levels(self, block_size: int, long: LongDocuments) -> tuple[str, list[Level]]:
        """Measure the baselines; say on which documents."""
        tokens, held_out = self.dataset.tokenizer, self.dataset.heldout(block_size)
        layout = self.dataset.layout(block_size, long)
        if held_out:
            measured = held_out.head(MOST)
            counts = ngram(layout.texts, tokens, measured)
            what = count(len(self.dataset.heldout_documents), "held-out document")
        else:  # an n-gram would have memorised them
            measured, counts = layout.batch.head(MOST), None
            what = "the documents trained on: none is held out"
        sums = ladder(layout.texts, measured, tokens, counts)
        n = counts.n if counts else 0
        return what, [Level(name_of(name, n), total.mean) for name, total in sums.items()]


class Datasets:
    """The texts that were trained on last.

    Args:
        uploads: the files that were sent.
    """

    def __init__(self, uploads: Uploads) -> None:
        self._uploads = uploads
        self._ready = Recent[tuple[str, ReadAs, BosPlace], ReadyText](_KEPT)
        self._lock = Lock()

    def ready(self, asked: TextAsked) -> ReadyText:
        """Read a text, or return it as it was read before.

        Raises:
            UsageError: there is no such preset.
            DataError: there is no such text, or it cannot be read, or has nothing to learn from.
        """
        bos = preset(asked.preset).bos
        key = (asked.text, asked.read_as, bos)
        with self._lock:  # who asks for the same text at the same time waits for it
            found = self._ready.get(key)
            if found is None:
                self._ready.put(key, found := ReadyText(self._read(asked), bos))
            return found

    def _read(self, asked: TextAsked) -> Corpus:
        if asked.text == EMBEDDED:
            return corpus.read(Source())
        return self._uploads.corpus(asked.text, asked.read_as)
