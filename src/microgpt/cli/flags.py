"""The flags that several commands share: their types, groups and help lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter, Token

from microgpt.data.corpus import Source
from microgpt.data.tokenizer.masks import KINDS
from microgpt.engines import ENGINES

# The parser takes a lone "-" for an option without a name, so it gets this name instead.
_STDIN = "<stdin>"

# The name of a file or a run is text; the type `Path` makes a shell complete it as a path.
if TYPE_CHECKING:
    from microgpt.runs.run import Run

    Name = str
else:
    Name = str | Path

MODEL = Group("Model", sort_key=1)
TRAINING = Group("Training", sort_key=2)
DATA = Group("Data", sort_key=3)
ENGINE = Group("Engine", sort_key=4)


def hide_stdin(words: Sequence[str]) -> list[str]:
    """Replace a lone "-" by a name that the parser accepts."""
    return [_STDIN if word == "-" else word for word in words]


def _show_stdin(_: Any, tokens: Sequence[Token]) -> str:
    return "-" if tokens[0].value == _STDIN else tokens[0].value


def flag(text: str, group: Group | None = None) -> Parameter:
    """Return a flag with its help line."""
    return Parameter(help=text, group=group) if group else Parameter(help=text)


def whole(text: str, group: Group | None = None) -> Parameter:
    """Return a flag whose value is a whole number: 1.5 is refused, not rounded."""
    if group is None:
        return Parameter(help=text, converter=_to_whole)
    return Parameter(help=text, group=group, converter=_to_whole)


def switch(text: str, name: str, group: Group) -> Parameter:
    """Return a flag of a bool, which a preset may have set: `--name` and `--no-name`."""
    return Parameter(help=f"{text[:-1]}, or not.", group=group, negative=f"--no-{name}")


def _to_whole(_: Any, tokens: Sequence[Token]) -> int:
    try:
        return int(tokens[0].value)
    except ValueError:
        raise ValueError(f'expected a whole number; got "{tokens[0].value}"') from None


def _to_delimiter(_: Any, tokens: Sequence[Token]) -> str:
    return {"tab": "\t", "\\t": "\t"}.get(tokens[0].value, tokens[0].value)


def word(text: str) -> Parameter:
    """Return a positional argument, which may be "-", with its help line."""
    return Parameter(help=text, converter=_show_stdin)


File = Annotated[
    Name,
    word(
        "Text (a document a line), .csv, .tsv, .jsonl, .json, any of these as .gz or .zst; "
        ".parquet, .arrow, or a folder of Hugging Face datasets; - is standard input."
    ),
]
RunName = Annotated[
    Name | None, flag("Folder of a run, or its name in runs/. Default: the newest run.")
]
Tokenizer = Annotated[
    str | None,
    flag(
        "What a token is: characters, of the data; bytes; or bpe, pieces of text learned from the "
        "data. Or the path of a tokenizer.json. Default: characters.",
        DATA,
    ),
]
VocabSize = Annotated[
    int | None,
    whole("Token ids that bpe learns, the 256 bytes and BOS included. Default: 1000.", DATA),
]
Mask = Annotated[
    list[str] | None,
    Parameter(
        help="Kinds of text to read as one symbol each, with commas between, or NAME=PATTERN with "
        "a regular expression; repeatable. Default: none.\n"
        + "\n".join(f"{name}: {kind.help}." for name, kind in KINDS.items()),
        group=DATA,
        negative=(),
    ),
]
Column = Annotated[
    str | None,
    flag(
        "Column to read of a .csv, .tsv, .parquet or .arrow file: its heading, or its number from "
        "1. Default: the only one of text, or text.",
        DATA,
    ),
]
Delimiter = Annotated[
    str | None,
    Parameter(
        help="Separator of a table's cells: a character, or tab. Default: by the file's name and "
        "first lines.",
        group=DATA,
        converter=_to_delimiter,
    ),
]
Quoting = Annotated[
    Literal["strict", "none"],
    flag("How quotes in a table are read; with none they are ordinary characters.", DATA),
]
Field = Annotated[
    str | None,
    flag("Field of a .jsonl or .json file to read, such as name or a.b. Default: text.", DATA),
]
Encoding = Annotated[str, flag("Encoding of the text.", DATA)]
Stream = Annotated[
    bool,
    Parameter(
        help="Read the files as one long text, such as a book, in windows.",
        group=DATA,
        show_default=False,
    ),
]
Json = Annotated[bool, Parameter(help="Print JSON, one object a line.", show_default=False)]
Engine = Annotated[
    str | None,
    flag(
        f"Engine to compute with: auto, {', '.join(ENGINES)}. Default: auto, the fastest.", ENGINE
    ),
]
Device = Annotated[
    str | None,
    flag(
        "Device to compute on: cpu; with the torch engine also cuda or mps. Default: a GPU for the "
        "torch engine, if there is one.",
        ENGINE,
    ),
]
Threads = Annotated[
    int | None,
    whole("Most threads to use; results do not depend on it. The scalar engine uses one.", ENGINE),
]


@Parameter(name="*")
@dataclass(frozen=True)
class RowFlags:
    """Five flags of a command: how the rows of files are read."""

    column: Column = None
    field: Field = None
    encoding: Encoding = "utf-8"
    delimiter: Delimiter = None
    quoting: Quoting = "strict"

    def source(self, *files: str) -> Source:
        """Return the source of documents in these files."""
        return Source(files=files, **vars(self))


@Parameter(name="*")
@dataclass(frozen=True)
class Reading(RowFlags):
    """Six flags of a command: how files are read."""

    stream: Stream = False


@Parameter(name="*")
@dataclass(frozen=True)
class Machine:
    """Three flags of a command: engine, device and threads."""

    engine: Engine = None
    device: Device = None
    threads: Threads = None

    def run(self, name: str | None) -> Run:
        """Open a run, by its folder or its name; None: the newest."""
        from microgpt.runs.folder import find_run
        from microgpt.runs.run import Run

        return Run(find_run(name), self.engine or "auto", self.threads, self.device)


# The defaults of commands.
ROWS, READING, MACHINE = RowFlags(), Reading(), Machine()
