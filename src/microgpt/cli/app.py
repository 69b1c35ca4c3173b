"""The command line: `microgpt COMMAND`, one file or folder a command.

In: words. Out: results on stdout, errors on stderr, an exit code: 0; 2 for a mistake or a bad input
(one line); 1 for a result that is no success; 130 for an interruption. A bug keeps its traceback.
`--version`, `--help` and unknown commands are answered here, without loading the parser.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import microgpt
from microgpt.cli.front import COMMANDS, FLAGS, page
from microgpt.cli.terminal.say import note
from microgpt.cli.terminal.streams import discard, opened
from microgpt.errors import AbsentRankError, DivergedError, MicroGPTError, UsageError
from microgpt.wording import nearest

# How many commands the message of an unknown one names.
_NAMED = 8

# System errors that are no bugs, in words.
_WORLD = {
    errno.ENOSPC: "no space left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "permission denied",
    errno.EPERM: "not permitted",
    errno.EROFS: "the file system is read-only",
    errno.EIO: "the disk does not answer",
    errno.EFBIG: "the file would be too large",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ENOTDIR: "a part of the path is a file",
    errno.EISDIR: "a folder is in the place of a file",
    errno.ENODEV: "a folder or device is in the place of a file",
    errno.ELOOP: "its links lead in a circle",
    errno.EMFILE: "too many files are open. Try ulimit -n 256",
    errno.ENFILE: "too many files are open on this machine",
    errno.ENOMEM: "no memory left",
}
# System errors that are no bugs if they concern a file; others of a file keep the system's words.
_OF_A_FILE = {
    errno.ENOENT: "there is no such file or folder, or none can be made",
    errno.EINVAL: "the system cannot do this to such a file",
    errno.ENXIO: "nothing answers there",
    errno.EBUSY: "in use by the system",
    errno.ETXTBSY: "a program that is running",
}
_OURS = Path(__file__).resolve().parents[1]


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    # On import numpy's OpenBLAS would start a thread for each processor, which waits in a busy
    # loop; no command needs much linear algebra.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Imports make many objects that stay, 50,000 for a training: collect garbage less often.
    gc.set_threshold(100_000)
    # A command goes on if standard error cannot be written to.
    sys.stdout, sys.stderr = opened(sys.stdout), opened(sys.stderr, outlived=True)
    code = run(sys.argv[1:] if words is None else words)
    # The system frees the memory of a process that ends: Python need not look for garbage first.
    gc.freeze()
    sys.exit(code)


def run(words: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        code = _run(words)
        sys.stdout.flush()
    except DivergedError as error:
        _mistake(str(error))
        return 1
    except AbsentRankError as error:  # in whichever rank: rank 0 may be the one that is missing
        note(str(error))
        return 2
    except (UsageError, MicroGPTError) as error:
        return _mistake(str(error))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of a pipe has closed it: drop the buffer, or Python would complain at exit.
        discard(sys.stdout)
    except OSError as error:
        where = _where(error)
        if error.errno not in _WORLD and not where:
            raise
        what = {**_OF_A_FILE, **_WORLD}.get(error.errno or 0, error.strerror)
        return _mistake(f"{where}: {what}." if where else f"{what}.")
    else:
        return code
    return 0


def _run(words: Sequence[str]) -> int:
    """Answer --version, --help and unknown commands; let the parser run the others."""
    first = words[0] if words else "--help"
    if first == "--version":
        print(microgpt.__version__)
        return 0
    if first in ("--help", "-h") and len(words) < 2:
        page()
        return 0
    if first in (*COMMANDS, *FLAGS, "-h"):
        from microgpt.cli.parser import parse

        return parse(words)
    meant = nearest(first, [*COMMANDS, *FLAGS])
    likely = f' Did you mean "{meant}"?' if meant else ""
    known = ", ".join([*COMMANDS][:_NAMED])
    raise UsageError(
        f'Unknown command "{first}".{likely} Available commands: {known}, ... Try --help.'
    )


def _where(error: OSError) -> str:
    """Return the file that an error concerns; "" if there is none, or it is the package's own."""
    if not isinstance(error.filename, (str, bytes)):
        return ""
    name = os.fsdecode(error.filename)
    return "" if Path(name).resolve().is_relative_to(_OURS) else name


def _mistake(message: str) -> int:
    if not _is_another_rank():
        note(message)
    return 2


def _is_another_rank() -> bool:
    """Return whether a launcher has started this process and others, and another one speaks."""
    if not os.environ.get("MASTER_ADDR"):
        return False
    from microgpt.engines.ranks import launched

    rank, world = launched()
    return 0 < rank < world
