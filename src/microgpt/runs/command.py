"""The command that trains a run again: the same data, settings, tokenizer and engine.

In: a run's settings and its tokenizer. Out: a shell command. With a budget in steps it makes the
same checkpoint, byte for byte; for a budget in seconds, it has the chosen settings as flags.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from microgpt.data.corpus import MEMORY, Source
from microgpt.data.tokenizer import Tokenizer
from microgpt.runs.settings import Settings
from microgpt.training import budget, recipe
from microgpt.training.presets import PRESETS, Preset
from microgpt.wording import as_flags, path_word

DOCUMENTS = "DOCUMENTS.txt"
"""The name in the command of documents that came from a Python program."""


def command(settings: Settings, tokens: Tokenizer) -> str:
    """Return the command that trains a run with these settings."""
    every = {**vars(settings.model), **vars(settings.training)}
    del every["vocab_size"]
    if settings.preset == recipe.CHOSEN:
        words, usual = {}, _usual(settings, budget.ALWAYS)
        spelt = (*budget.MEASURED, "seconds")
    else:
        # A preset that no longer exists is replaced by the values that it set.
        name = settings.preset if settings.preset in PRESETS else "microgpt"
        words, usual = {"preset": name}, _usual(settings, PRESETS[name])
        # A budget in seconds replaces the preset's in steps, unless both are written.
        spelt = ("steps",) if settings.training.seconds else ()
    words |= {name: its for name, its in every.items() if name in spelt or its != usual[name]}
    words |= {
        "log_every": settings.log_every if settings.log_every > 1 else None,
        **tokens.asked,
        "engine": settings.engine if settings.engine != "native" else None,
        **settings.source.asked,
    }
    files = map(path_word, files_of(settings.source))
    return " ".join(["microgpt train", *files, *as_flags(words)])


def files_of(source: Source) -> Sequence[str]:
    """Return the files of a source, as a command names them."""
    return [DOCUMENTS] if source == MEMORY else source.files


def _usual(settings: Settings, begun: Preset) -> dict[str, Any]:
    """Return all settings as they are if only a preset is given."""
    defaults: dict[str, Any] = {
        field.name: field.default
        for record in (settings.model, settings.training)
        for field in dataclasses.fields(record)
    }
    return {**defaults, **begun.model, **begun.training}
