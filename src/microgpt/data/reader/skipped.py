"""Broken rows: counted, the first of them reported, and the file refused if they are too many.

In: the place of each broken row and why it cannot be read. Out: at most ten sentences, and counts;
a `DataError` where so many rows are broken that the file must have another format.
"""

from __future__ import annotations

from collections.abc import Callable

from microgpt.errors import DataError

REPORTED = 10
"""Broken rows that are reported one by one; so few never make a file be refused."""

SHARE = 0.05
"""Share of broken rows above which a file is refused: it is read as the wrong format."""

# A pipe may never end, so the share is also checked after this many rows.
_ENOUGH = 1000


class Skipped:
    """Counts the broken rows of all files, and reports the first of them.

    Args:
        say: receives each sentence.

    Attributes:
        broken: how many so far.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say, self.broken = say, 0

    def add(self, sentence: str) -> None:
        """Count a broken row; report it if it is among the first."""
        self.broken += 1
        if self.broken <= REPORTED:
            self.say(f"{sentence} Skipped.")


class Tally:
    """Counts the rows of one file and decides whether too many are broken.

    Args:
        name: the file's name, for messages.
        skipped: counts the broken rows of all files.
        endless: whether the file may never end, as a pipe.
    """

    def __init__(self, name: str, skipped: Skipped, *, endless: bool = False) -> None:
        self.name, self._skipped = name, skipped
        self._found = self._blank = self._broken = self._doubtful = 0
        self._first = self._doubt = self._remedy = ""
        self._judged = not endless

    def note(self, sentence: str) -> None:
        """Report something that concerns the whole file."""
        self._skipped.say(f"{self.name}: {sentence}")

    def skip(self, where: str, why: str, remedy: str = "") -> None:
        """Count and report a broken row.

        Args:
            where: its place, as "line 3".
            why: the reason, a sentence with its full stop.
            remedy: what to try if the file has another format; shown once. Only rows with a remedy
                count towards refusing the file.
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
        """Count rows that were read.

        Raises:
            DataError: too many rows so far are broken.
        """
        self._found, self._blank = self._found + found, self._blank + blank
        if not self._judged and self._rows >= _ENOUGH:
            self._judge()

    def end(self) -> None:
        """Check the whole file, at its end.

        Raises:
            DataError: too many rows are broken, or all of them.
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
        if self._doubtful > max(REPORTED, SHARE * self._rows):
            raise DataError(
                f"{self.name}: {self._doubtful:,} of {self._rows:,} rows are broken; the first: "
                f"{self._doubt} {self._remedy}"
            )
