"""Run the examples' notebook, in a folder of its own.

In: `examples/notebook.ipynb`. Out: the same with the cells' present output.
"""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

NOTEBOOK = Path(__file__).resolve().parents[1] / "examples" / "notebook.ipynb"


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
    """Run the notebook and write it."""
    NOTEBOOK.write_text(f"{nbformat.writes(executed(NOTEBOOK, folder))}\n", "utf-8", newline="\n")
