"""The parser of the command line: it calls the command that the words name, or shows its help.

In: words. Out: the command's exit code. Only the module of that command is imported, and those for
help only if it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from cyclopts import App, CycloptsError, Parameter

import microgpt
from microgpt.cli.flags import hide_stdin
from microgpt.cli.front import ABOUT, COMMANDS, FLAGS
from microgpt.errors import UsageError


def parse(words: Sequence[str]) -> int:
    """Run the command that words name.

    Raises:
        UsageError: the parser refuses them.
    """
    only = words[0] if words and words[0] in COMMANDS else None
    root = app(only)
    if only is None or not {"--help", "-h"}.isdisjoint(words):
        lay_out_help(root)
    try:
        code = root(hide_stdin(words), print_error=False, exit_on_error=False)
    except CycloptsError as error:
        from microgpt.cli.mistakes import sentence

        raise UsageError(sentence(error, words)) from None
    return code if isinstance(code, int) else 0


def app(only: str | None = None) -> App:
    """Build the parser; import `only` this command's module, for speed, or all if it is None."""
    root = App(
        name="microgpt",
        help=ABOUT,
        version=microgpt.__version__,
        version_flags=["--version"],
        default_parameter=Parameter(negative=()),
        help_format="plaintext",
        result_action="return_value",
    )
    for place, command in enumerate(COMMANDS):
        path = f"microgpt.cli.{command}"
        if only in (None, command):
            made = getattr(import_module(path), command)
            if isinstance(made, App):  # it has commands of its own
                made.sort_key = place
                root.command(made)
            else:
                root.command(made, sort_key=place)
        else:
            root.command(f"{path}:{command}", name=command, sort_key=place)
    if only is None:  # the words of a command cannot ask for completion
        root.register_install_completion_command(  # pyright: ignore[reportUnknownMemberType]
            help=FLAGS["--install-completion"]
        )
    return root


def lay_out_help(root: App) -> None:
    """Make the parser write help as plain text, on the package's console."""
    from microgpt.cli.terminal.console import stdout
    from microgpt.cli.terminal.help import Help

    root.help_formatter, root.console = Help(), stdout()
