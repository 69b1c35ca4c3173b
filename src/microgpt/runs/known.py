"""Whether a text stands in the training data of a run.

In: a run. Out: its training documents, as a container.
"""

from __future__ import annotations

from microgpt.data.alike import Known
from microgpt.data.texts import Texts
from microgpt.runs.run import Run


def known(run: Run) -> Known:
    """Return the documents that a run was trained on, as its model reads them.

    Raises:
        RunError, DataError: they are missing, or have changed.
    """
    return Known(run.tokenizer.reading(Texts.of(run.documents[0])))
