"""The index of the course: its pages and a path through them, with the minutes of reading.

In: `learn/README.md` with two places for rows, the pages. Out: the index with its present rows.
Minutes are counted, not guessed: words of prose at 200 a minute, code and tables left out.
"""

from __future__ import annotations

import re
from pathlib import Path

from microgpt.cli.why.ideas import IDEAS

LEARN = Path(__file__).resolve().parent / "learn"
PACE = 200
"""Words a minute: slow reading, in a language that is not the reader's first."""

LOOK = 1
"""Minutes for typing a command and looking at what it prints."""

PATH = (
    ("text", "microgpt why text names-1 smith"),
    ("counting", "microgpt why counting names-1 smith"),
    ("attention", "microgpt why attention names-1 smith"),
    ("loss", "microgpt score names-1 smith YOURNAME"),
    ("gradient", "microgpt why gradient names-1 smith"),
    ("training", "microgpt train FILE"),
    ("good-loss", "microgpt why good-loss RUN"),
)
"""The pages of the path of an hour, and what to type after each."""

_PAGES = re.compile(r"(?<=<!-- pages -->\n).*?(?=<!-- end -->)", re.DOTALL)
_PATH = re.compile(r"(?<=<!-- path -->\n).*?(?=<!-- end -->)", re.DOTALL)
_NO_PROSE = re.compile(r"^```.*?^```|<!--.*?-->|^\|.*?$|\]\([^)]*\)", re.DOTALL | re.MULTILINE)


def words(page: str) -> int:
    r"""Count the words of a page's prose.

    >>> words("# One two\n\n```python\nnot = 1\n```\n| not |\nthree [four](not.md), 5")
    4
    """
    return len(re.findall(r"[^\W\d_][\w'’-]*", _NO_PROSE.sub(" ", page)))


def minutes(count: int) -> int:
    """Return the minutes that reading takes, rounded up.

    >>> minutes(1000), minutes(1001)
    (5, 6)
    """
    return -(-count // PACE)


def index(text: str) -> str:
    """Put the present rows into the index."""
    each = {name: minutes(_count(name)) for name in IDEAS}
    lines = ["| | page | the question that it answers | minutes |", "|---|---|---|---|"]
    for number, (name, question) in enumerate(IDEAS.items(), 1):
        lines.append(f"| {number} | [{title(name)}]({name}.md) | {question} | {each[name]} |")
    lines.append(f"\nTogether {sum(each.values())} minutes of reading, at {PACE} words a minute.")
    path = ["| read | minutes | then type |", "|---|---|---|"]
    for name, command in PATH:
        path.append(f"| [{title(name)}]({name}.md) | {each[name]} | `{command}` |")
    reading, looking = sum(each[name] for name, _ in PATH), LOOK * (len(PATH) + 1)
    path.append(
        f"\nTogether {reading + looking} minutes: {reading} of reading, and one for each command, "
        "the training included."
    )
    text = _PAGES.sub(lambda _: "\n".join(lines) + "\n", text, count=1)
    return _PATH.sub(lambda _: "\n".join(path) + "\n", text, count=1)


def title(name: str) -> str:
    """Return the title of an idea's page."""
    path = LEARN / f"{name}.md"
    return path.read_text("utf-8").partition("\n")[0].removeprefix("# ") if path.exists() else name


def _count(name: str) -> int:
    path = LEARN / f"{name}.md"
    return words(path.read_text("utf-8")) if path.exists() else 0
