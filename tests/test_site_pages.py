"""The pages of the site as Markdown: where their links lead, and what a linked file becomes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from website import pages

README = """\
# Tree

[a](docs/a.md#part) and ![p](docs/images/p.png) <!-- a comment -->
[code](src/x.py#L3), [folder](src), [notebook](examples/n.ipynb), [web](https://example.org/a.md)
`[none](docs/a.md)` and ``[`none`](docs/a.md)`` [here](#tree)

~~~text
[none](docs/a.md) ```
~~~
"""
PAGE = """\
# A

<!-- from src/x.py -->
```python
[none](../README.md)
```

[up](../README.md) [self](a.md#a) [lost](nowhere.md)
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root, folder = tmp_path / "tree", tmp_path / "pages"
    files = {
        "README.md": README,
        "docs/learn/README.md": "# Course\n",
        "docs/a.md": PAGE,
        "docs/images/p.png": "",
        "src/x.py": '"""A `fence`."""\n\n# ````\n',
        "src/y/z.py": "",
        "examples/n.ipynb": json.dumps({"cells": [{"cell_type": "markdown", "source": "# N"}]}),
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")
    folder.mkdir()
    pages.write(folder, root)
    return folder


def test_links_lead_to_pages_and_code_stays_as_it_is(site: Path) -> None:
    front = (site / "index.md").read_text("utf-8")
    own, _, navigation = front.partition("\n```{toctree}")
    assert own.splitlines()[2:] == [
        "[a](a.md#part) and ![p](pictures/docs/images/p.png) <!-- a comment -->",
        "[code](source/src/x.py.md), [folder](source/src.md), [notebook](examples/n.md), "
        "[web](https://example.org/a.md)",
        *README.splitlines()[4:],
    ]
    assert (site / "pictures" / "docs" / "images" / "p.png").exists()
    parts = {block.split("\n")[0]: block for block in navigation.split(":caption: ")[1:]}
    assert [*parts] == ["Learn", "Use", "Examples"]
    assert "learn/index" in parts["Learn"]
    assert "\na\n" in parts["Use"]


def test_a_quotation_names_its_file_and_a_lost_link_is_left_to_fail(site: Path) -> None:
    text = (site / "a.md").read_text("utf-8")
    assert "From [src/x.py](source/src/x.py.md):\n\n```python\n[none](../README.md)\n" in text
    assert text.endswith("[up](index.md) [self](a.md#a) [lost](nowhere.md)\n")


def test_a_linked_file_is_a_page_and_a_folder_is_its_names(site: Path) -> None:
    file = (site / "source" / "src" / "x.py.md").read_text("utf-8")
    assert file.startswith("---\norphan: true\n---\n\n# src/x.py\n\n`````python\n")
    assert file.endswith('"""A `fence`."""\n\n# ````\n`````\n')
    assert "\nx.py\ny/\n" in (site / "source" / "src.md").read_text("utf-8")
