"""What is skipped of files: told, counted, and refused where it is too much.

In: of each row that cannot be read, its place and why. Out: sentences, at most a few, and counts; a
`DataError` where so much is broken that the file must be meant otherwise.
"""

from __future__ import annotations

from collections.abc import Callable

from microgpt.errors import DataError

TOLD = 10
"""This many broken rows are reported one by one; no fewer are ever too many."""

SHARE = 0.05
"""More of a file than this is not broken by chance: it is not what it is read as."""

# A pipe may have no end: it is also judged after this many rows.
_ENOUGH = 1000


class Skipped:
    """Counts the rows skipped of all files that are read, and says the first of them.

    Args:
        say: is given each sentence.

    Attributes:
        broken: how many so far.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say, self.broken = say, 0

    def add(self, sentence: str) -> None:
        """Count a row, and say why it is skipped if it is among the first."""
        self.broken += 1
        if self.broken <= TOLD:
            self.say(f"{sentence} Skipped.")


class Tally:
    """Counts the rows of one file.

    Args:
        name: of the file.
        skipped: of all files.
        endless: whether it may have no end.
    """

    def __init__(self, name: str, skipped: Skipped, *, endless: bool = False) -> None:
        self.name, self._skipped = name, skipped
        self._found = self._blank = self._broken = self._doubtful = 0
        self._first = self._doubt = self._remedy = ""
        self._judged = not endless

    def note(self, sentence: str) -> None:
        """Say something of the whole file."""
        self._skipped.say(f"{self.name}: {sentence}")

    def skip(self, where: str, why: str, remedy: str = "") -> None:
        """Count a broken row.

        Args:
            where: it stands, as "line 3".
            why: it cannot be read, with a full stop.
            remedy: what may help if the whole file is meant otherwise; said once. Of rows without
                one no number is too many.
        """
        self._broken += 1
        sentence = f"{self.name}: {where}: {why}"
        if remedy:
            self._doubtful += 1
            self._doubt = self._doubt or f"{where}: {why}"
        if remedy and not self._remedy:
            self._remedy = remedy
            sentence += f" {remedy}"
        self._first = self._first or sentence
        self._skipped.add(sentence)

    def count(self, found: int, blank: int) -> None:
        """Count rows that can be read.

        Raises:
            DataError: too many of those before are broken.
        """
        self._found, self._blank = self._found + found, self._blank + blank
        if not self._judged and self._rows >= _ENOUGH:
            self._judge()

    def end(self) -> None:
        """Judge the whole file.

        Raises:
            DataError: too many rows are broken, or all.
        """
        if self._broken and not self._found:
            others = f" None of its {self._rows:,} rows can be read."
            raise DataError(self._first + (others if self._broken > 1 else ""))
        self._judge()

    @property
    def _rows(self) -> int:
        return self._found + self._blank + self._broken

    def _judge(self) -> None:
        self._judged = True
        if self._doubtful > max(TOLD, SHARE * self._rows):
            raise DataError(
                f"{self.name}: {self._doubtful:,} of {self._rows:,} rows are broken; the first: "
                f"{self._doubt} {self._remedy}"
            )
