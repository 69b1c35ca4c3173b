"""The corpus of a folder of token ids: what a training asks of text, asked of a `Store`.

In: a source. Out: a `TokenCorpus`, or a sentence that says what a prepared folder cannot do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microgpt.data.corpus import Corpus, Source
from microgpt.data.decoded import Decoded
from microgpt.data.shards import JOURNAL
from microgpt.data.store import Store, is_store
from microgpt.data.texts import Texts
from microgpt.data.tokenizer import BosPlace, Tokenizer
from microgpt.errors import DataError, UsageError

if TYPE_CHECKING:
    from microgpt.data.tokenizer.masks import Mask


@dataclass(frozen=True)
class TokenCorpus(Corpus):
    """The documents of a folder of token ids.

    Attributes:
        store: the folder.
    """

    store: Store = field(kw_only=True)

    @property
    def characters(self) -> int:
        """Characters of all documents, without line ends."""
        return sum(shard.characters for shard in self.store.index.shards)

    @property
    def fingerprint(self) -> str:
        """The hash that a corpus of the same documents as text has."""
        return self.store.fingerprint

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process maps the files; no array is sent to it.
        return read, (Source(files=(str(self.store.folder),)),)

    def split(self, holdout: float) -> tuple[Texts, Texts]:
        """Return the documents to train on and those held out, which were chosen for good.

        Raises:
            UsageError: another share is asked for.
        """
        store = self.store
        if holdout != store.index.holdout:
            raise UsageError(
                f"holdout must be {store.index.holdout:g}, with which {store.folder} was prepared; "
                f"got {holdout:g}. Prepare it again, into another --out."
            )
        return store.documents("train"), store.documents("heldout")

    def reader(
        self, name: str | None, bos: BosPlace, masks: Sequence[Mask], vocab_size: int | None
    ) -> Tokenizer:
        """Return the tokenizer that the ids are of.

        Raises:
            UsageError: another one is asked for.
        """
        its, folder = self.store.tokenizer, self.store.folder
        asked = its.asked
        own = asked.get("tokenizer", "characters")
        again = "Leave it out, or prepare again, into another --out."
        if masks:
            raise UsageError(f"mask must go without {folder}, which is prepared. {again}")
        for what, wanted, got in (
            ("tokenizer", own, name),
            ("vocab_size", asked.get("vocab_size", its.vocab_size), vocab_size),
        ):
            if got not in (None, wanted):
                raise UsageError(
                    f"{what} must be {wanted}, with which {folder} was prepared; got {got}. {again}"
                )
        first = its.bos == 0
        if first != (bos == "first"):
            raise UsageError(
                f"the preset must have BOS as the {'first' if first else 'last'} id, as {folder} "
                "has it. Try another --preset, or prepare again with the same one."
            )
        return its


def holdout(source: Source) -> float | None:
    """Return the share that the folder of a source was prepared with; None: it is of text.

    Raises:
        DataError: the folder is damaged.
    """
    files = source.files
    return Store(files[0]).index.holdout if len(files) == 1 and is_store(files[0]) else None


def read(source: Source) -> TokenCorpus | None:
    """Open the folder of token ids that a source names, and verify it; None: it names none.

    Raises:
        DataError: it is damaged, incomplete, or of another version; or there are other files too.
        UsageError: a setting of text is given.
    """
    for file in source.files:
        if file != "-" and (Path(file) / JOURNAL).is_file():
            raise DataError(
                f"{file}: its preparation has not come to its end. Go on with the same command: "
                f"microgpt data prepare ... --out {file}"
            )
    stored = [file for file in source.files if is_store(file)]
    if not stored:
        return None
    if len(source.files) > 1:
        raise DataError(f"{stored[0]}: must be the only file; got {len(source.files)}.")
    for name in source.asked:
        raise UsageError(f"{name} must go without {stored[0]}, which is prepared already.")
    store = Store(stored[0])
    store.verify()
    index = store.index
    both = Decoded([store.train, store.heldout], store.tokenizer)
    return TokenCorpus(both, index.blank, index.blank_characters, broken=index.broken, store=store)
