r"""ES modules as one script: a file on the disk may not import others.

In: the names of modules, and their sources. Out: a script in which each module is a function that
answers what it exports. A module may `import {a, b as c} from "./x.js"`, `import * as x from`, or
`import "./x.js"`; and export functions, classes and constants where they are declared.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

_IMPORT = re.compile(
    r"""^import\s+(?:(?:\{([^}]*)\}|\*\s+as\s+(\w+))\s+from\s+)?["']([^"']+)["'];?$""", re.M
)
_EXPORT = re.compile(r"^export\s+((?:async\s+)?function\*?|class|const)\s+(\w+)", re.M)
# A comment on lines of its own: it is for readers of the modules, and a file to give away is small.
_COMMENT = re.compile(r"^[ ]*/\*\*(?:(?!\*/).)*\*/[ ]*\n", re.MULTILINE | re.DOTALL)
_OTHER = re.compile(r"^(?:import|export)\b.*", re.M)


def linked(first: str, sources: Mapping[str, str]) -> str:
    """Return the script that runs a module and all that it imports.

    Args:
        first: the name of the module to run.
        sources: of modules by name, such as `model/gpt.js`.

    Raises:
        ValueError: one is missing, they import each other in a circle, or one has a statement that
            is none of those above.

    >>> sources = {"a.js": "export const one = 1;", "b.js": "import {one} from './a.js';"}
    >>> print(linked("b.js", sources))
    "use strict";
    const modules = {};
    modules["a.js"] = (() => {
    const one = 1;
    return { one };
    })();
    modules["b.js"] = (() => {
    const {one} = modules["a.js"];
    return {  };
    })();
    """
    parts = ['"use strict";', "const modules = {};"]
    done: list[str] = []

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"modules must not import each other; {' imports '.join(above)} does.")
        if name in done:
            return
        if name not in sources:
            raise ValueError(f"{above[-1] if above else 'the page'} imports {name}: it is missing.")
        source = _COMMENT.sub("", sources[name])
        for _, _, path in _IMPORT.findall(source):
            add(_named(name, path), (*above, name))
        done.append(name)
        exported = [found[2] for found in _EXPORT.finditer(source)]
        body = _IMPORT.sub(lambda found: _read(name, found), source)
        body = _EXPORT.sub(r"\1 \2", body)
        if other := _OTHER.search(body):
            raise ValueError(f"{name} must import and export as others do; it has {other[0]}.")
        parts.extend(
            [
                f'modules["{name}"] = (() => {{',
                body,
                f"return {{ {', '.join(exported)} }};",
                "})();",
            ]
        )

    add(first, ())
    script = "\n".join(parts)
    if re.search(r"</script|<!--|<script", script, re.I):
        raise ValueError("modules must not have <script, </script or <!--: a page would end there.")
    return script


def _named(importer: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(importer), path))


def _read(importer: str, found: re.Match[str]) -> str:
    """Return the statement that takes what an import names."""
    names, whole, path = found.groups()
    module = f'modules["{_named(importer, path)}"]'
    if whole:
        return f"const {whole} = {module};"
    if names is None:
        return ""
    taken = re.sub(r"\s+as\s+", ": ", names)
    return f"const {{{taken}}} = {module};"
