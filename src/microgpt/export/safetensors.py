"""A run's matrices alone, by name, in one file that needs no microgpt to be read.

In: a run, a path. Out: a file of safetensors. The run's own checkpoint has the optimizer's moments
too, three times the numbers, in the precision of the engine.
"""

from __future__ import annotations

from pathlib import Path

from microgpt.export.alone import OwnLoss, matrices, notes, own_loss
from microgpt.runs.files import write_tensors
from microgpt.runs.run import Run


def export(run: Run, path: Path) -> OwnLoss:
    """Write the GPT's matrices in float32, each (out, in), with notes in the header.

    The header's entry "microgpt" is JSON: version, config, bos, tokenizer, loss.

    Returns:
        The loss of the GPT alone on the run's documents.
    """
    loss = own_loss(run)
    write_tensors(path, matrices(run), notes(run, loss))
    return loss
