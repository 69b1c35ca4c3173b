"""Notes about the files that were read, on standard error."""

from __future__ import annotations

from microgpt.cli.terminal.say import note, remark
from microgpt.data.corpus import Corpus
from microgpt.wording import count


def noted(read: Corpus) -> Corpus:
    """Print the notes of a corpus, and return the corpus."""
    for sentence in read.notes:
        note(sentence)
    say_broken(read.broken)
    return read


def say_broken(number: int) -> None:
    """Print how many broken lines were skipped, if any."""
    if number:
        remark(f"{count(number, 'broken line')} skipped.")
