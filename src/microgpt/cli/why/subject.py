"""What an idea is explained on: a run, and a text that it reads.

In: a run, a text. Out: its tokens, its matrices and what passes through it, each computed when it
is first asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from microgpt.config import GPTConfig
from microgpt.inside.observed import Observed, observe
from microgpt.loss.many import Softmax
from microgpt.model import views
from microgpt.runs.reading import ReadText, reading
from microgpt.runs.run import Run
from microgpt.runs.sound import finite


@dataclass(frozen=True)
class Subject:
    """A run and a text.

    Attributes:
        run: the run; of a mixture, the GPT alone is explained.
        text: the text.
    """

    run: Run
    text: str

    @property
    def config(self) -> GPTConfig:
        """The model's shape."""
        return self.run.settings.model

    @cached_property
    def read(self) -> ReadText:
        """The text's first window: tokens and targets, and what is shown for each."""
        return reading(self.run, self.text, self.config.block_size)

    @cached_property
    def parameters(self) -> NDArray[np.float64]:
        """All parameters, in the order of `model.parameters`."""
        return self.run.engine.state().parameters.astype(np.float64)

    @cached_property
    def weights(self) -> dict[str, NDArray[np.float64]]:
        """The matrices by name; each is (out, in)."""
        return views(self.parameters, self.config)

    @cached_property
    def seen(self) -> Observed:
        """What passes through the model as it reads the window.

        Raises:
            RunError: the training has run away, and the logits are not finite.
        """
        seen: list[Observed] = []

        def logits(tokens_T: list[int]) -> NDArray[np.float64]:
            seen.append(observe(self.config, self.weights, tokens_T))
            return seen[0].logits_TV

        finite(logits, self.read.tokens, self.run.folder)
        return seen[0]

    @cached_property
    def losses(self) -> NDArray[np.float64]:
        """The loss at each position of the window, in nats; nan where an unknown character came."""
        targets_T = np.array(self.read.targets)
        losses_T = Softmax(self.seen.logits_TV).losses(np.maximum(targets_T, 0))
        return np.where(targets_T < 0, np.nan, losses_T)

    @property
    def costliest(self) -> int:
        """The position with the highest loss; the last one, if no target is known."""
        known = ~np.isnan(self.losses)
        return int(np.nanargmax(self.losses)) if known.any() else len(known) - 1
