"""The command line: `microgpt COMMAND`, one file a command.

In: words. Out: lines on stdout, mistakes on stderr, an exit code: 0, 2 for a mistake or a bad input
(one line), 1 for a training that came to no good, 130 for an interruption. A bug of ours keeps its
traceback.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module, metadata
from pathlib import Path

from cyclopts import App, CycloptsError, Parameter

from microgpt.cli.flags import hide_stdin
from microgpt.cli.mistakes import sentence
from microgpt.cli.terminal.help import Help
from microgpt.cli.terminal.show import stderr, stdout
from microgpt.cli.terminal.streams import discard, opened
from microgpt.errors import DivergedError, MicroGPTError, UsageError
from microgpt.wording import printable

# Each is the function of its name in the file of its name.
COMMANDS = (
    "train", "sample", "score", "evaluate", "report", "why", "data", "plot", "runs", "sweep",
    "bench", "compress", "decompress",
)  # fmt: skip

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


def app(only: str | None = None) -> App:
    """Build the command line; for the sake of speed `only` one of its commands may be loaded."""
    root = App(
        name="microgpt",
        help=(
            "Train a GPT on your own lines of text in seconds, and see exactly how wrong it is."
            "\n\nBegin with: microgpt train"
        ),
        version=metadata.version("microgpt-lm"),
        version_flags=["--version"],
        default_parameter=Parameter(negative=()),
        help_format="plaintext",
        help_formatter=Help(),
        console=stdout(),
        result_action="return_value",
    )
    for place, command in enumerate(COMMANDS):
        path = f"microgpt.cli.{command}"
        if only in (None, command):
            root.command(getattr(import_module(path), command), sort_key=place)
        else:
            root.command(f"{path}:{command}", name=command, sort_key=place)
    root.register_install_completion_command(  # pyright: ignore[reportUnknownMemberType]
        help="Let the shell complete commands and flags with Tab: bash, zsh, fish, PowerShell."
    )
    return root


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    # What is said on standard error is never worth ending for.
    sys.stdout, sys.stderr = opened(sys.stdout), opened(sys.stderr, outlived=True)
    sys.exit(run(sys.argv[1:] if words is None else words))


def run(words: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        only = words[0] if words and words[0] in COMMANDS else None
        code = app(only)(hide_stdin(words), print_error=False, exit_on_error=False)
        sys.stdout.flush()
    except CycloptsError as error:
        return _mistake(sentence(error, words))
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
        return code if isinstance(code, int) else 0
    return 0


def _where(error: OSError) -> str:
    """Return the file that an error is about; none if that is one of ours, which is a bug."""
    if not isinstance(error.filename, (str, bytes)):
        return ""
    name = os.fsdecode(error.filename)
    return "" if Path(name).resolve().is_relative_to(_OURS) else name


def _mistake(message: str) -> int:
    stderr().print(f"microgpt: {printable(message)}", soft_wrap=True)
    return 2
