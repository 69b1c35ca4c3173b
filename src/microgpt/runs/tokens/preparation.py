"""The settings of a preparation, and how far it has come.

In: a source, settings. Out: a `Preparation`, which says what a folder must have been begun with.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from microgpt.config import TokenizerName, TrainConfig, check_count, check_tokenizer
from microgpt.data.corpus import Source
from microgpt.data.shards import FORMAT, SourceFile, digest
from microgpt.data.store import is_store
from microgpt.data.tokenizer import BosPlace
from microgpt.errors import DataError, UsageError
from microgpt.runs.tokens.portions import SIZE, files_of
from microgpt.runs.tokens.writer import Beginning


@dataclass(frozen=True)
class Portioned:
    """How far a preparation has come.

    Attributes:
        stage: what is done, in words.
        bytes: of text that this has been done with so far.
        documents: so far.
        kept: shards that are there from an earlier, interrupted preparation.
        notes: sentences for the user, new since the last event.
    """

    stage: str
    bytes: int = 0
    documents: int = 0
    kept: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """The settings of a preparation.

    Args:
        source: the files, and how to read them.
        tokenizer: "characters", "bytes", "bpe", or the path of a `tokenizer.json`.
        vocab_size: how many ids "bpe" learns; None: 1,000.
        bos: whether BOS is the first id or the last.
        holdout: the share of documents to hold out.
        processes: how many encode; the result does not depend on it.
    """

    source: Source
    tokenizer: TokenizerName = "characters"
    vocab_size: int | None = None
    bos: BosPlace = "last"
    holdout: float = 0.1
    processes: int = 1

    def __post_init__(self) -> None:
        check_tokenizer(self.tokenizer, self.vocab_size)
        check_count("processes", self.processes)
        TrainConfig(holdout=self.holdout)  # raises a UsageError if the share is invalid
        if "-" in self.source.files:
            raise UsageError("the files must have names, to be read again; got standard input.")
        if self.source.stream:
            raise UsageError(
                "stream must go without data prepare, which holds out whole documents. "
                "Try: microgpt train FILE --stream"
            )

    def begun(self) -> Beginning:
        """Return what a folder must have been begun with, for this preparation to go on in it."""
        paths = [Path(file) for file in files_of(self.source)]
        for path in paths:
            if is_store(str(path)):
                raise DataError(f"{path}: is prepared already. Name the files of its text.")
        every = [list(_files(path)) for path in paths]
        stats = [[file.stat() for file in files] for files in every]
        own = {"tokenizer": self.tokenizer, "vocab_size": self.vocab_size, "bos": self.bos}
        if self.tokenizer not in ("characters", "bytes", "bpe"):
            with suppress(OSError):  # which is reported when it is opened
                own["content"] = digest(Path(self.tokenizer).read_bytes())
        return Beginning(
            FORMAT,
            {**own, "holdout": self.holdout, "reading": self.source.asked, "portion": SIZE},
            tuple(
                SourceFile(str(path), sum(each.st_size for each in its))
                for path, its in zip(paths, stats)
            ),
            tuple(max((each.st_mtime_ns for each in its), default=0) for its in stats),
        )

    def encoders(self) -> int:
        """Return how many processes are worth starting: no more than there may be portions."""
        size = sum(source.bytes for source in self.begun().sources)
        return max(1, min(self.processes, size // SIZE))

    def no_documents(self) -> DataError:
        """Return the error of files without documents."""
        where = ", ".join(files_of(self.source))
        return DataError(f"{where}: no documents. Expected text, one document a line.")


def _files(path: Path) -> Iterator[Path]:
    """Yield a file, or those of a folder of datasets."""
    yield from sorted(path.iterdir()) if path.is_dir() else [path] if path.exists() else []
