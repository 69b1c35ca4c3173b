"""A run on documents, its own or those of a dropped file: measured and scored in the background.

In: a run's name, perhaps an uploaded file. Out: a `Measurement`, the scores of all documents, those
of a slice. Each is computed once for all tabs, and kept while it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from microgpt.data.reader.block import Block
from microgpt.data.reader.skipped import Skipped
from microgpt.data.reader.stream import Stream
from microgpt.evaluation.slices import Slice, Sliced, sliced
from microgpt.runs.evaluation_set import evaluation_set
from microgpt.runs.judging import Judging, judging
from microgpt.runs.measurement import Measurement
from microgpt.runs.run import Run
from microgpt.scoring.rows.kept import KeptScores, as_blocks, kept
from microgpt.studio.background import Background, Work
from microgpt.studio.library import Library
from microgpt.studio.uploads import ReadAs, Uploads, shown_as


@dataclass(frozen=True)
class On:
    """A run, and the documents that it is asked about.

    Attributes:
        run: its name.
        file: the id of an uploaded file; "": the run's own documents, held out if there are any.
        read_as: how to read the file.
    """

    run: str
    file: str = ""
    read_as: ReadAs = field(default_factory=ReadAs)


class Measurements:
    """What was computed of runs on documents.

    Args:
        library: the runs.
        uploads: the files.
    """

    def __init__(self, library: Library, uploads: Uploads) -> None:
        self._library, self._uploads = library, uploads
        self._measured = Background[Measurement](4)
        self._scored = Background[KeptScores](3)
        self._sliced = Background[Sliced](16)
        self._judging = lru_cache(8)(judging)

    def run(self, on: On) -> Run:
        """Return the run."""
        return self._library.run(on.run)

    def judging(self, on: On, rate: float | None = None) -> Judging:
        """Return the judge of texts; the same one for the same rate."""
        return self._judging(self.run(on), rate)

    def measure(self, on: On) -> Iterator[int]:
        """Measure the run, and yield how many documents have been measured so far."""
        run = self.run(on)
        yield from self._measured.follow(self._key(on), lambda: self._measuring(run, on))

    def measurement(self, on: On) -> Measurement:
        """Return the measurement; wait for it if need be."""
        run = self.run(on)
        return self._measured.result(self._key(on), lambda: self._measuring(run, on))

    def score(self, on: On) -> Iterator[int]:
        """Score the documents, and yield how many have been scored so far."""
        run = self.run(on)
        yield from self._scored.follow(self._key(on), lambda: self._scoring(run, on))

    def scores(self, on: On) -> KeptScores:
        """Return the scores of the documents; wait for them if need be."""
        run = self.run(on)
        return self._scored.result(self._key(on), lambda: self._scoring(run, on))

    def slicing(self, on: On, wanted: Slice) -> Iterator[int]:
        """Find the documents of a slice, and yield how many have been read so far."""
        yield from self._sliced.follow(*self._slicing(on, wanted))

    def slice(self, on: On, wanted: Slice) -> Sliced:
        """Return the documents of a slice; wait for them if need be."""
        return self._sliced.result(*self._slicing(on, wanted))

    def blocks(self, on: On) -> Iterable[Block]:
        """Return the documents in blocks, as the reader makes them.

        Raises:
            RunError, DataError: they are missing, or cannot be read.
        """
        if not on.file:
            return as_blocks(evaluation_set(self.run(on), None, None).texts)
        found = self._uploads.find(on.file)
        source = on.read_as.source(found.path)
        return Stream(str(found.path), source, Skipped(lambda _: None))

    def _slicing(self, on: On, wanted: Slice) -> tuple[Hashable, Callable[[], Work[Sliced]]]:
        run, scores = self.run(on), self.scores(on)
        texts, losses_N = scores.texts, scores.losses_N
        key = *self._key(on), wanted
        return key, lambda: sliced(run.pricer, texts, wanted, losses_N)

    def _key(self, on: On) -> tuple[Run, str, ReadAs]:
        # The run itself: one whose checkpoint has changed is another.
        return self.run(on), on.file, on.read_as

    def _measuring(self, run: Run, on: On) -> Work[Measurement]:
        read = self._uploads.corpus(on.file, on.read_as) if on.file else None
        found = Measurement(run, evaluation_set(run, read, None))
        yield from found
        return found

    def _scoring(self, run: Run, on: On) -> Work[KeptScores]:
        if not on.file:
            return (yield from kept(run.pricer, self.blocks(on)))
        with shown_as(self._uploads.find(on.file)):
            return (yield from kept(run.pricer, self.blocks(on)))
