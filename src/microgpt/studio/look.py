"""What a dropped file is: its documents, columns and faults, as the one reader sees them.

In: the bytes of a file, or the id of one that was uploaded and how to read it. Out: a `Look`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, cast

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from microgpt.data.corpus import Source
from microgpt.data.reader.block import Block
from microgpt.data.reader.formats import form_of, opened, unpacked
from microgpt.data.reader.skipped import Skipped
from microgpt.data.reader.stream import Stream
from microgpt.errors import DataError, MicroGPTError, UsageError
from microgpt.studio.answers import answering, mistake
from microgpt.studio.answers import json as answer
from microgpt.studio.uploads import ReadAs, Upload, Uploads, shown_as
from microgpt.wording import clipped

_SHOWN = 5
_START = 1 << 16


@dataclass(frozen=True)
class LookAsked:
    """A question: what is in this file, read in this way?"""

    id: str
    read_as: ReadAs = field(default_factory=ReadAs)


@dataclass(frozen=True)
class Look:
    """A file, as the reader sees it.

    Attributes:
        id: by which it is asked for.
        name: to be shown.
        size: bytes.
        form: "text", "csv", "lines of JSON" or "JSON".
        columns: of a table, or the fields of the first JSON object that are text; else empty.
        column: the one that is read; None: there are none.
        documents: how many.
        characters: of all documents.
        blank: how many rows are blank.
        broken: how many rows could not be read.
        notes: sentences about the file and its first broken rows.
        first: the first documents, cut.
    """

    id: str
    name: str
    size: int
    form: str
    columns: Sequence[str]
    column: str | None
    documents: int
    characters: int
    blank: int
    broken: int
    notes: Sequence[str]
    first: Sequence[str]


def routes(uploads: Uploads) -> list[Route]:
    """Return the routes."""

    async def upload(request: Request) -> Response:
        try:
            made = await uploads.receive(request.stream(), request.query_params.get("name", ""))
        except (UsageError, MicroGPTError) as error:
            return mistake(str(error))
        except ClientDisconnect:
            return mistake("The file did not come to its end.")
        return answer({"id": made.id, "name": made.name, "size": made.size})

    return [
        Route("/api/upload", upload, methods=["POST"]),
        answering(
            "/api/look", LookAsked, lambda asked: look(uploads.find(asked.id), asked.read_as)
        ),
    ]


def look(upload: Upload, read_as: ReadAs) -> Look:
    """Read a file in bounded memory, and say what it is.

    A column or field that is not given is chosen: see `likeliest`.

    Raises:
        DataError: it cannot be read, or has no documents.
    """
    path, notes = upload.path, list[str]()
    with shown_as(upload):
        form = form_of(str(path), read_as.source(path))
        columns, chosen = (), None
        if form == "csv":
            columns, guess = _columns(read_as.source(path))
            chosen = read_as.column or guess
            read_as = replace(read_as, column=chosen)
        elif form != "text":
            columns, guess = _fields(str(path))
            chosen = read_as.field or guess
            read_as = replace(read_as, field=chosen)
        skipped = Skipped(notes.append)
        documents = characters = blank = 0
        first = list[str]()
        for block in Stream(str(path), read_as.source(path), skipped):
            documents += len(block.texts)
            characters += sum(map(len, block.texts))
            blank += block.blank
            first += [clipped(text) for text in islice(block.texts, _SHOWN - len(first))]
        if not documents:
            but = f" but blank ones ({blank})" if blank else ""
            raise DataError(f"{path}: no documents{but}. Expected text, one document a line.")
    said = [note.replace(str(path), upload.name) for note in notes]
    return Look(
        upload.id, upload.name, upload.size, form, columns, chosen, documents, characters, blank,
        skipped.broken, said, first,
    )  # fmt: skip


def likeliest(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> str | None:
    """Return the column that people probably mean: with the most different cells with letters.

    >>> likeliest(["id", "name"], [{"id": "1", "name": "emma"}, {"id": "2", "name": "ava"}])
    'name'
    """

    def words(column: str) -> int:
        cells = {str(row.get(column, "")) for row in rows}
        return sum(any(map(str.isalpha, cell)) for cell in cells)

    return max(columns, key=words, default=None)


def _columns(source: Source) -> tuple[Sequence[str], str | None]:
    """Return the headings of a table, and the column that is probably meant."""
    read = Stream(source.files[0], replace(source, column="1"), Skipped(lambda _: None))
    try:
        found = next((block for block in read if block.rows), Block([], []))
    except DataError:
        return (), None  # the reader says what is wrong when it reads all of it
    if not found.table:
        return (), None
    headings = [*dict.fromkeys(found.table.headings)]
    return headings, likeliest(headings, cast("list[dict[str, Any]]", found.objects))


def _fields(file: str) -> tuple[Sequence[str], str | None]:
    """Return the text fields of the first object, and the one that is probably meant."""
    with opened(file) as found:
        _, unzipped = unpacked(found, file)
        text = unzipped.read(_START).decode("utf-8", "ignore")
    try:
        value, _ = json.JSONDecoder().raw_decode(text, max(text.find("{"), 0))
    except (ValueError, RecursionError):
        return (), None
    if not isinstance(value, dict):
        return (), None
    record = cast("dict[str, Any]", value)
    fields = [name for name, its in record.items() if isinstance(its, str)]
    if "text" in fields:
        return fields, "text"
    return fields, likeliest(fields, [record])
