"""What is said, beside what was asked for, of files that were read: on standard error, always."""

from __future__ import annotations

from microgpt.cli.terminal.say import note, remark
from microgpt.data.corpus import Corpus
from microgpt.wording import count


def noted(read: Corpus) -> Corpus:
    """Say what a person should know of the files of a corpus, and return it."""
    for sentence in read.notes:
        note(sentence)
    say_broken(read.broken)
    return read


def say_broken(number: int) -> None:
    """Say how many broken lines were skipped, if there are any."""
    if number:
        remark(f"{count(number, 'broken line')} skipped.")
