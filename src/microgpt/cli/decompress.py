"""`microgpt decompress`: the original of a compressed file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from microgpt.cli import flags
from microgpt.cli.compress import SUFFIX, Force, Out, check_out, rounds, write
from microgpt.cli.flags import flag, word
from microgpt.cli.terminal.say import say, say_json
from microgpt.data.reader.formats import name_of, raw
from microgpt.errors import UsageError
from microgpt.wording import count


def decompress(
    run: Annotated[flags.Name, flag("Folder or name of the run that it was compressed with.")],
    file: Annotated[
        flags.Name, word("File that microgpt compress has written; - is standard input.")
    ],
    *,
    out: Annotated[
        Path | None,
        Out,
        word(f"File to write; - is standard output. Default: FILE without {SUFFIX}."),
    ] = None,
    force: Force = False,
    json: flags.Json = False,
    machine: flags.Machine = flags.MACHINE,
) -> None:
    """Decompress a file: exactly the original bytes, or an error.

    Example: microgpt decompress runs/names-1 names.txt.mgpt
    """
    opened = machine.run(run)
    data = raw(file)
    to = str(out)
    if out is None:
        to = "-" if file == "-" else file.removesuffix(SUFFIX)
        if to == file != "-":
            raise UsageError(
                f"out must be given, for {file} does not end in {SUFFIX}. Try -o FILE."
            )
    check_out(to, force=force, json=json)
    made = opened.codec.decompress(data, name_of(file), rounds("decompressing"))
    write(to, made)
    if json:
        say_json({"file": file, "out": to, "bytes": len(made)})
    elif to != "-":
        say(f"{name_of(file)}: {count(len(data), 'byte')} -> {to}: {len(made):,}, as they were")
