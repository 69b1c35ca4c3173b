"""Making a run of a draft: the same text and settings, trained by `microgpt train`.

In: a draft's settings. Out: the name of a run. A text that was sent is written to a file first,
which the run names: it can be resumed and evaluated when the studio and its copy are gone.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from starlette.routing import Route

from microgpt.data.corpus import EMBEDDED
from microgpt.runs.texts import keep_text, plain
from microgpt.studio.answers import answering
from microgpt.studio.draft import DraftAsked
from microgpt.studio.library import Library
from microgpt.studio.processes import start
from microgpt.studio.uploads import ReadAs, Uploads
from microgpt.wording import as_flag


@dataclass(frozen=True)
class Begun:
    """A run that has begun.

    Attributes:
        run: its name.
        file: where its text was written; None: it was in the package.
    """

    run: str
    file: str | None


def routes(library: Library, uploads: Uploads) -> list[Route]:
    """Return the routes."""
    return [answering("/api/keep", DraftAsked, lambda asked: keep(asked, library, uploads))]


def keep(asked: DraftAsked, library: Library, uploads: Uploads) -> Begun:
    """Begin a run with a draft's settings.

    Raises:
        UsageError, MicroGPTError: a setting or the text is invalid.
    """
    asked.configs(1)
    if asked.text == EMBEDDED:
        return Begun(start(arguments(asked), EMBEDDED, library.home), None)
    sent = uploads.find(asked.text)
    file = keep_text(sent.path, library.home.parent, sent.name)
    return Begun(start(arguments(asked, file), plain(sent.name), library.home), str(file))


def arguments(asked: DraftAsked, file: Path | None = None) -> list[str]:
    """Return the words of the command line that trains what a draft trains.

    >>> arguments(DraftAsked(tab="", lr=0.02, steps=500))
    ['train', '--preset=microgpt', '--holdout=0.1', '--lr=0.02', '--steps=500']
    """
    usual = vars(ReadAs())
    reading = {
        name: value
        for name, value in dataclasses.asdict(asked.read_as).items()
        if value != usual[name] and asked.text != EMBEDDED
    }
    values = {"preset": asked.preset, **asked.settings, **reading}
    words = [
        as_flag(name, value) if isinstance(value, bool) else f"--{name.replace('_', '-')}={value}"
        for name, value in values.items()
    ]
    return ["train", *([str(file)] if file else []), *words]
