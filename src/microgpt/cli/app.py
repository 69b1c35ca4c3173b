"""The command line: `microgpt COMMAND`, one file a command.

In: words. Out: lines on stdout, mistakes on stderr, an exit code: 0, 2 for a mistake or a bad input
(one line), 1 for a training that came to no good, 130 for an interruption. A bug of ours keeps its
traceback. What needs no command is answered here, before the parser is loaded.
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
from microgpt.errors import DivergedError, MicroGPTError, UsageError
from microgpt.wording import nearest

# How many commands a message names.
_NAMED = 8

# What the world does to a program, as opposed to what a bug does.
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
# Likewise, but only of a file; other errors of one are told as the system has them.
_OF_A_FILE = {
    errno.ENOENT: "there is no such file or folder, or none can be made",
    errno.EINVAL: "the system cannot do this to such a file",
    errno.ENXIO: "nothing answers there",
    errno.EBUSY: "in use by the system",
    errno.ETXTBSY: "a program that is running",
}
_OURS = Path(__file__).resolve().parents[1]


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    # numpy's library of linear algebra, which no command needs for long, would start a thread for
    # each processor as it is loaded, and have them wait at full speed.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # What is loaded is no garbage: it is not looked through for any a hundred times.
    gc.set_threshold(50_000)
    # What is said on standard error is never worth ending for.
    sys.stdout, sys.stderr = opened(sys.stdout), opened(sys.stderr, outlived=True)
    sys.exit(run(sys.argv[1:] if words is None else words))


def run(words: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        code = _run(words)
        sys.stdout.flush()
    except DivergedError as error:
        _mistake(str(error))
        return 1
    except (UsageError, MicroGPTError) as error:
        return _mistake(str(error))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader has gone; what is left in the buffer must not complain at exit.
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
    """Answer what needs no command, or have the parser run one."""
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
    """Return the file that an error is about; none if that is one of ours, which is a bug."""
    if not isinstance(error.filename, (str, bytes)):
        return ""
    name = os.fsdecode(error.filename)
    return "" if Path(name).resolve().is_relative_to(_OURS) else name


def _mistake(message: str) -> int:
    note(message)
    return 2
