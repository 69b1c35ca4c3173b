"""Run the examples' notebooks, each in a folder of its own.

In: `examples/*.ipynb`. Out: the same with the cells' present output.
"""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.ipynb"))


def executed(path: Path, folder: Path) -> NotebookNode:
    """Run all cells of a notebook in a folder.

    Raises:
        CellExecutionError: a cell failed.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})
    client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "text/html" in data:
                data.pop("text/plain", None)  # the same in more words
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def write(folder: Path) -> None:
    """Run the notebooks and write them."""
    for path in NOTEBOOKS:
        place = folder / path.stem
        place.mkdir()
        path.write_text(f"{nbformat.writes(executed(path, place))}\n", "utf-8", newline="\n")
