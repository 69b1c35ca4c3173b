"""The pages of the site, written for the tool that makes HTML of them.

In: the Markdown of the repository, which is written for GitHub, and its notebooks. Out: Markdown in
a folder, in which a `README.md` is an `index.md`, and every link leads to a page: a source file
that is linked to has a page of its own.
"""

from __future__ import annotations

import posixpath
import re
import shutil
from pathlib import Path

from microgpt.cli.why.ideas import IDEAS
from website import figures, notebooks

ROOT = Path(__file__).resolve().parents[2]

_PATTERNS = (
    "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/*.md", "docs/learn/*.md",
    "examples/*.md", "examples/*.ipynb", "native/README.md", "src/microgpt/data/datasets/README.md",
)  # fmt: skip

# The navigation. In each part the pages that are named come first, then the others of its folder.
_PARTS = {
    "Learn": ["learn/index", *(f"learn/{name}" for name in IDEAS)],
    "Use": ["studio", "data", "score", "evaluate", "report", "export", "cli"],
    "Examples": ["examples/index"],
    "Inside": ["architecture", "native/index", "speed", "contributing", "changelog"],
}
_FOLDERS = {"learn": "Learn", "": "Use", "examples": "Examples"}

# A block between fences or a span between backticks, in which nothing is a link; else a link's end.
_CODE_OR_LINK = re.compile(
    r"""^\ *(?P<fence>`{3,}|~{3,}).*?^\ *(?P=fence)[`~]*$
        |(?<!`)(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)
        |\]\((?P<target>[^)\s]+)\)""",
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)
_QUOTED = re.compile(r"^<!-- from (\S+) -->$", re.MULTILINE)

_LANGUAGES = {
    ".py": "python", ".js": "javascript", ".cpp": "cpp", ".hpp": "cpp", ".toml": "toml",
    ".json": "json", ".css": "css",
}  # fmt: skip


def sources(root: Path = ROOT) -> dict[str, str]:
    """Return the files that are pages, by their paths, and the name of each page.

    >>> found = sources()
    >>> found["README.md"], found["docs/learn/loss.md"], found["examples/README.md"]
    ('index', 'learn/loss', 'examples/index')
    """
    paths = (path for pattern in _PATTERNS for path in sorted(root.glob(pattern)))
    return {name: _called(name) for name in (path.relative_to(root).as_posix() for path in paths)}


def write(folder: Path, root: Path = ROOT) -> None:
    """Write all pages into a folder, and the pictures that they show.

    Args:
        folder: for the Markdown; it must be empty.
        root: of the repository.
    """
    site = _Site(root, folder)
    for path, name in site.pages.items():
        text = (root / path).read_text("utf-8")
        if path.endswith(".ipynb"):
            text = notebooks.markdown(text)
        text = figures.placed(site.led(text, path), name)
        site.put(name, text + _navigation(set(site.pages.values())) if name == "index" else text)
    for path in site.linked:
        site.put(f"source/{path}", _shown(root / path, path))


class _Site:
    """The folder that is written.

    Attributes:
        pages: the name of each file's page.
        linked: other files that pages link to.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.folder = root, folder
        self.pages = sources(root)
        self.linked: dict[str, None] = {}

    def put(self, name: str, text: str) -> None:
        """Write a page."""
        path = self.folder / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def led(self, text: str, path: str) -> str:
        """Let the links in a file's text lead to pages."""
        # Where a quotation comes from is a comment on GitHub, and a link here.
        text = _QUOTED.sub(lambda found: f"From [{found[1]}](/{found[1]}):\n", text)

        def link(found: re.Match[str]) -> str:
            target = found["target"]
            return f"]({self._target(target, path)})" if target else found[0]

        return _CODE_OR_LINK.sub(link, text)

    def _target(self, target: str, path: str) -> str:
        """Return where a link leads; one that leads nowhere stays, and fails the build."""
        if re.match(r"[a-z]+:|#", target):
            return target
        place, mark, anchor = target.partition("#")
        other = posixpath.normpath(posixpath.join("/", posixpath.dirname(path), place)).lstrip("/")
        file = self.root / other
        if other in self.pages:
            return self._from(path, f"{self.pages[other]}.md") + mark + anchor
        if not file.exists():
            return target
        if file.suffix in (".png", ".svg"):
            picture = self.folder / "pictures" / other
            picture.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, picture)
            return self._from(path, f"pictures/{other}")
        self.linked[other] = None
        return self._from(path, f"source/{other}.md")

    def _from(self, path: str, name: str) -> str:
        """Return the way from a file's page to another."""
        return posixpath.relpath(name, posixpath.dirname(self.pages[path]) or ".")


def _called(path: str) -> str:
    """Return the name of a file's page, without an ending."""
    folder, _, last = path.removeprefix("docs/").rpartition("/")
    name = last.rpartition(".")[0]
    return posixpath.join(folder, "index" if name == "README" else name if folder else name.lower())


def _navigation(names: set[str]) -> str:
    """Write the tables of contents of all parts, which only the navigation shows."""
    parts = {part: [name for name in named if name in names] for part, named in _PARTS.items()}
    placed = {"index", *(name for named in parts.values() for name in named)}
    for name in sorted(names - placed):
        parts[_FOLDERS.get(posixpath.dirname(name), "Inside")].append(name)
    tables = (
        f"\n```{{toctree}}\n:hidden:\n:caption: {part}\n" + "\n".join(named) + "\n```\n"
        for part, named in parts.items()
        if named
    )
    return "".join(tables)


def _shown(file: Path, path: str) -> str:
    """Return a page that shows a file, or the names in a folder."""
    if file.is_dir():
        language = "text"
        names = sorted(f"{one.name}{'/' * one.is_dir()}" for one in file.iterdir())
        content = "\n".join(name for name in names if not name.startswith(("_", ".")))
    else:
        language, content = _LANGUAGES.get(file.suffix, "text"), file.read_text("utf-8")
    ticks = "`" * max(4, *(len(run) + 1 for run in re.findall("`+", content)), 4)
    return f"---\norphan: true\n---\n\n# {path}\n\n{ticks}{language}\n{content.rstrip()}\n{ticks}\n"
