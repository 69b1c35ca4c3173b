"""`microgpt compress`: a file in as many bits as its losses."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.progress import track

from microgpt.cli import flags
from microgpt.cli.flags import flag, word
from microgpt.cli.terminal.bars import bar
from microgpt.cli.terminal.console import stderr, stdout
from microgpt.cli.terminal.say import say, say_json
from microgpt.cli.terminal.tables import table
from microgpt.compress import Compressed
from microgpt.compress.lanes import Rounds
from microgpt.data.reader.formats import name_of, raw
from microgpt.errors import MicroGPTError, UsageError
from microgpt.runs.checkpoint import CHECKPOINT, COUNTS
from microgpt.runs.files import check_target, write_atomically
from microgpt.runs.run import Run
from microgpt.wording import count, units

SUFFIX = ".mgpt"

Out = Parameter(name=["--out", "-o"])
Force = Annotated[bool, Parameter(help="Replace a file that exists.", show_default=False)]

# The size of the dictionary of xz at -9.
_DICTIONARY = 2**26


def compress(
    run: Annotated[flags.Name, flag("Folder of a run, or its name in runs/.")],
    file: Annotated[
        flags.Name, word("File of characters that the run knows; - is standard input.")
    ],
    *,
    out: Annotated[
        Path | None,
        Out,
        word(f"File to write; - is standard output. Default: FILE{SUFFIX}."),
    ] = None,
    force: Force = False,
    check: Annotated[
        bool,
        Parameter(help="Decompress before writing, and compare.", show_default=False),
    ] = False,
    json: flags.Json = False,
    machine: flags.Machine = flags.MACHINE,
) -> None:
    """Compress a file with a run: to its losses in bits, at most 8 bytes more, and a header.

    Decompressing needs the same run, and the machine and build that compressed the file.

    Example: microgpt compress runs/names-1 names.txt
    """
    opened = machine.run(run)
    data = raw(file)
    to = "-" if file == "-" else file + SUFFIX
    to = check_out(to if out is None else str(out), force=force, json=json)
    name = name_of(file)
    if to == "-" and sys.stdout.isatty():
        raise UsageError("out must be a file, for no terminal can show bytes. Try -o FILE.")
    made = opened.codec.compress(data, name, rounds("compressing"))
    if check and opened.codec.decompress(made.data, name, rounds("checking")) != data:
        raise MicroGPTError(f"{name}: does not come out as it went in. Nothing was written.")
    write(to, made.data)
    if to == "-":
        return
    others = _others(data)
    if json:
        say_json(_record(file, to, data, made, others))
        return
    _show(opened, name, to, data, made, others)


def check_out(out: str, *, force: bool, json: bool) -> str:
    """Return the path to write to, checked.

    Raises:
        UsageError: there is a file already, or no such folder.
    """
    path = Path(out)
    if out == "-":
        if json:
            raise UsageError("json must stand without --out -: both are for standard output.")
        return out
    check_target("out", path)
    if path.is_file() and not force:
        raise UsageError(f"out must be new; {out} is there. Try --force, or another --out.")
    return out


def write(out: str, data: bytes) -> None:
    """Write to a file, atomically, or to standard output."""
    path = Path(out)
    if out == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    elif path.exists() and not path.is_file():
        path.write_bytes(data)  # a device or a pipe is written to, not replaced
    else:
        write_atomically(path.resolve(), data)


def rounds(what: str) -> Rounds:
    """Return a progress bar on stderr, which is only shown on a terminal."""
    console = stderr()

    def shown(every: range) -> Iterable[int]:
        return track(every, what, console=console, transient=True, disable=not console.is_terminal)

    return shown


def _others(data: bytes) -> dict[str, int]:
    """Return the sizes that other programs compress data to; without xz if Python lacks it."""
    sizes = {"gzip -9": len(gzip.compress(data, 9, mtime=0))}
    try:
        import lzma
    except ImportError:
        return sizes
    # As xz -9, but with a smaller dictionary for a smaller file, which saves memory.
    size = min(max(len(data), 4096), _DICTIONARY)
    lzma2 = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": size}
    sizes["xz -9e"] = len(lzma.compress(data, check=lzma.CHECK_CRC64, filters=[lzma2]))
    return sizes


def _record(
    file: str, out: str, data: bytes, made: Compressed, others: dict[str, int]
) -> dict[str, Any]:
    return {
        "file": file,
        "out": out,
        "bytes": len(data),
        "compressed": len(made.data),
        "header": made.header,
        "losses": made.ideal,
        "loss": made.sum.mean if made.sum.positions else None,
        "nats": made.sum.nats,
        "positions": made.sum.positions,
        "gzip": others["gzip -9"],
        "xz": others.get("xz -9e"),
    }


def _show(
    run: Run, name: str, out: str, data: bytes, made: Compressed, others: dict[str, int]
) -> None:
    code = len(made.data) - made.header
    share = f", {len(made.data) / len(data):.1%}" if data else ""
    say(f"{name}: {count(len(data), 'byte')} -> {out}: {len(made.data):,}{share}")
    positions = made.sum.positions
    if positions:
        say(units(made.sum, run.tokenizer.unit))
    say(
        f"The losses of {count(positions, run.tokenizer.unit)} come to {made.ideal:,.1f} "
        f"bytes; in the file {code:,}, and {made.header:,} of header"
    )
    say()
    rows = table("", "bytes", f"bits a {run.tokenizer.unit}", "")
    rows.columns[-1].justify = "left"
    sizes = {"as it is": len(data), **others, "this model": len(made.data)}
    for label, size in sizes.items():
        rows.add_row(
            label,
            f"{size:,}",
            f"{8 * size / positions:.3f}" if positions else "-",
            bar(size, max(sizes.values()), 30),
            style="good" if label == "this model" else "",
        )
    stdout().print(rows)
    say()
    files = [run.folder / CHECKPOINT, run.folder / COUNTS]
    model = sum(path.stat().st_size for path in files if path.exists())
    say(
        f"Not counted: the model, {model:,} bytes in {run.folder}, which decompressing needs.",
        "quiet",
    )
