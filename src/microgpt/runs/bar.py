"""A progress bar for a Python program: on a terminal, or in a notebook.

In: a share done, from 0 to 1, and words. Out: a bar, redrawn at most ten times a second.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

Bar = Callable[[float, str], None]
"""Takes the share done, from 0 to 1, and the words beside the bar."""

_SECONDS = 0.1
"""The least time between two updates in a notebook."""


@contextmanager
def bar() -> Generator[Bar]:
    """Show a bar, on standard error or in the notebook that this runs in."""
    with _in_a_notebook() if _is_notebook() else _on_a_terminal() as show:
        yield show


def _is_notebook() -> bool:
    """Return whether a notebook's kernel runs this program."""
    shell = sys.modules.get("IPython")
    return shell is not None and hasattr(shell.get_ipython(), "kernel")


@contextmanager
def _on_a_terminal() -> Generator[Bar]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn())
    with Progress(*columns, console=Console(stderr=True, highlight=False, emoji=False)) as drawn:
        task = drawn.add_task("", total=1.0)
        yield lambda done, words: drawn.update(task, completed=done, description=words)


@contextmanager
def _in_a_notebook() -> Generator[Bar]:
    # rich's bar needs ipywidgets, and does not stay in a saved notebook.
    newest = _Element(0.0, "")
    handle: Any = import_module("IPython.display").display(newest, display_id=True)
    shown = time.perf_counter()

    def show(done: float, words: str) -> None:
        nonlocal newest, shown
        newest = _Element(done, words)
        if time.perf_counter() - shown > _SECONDS:
            handle.update(newest)
            shown = time.perf_counter()

    try:
        yield show
    finally:
        handle.update(newest)


class _Element:
    """A bar as a notebook shows it."""

    def __init__(self, done: float, words: str) -> None:
        self._done, self._words = done, words

    def __repr__(self) -> str:
        return self._words

    def _repr_html_(self) -> str:
        from html import escape

        return (
            f'<progress aria-label="training" value="{self._done:.4f}">{self._done:.0%}</progress> '
            f"{escape(self._words)}"
        )
