"""The errors of the parser in one sentence, with a suggestion.

In: the parser's error, and the words of the command line. Out: one sentence.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from cyclopts import (
    CycloptsError,
    MissingArgumentError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from microgpt.runs.folder import RUNS, all_runs
from microgpt.wording import nearest

# The names of flags in other programs and in papers.
SYNONYMS = {
    "steps": "epoch epochs iter iters iterations max-iters max-steps num-steps updates",
    "lr": "learning-rate rate alpha step-size",
    "n-embd": "hidden hidden-size width dim d-model embedding-dim n-embed size",
    "n-head": "head heads num-heads n-heads",
    "n-layer": "layer layers depth num-layers n-layers blocks",
    "batch-size": "batches minibatch bs",
    "block-size": "context context-length context-size seq-len sequence-length max-length",
    "holdout": "val validation val-split validation-split test-size test-split heldout",
    "weight-decay": "wd decay l2",
    "loss": "objective criterion",
    "seconds": "time duration max-time budget",
    "out": "name save-to dest",
    "seed": "random-state random-seed",
    "ngram": "counts n-grams ngrams",
    "threads": "cores cpus workers processes jobs n-jobs",
    "jobs": "cores cpus workers processes threads n-jobs",
    "device": "gpu cuda cpu",
    "number": "count num n-samples samples",
    "flag-rate": "threshold rate contamination",
    "format": "as form to",
    "limit": "max max-documents",
    "temperature": "t",
    "budget": "time duration",
    "delimiter": "sep separator",
}
# The least similarity of two names, and the least length of a common beginning.
_ALIKE, _BEGINNING = 0.8, 3
# The second argument of commands that take a run first.
_GIVEN = {"score": "text", "compress": "file", "decompress": "file"}


def sentence(error: CycloptsError, words: Sequence[str]) -> str:
    """Return what is wrong with the words, on one line."""
    if isinstance(error, UnknownOptionError):
        name = (error.token.keyword or error.token.value).split("=")[0]
        names = [n for argument in error.argument_collection for n in argument.names]
        meant = closest(name, names) if name.startswith("-") else None
        return f"Unknown option: {name}.{f' Did you mean {meant}?' if meant else ''} Try --help."
    if isinstance(error, UnusedCliTokensError):
        more = " ".join(error.unused_tokens or [])
        command = " ".join(error.command_chain or ())
        return (
            f'{command} must have no further word; got "{more}". Put quotes around words that '
            "belong together, or try --help."
        )
    if isinstance(error, MissingArgumentError) and words and words[0] in _GIVEN:
        named = [word for word in words[1:] if not word.startswith("-")]
        return without_run(words[0], named[0] if named else None)
    said = " ".join(str(error).split())
    return f"{said if said.endswith('.') else f'{said}.'} Try --help."


def closest(name: str, names: Iterable[str]) -> str | None:
    """Return the flag of a command that is most similar in spelling or meaning; None: none is.

    >>> closest("--epochs", ["--eps", "--steps"]), closest("--temp", ["--temperature"])
    ('--steps', '--temperature')
    >>> closest("--heads", ["--threads"]) is None
    True
    """
    plain = {flag.lstrip("-"): flag for flag in names if flag.startswith("--")}
    word = name.lstrip("-").replace("_", "-").lower()
    for flag, others in SYNONYMS.items():
        if flag in plain and word in others.split():
            return plain[flag]
    if any(word in others.split() for others in SYNONYMS.values()):
        return None  # a synonym of a flag that this command does not have
    begun = (
        flag for flag in plain
        if len(word) >= _BEGINNING <= len(flag) and (flag.startswith(word) or word.startswith(flag))
    )  # fmt: skip
    near = next(begun, None) or nearest(word, plain, _ALIKE)
    return plain[near] if near else None


def without_run(command: str, given: str | None) -> str:
    """Return the error of a command that lacks its run, or its text or file."""
    what = _GIVEN[command]
    example = "emma" if what == "text" else "FILE"
    must = f"{command} must have a run and a {what}"
    if given is None:
        return f"{must}; got neither. Try: microgpt {command} RUN {example}"
    if any((folder / given).is_dir() for folder in (Path(), RUNS)):
        run = shlex.quote(given)
        return f"{must}; got the run {given} alone. Try: microgpt {command} {run} {example}"
    runs = all_runs()
    if not runs:
        return f'{must}; got "{given}" alone, and there are no runs in {RUNS}/. Try: microgpt train'
    meant = f"microgpt {command} {shlex.quote(str(runs[-1]))} {shlex.quote(given)}"
    return f'{must}; got "{given}" alone. Did you mean: {meant}'
