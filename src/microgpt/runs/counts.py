"""The file of the n-gram counts that a GPT is mixed with.

In: an `NGram`, a run's folder. Out: `counts.safetensors`; or the `NGram` again, validated, and the
mixture with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from microgpt.counting import mixing
from microgpt.counting.mixture import Mixture
from microgpt.counting.ngram import NGram
from microgpt.data.tokenizer import Tokenizer
from microgpt.engines.contract import Predictor
from microgpt.errors import RunError, UsageError
from microgpt.runs.checkpoint import CHECKPOINT, COUNTS
from microgpt.runs.files import Layout, read_tensors, write_tensors
from microgpt.training.progress import Checkpoint


def save_counts(folder: Path, ngram: NGram, settings: str) -> None:
    """Write the counts, with the fingerprint of `config.json`."""
    write_tensors(folder / COUNTS, ngram.arrays(), {"settings": settings})


def load_counts(folder: Path, tokens: Tokenizer, settings: str | None) -> NGram:
    """Read the counts.

    Args:
        folder: the run's.
        tokens: the run's tokenizer.
        settings: the fingerprint in its checkpoint; None: an early version wrote none.

    Raises:
        RunError: they are missing, damaged, or of another run.
    """

    def make(about: dict[str, Any], layout: Layout) -> Any:
        if any(dtype != "I64" or len(shape) != 1 for dtype, shape in layout.values()):
            raise UsageError("foreign: its tensors are not counts.")
        return about.get("settings")

    path = folder / COUNTS
    found, arrays = read_tensors(path, make)
    if settings and found and found != settings:
        raise RunError(f"{path}: of another run than {CHECKPOINT}.")
    try:
        return NGram.from_arrays(arrays, tokens.vocab_size, tokens.bos)
    except UsageError as error:
        raise RunError(f"{path}: foreign: {error}") from None


def load_mixture(
    folder: Path, gpt: Predictor, tokens: Tokenizer, saved: Checkpoint
) -> Mixture | None:
    """Return the mixture of a run's GPT; None: it is not mixed.

    Raises:
        RunError: the counts are missing, damaged, or other ones than the checkpoint has weights of.
    """
    if not saved.fitted:
        return None
    ngram = load_counts(folder, tokens, saved.settings)
    try:
        return mixing.again(gpt, ngram, saved.fitted)
    except UsageError as error:
        raise RunError(f"{folder / CHECKPOINT}: foreign: {error}") from None
