"""A notebook as a page: its text, its code, and what it showed when it was run last.

In: a notebook's JSON. Out: Markdown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

# How a terminal is told colours: a page is not.
_COLOUR = re.compile(r"\x1b\[[\d;]*m")


def markdown(text: str) -> str:
    """Return a notebook as Markdown.

    >>> cells = [{"cell_type": "code", "source": "1 + 1",
    ...           "outputs": [{"output_type": "execute_result", "data": {"text/plain": "2"}}]}]
    >>> print(markdown(json.dumps({"cells": cells})))
    ````python
    1 + 1
    ````
    <BLANKLINE>
    ````text
    2
    ````
    <BLANKLINE>
    """
    parts: list[str] = []
    for cell in json.loads(text)["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else _fenced("python", source))
        parts.extend(part for output in cell.get("outputs", ()) for part in _shown(output))
    return "\n\n".join(parts) + "\n"


def _shown(output: dict[str, Any]) -> Iterator[str]:
    """Yield what an output shows: of several kinds the one that a browser shows best."""
    data = output.get("data", {})
    if html := "".join(data.get("text/html", ())):
        yield _fenced("{raw} html", f'<div class="output">{html}</div>')
    elif picture := data.get("image/png"):
        address = "data:image/png;base64," + "".join(picture).replace("\n", "")
        yield _fenced("{raw} html", f'<img class="output" alt="The picture" src="{address}">')
    elif plain := "".join(data.get("text/plain", output.get("text", ()))):
        yield _fenced("text", _COLOUR.sub("", plain).rstrip())


def _fenced(language: str, text: str) -> str:
    return f"````{language}\n{text}\n````"
