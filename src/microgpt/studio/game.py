"""One game of the Guess view: a hidden text, the bets on its tokens, and what each costs.

In: a run and a seed; bets. Out: a `GameShown`: what has been bet on so far, and its losses beside
those of the model, of counts, and of blind guessing. The text itself stays here: a token is shown
once it has been bet on.
"""

from __future__ import annotations

import math
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from threading import Lock
from typing import NamedTuple

from microgpt.counting.ladder import uniform
from microgpt.data.tokenizer.sizes import is_of_pieces
from microgpt.errors import DataError, MicroGPTError, RunError, UsageError
from microgpt.loss import LossSum
from microgpt.runs.evaluation_set import evaluation_set
from microgpt.runs.run import Run
from microgpt.sampling import Choice
from microgpt.scoring.price import Laid
from microgpt.studio.bets import Bet, shares
from microgpt.studio.prices import PositionCost, price, symbols
from microgpt.wording import level, name_of

LONGEST = 40
"""The most tokens of a text that is guessed."""

_CHARACTERS, _TRIES = 400, 100

_SURPRISING = 100.0
"""Nats: whatever costs more has the strongest colour."""


@dataclass(frozen=True)
class Guessed:
    """A token that has been bet on.

    Attributes:
        symbol: what came.
        share: that was bet on it.
        yours: nats, -log of the share; infinite if it was 0.
        model: nats.
        counts: nats; None: not known.
        level: of the colour of your loss, from 0 to 5.
        likely: the tokens that the model thought likeliest, and their probabilities.
        means: of the losses up to here: yours, the model's, the counts'.
    """

    symbol: str
    share: float
    yours: float
    model: float
    counts: float | None
    level: int
    likely: Sequence[tuple[str, float]]
    means: tuple[float, float, float | None]


@dataclass(frozen=True)
class GameShown:
    """A game, as far as it has been played.

    Attributes:
        game: its id.
        what: the text that is hidden, a sentence.
        symbols: of all tokens, in the order of their ids.
        end: the id of the token that ends a text.
        counts: the name of the model that counts; "": there is none.
        blind: the loss of a uniform guess, nats a token.
        guessed: the tokens so far.
        text: the text, once all of it has been guessed; else None.
    """

    game: str
    what: str
    symbols: Sequence[str]
    end: int
    counts: str
    blind: float
    guessed: Sequence[Guessed]
    text: str | None


class Hidden(NamedTuple):
    """A text to be guessed.

    Attributes:
        text: what the page must not see.
        what: a sentence about it.
        seen: whether the model was trained on it: then models that count know it by heart.
    """

    text: str
    what: str
    seen: bool


@dataclass
class Game:
    """A game: a hidden text, its losses, and the shares that were bet so far."""

    id: str
    seed: int
    hidden: Hidden
    run: Run
    targets: list[int]
    costs: list[PositionCost]
    counts: list[float] | None
    placed: list[float] = field(default_factory=list[float])
    lock: Lock = field(default_factory=Lock)

    @classmethod
    def of(cls, run: Run, seed: int) -> Game:
        """Hide a text of a run, and compute what its tokens cost.

        Raises:
            UsageError: its tokens are pieces of text.
        """
        if is_of_pieces(run.tokenizer):
            raise UsageError("Guess is of one character or byte at a time; this run reads pieces.")
        hidden = _hidden(run, seed)
        text = hidden.text[:_CHARACTERS]
        priced = price(run, text)
        laid = Laid.of([text], run.tokenizer, run.settings.model.block_size)
        # A text that is cut does not end where it was cut.
        n = min(len(priced.positions) - (text != hidden.text), LONGEST)
        places: list[int] = [*laid.places_N.tolist(), len(text)]
        targets: list[int] = laid.batch.targets_N[:n].tolist()
        costs, counts = priced.positions[:n], _counts(run, hidden, laid)
        hidden = hidden._replace(text=text[: places[n]])
        return cls(secrets.token_urlsafe(9), seed, hidden, run, targets, costs, counts)

    def bet(self, at: int, bet: Bet) -> None:
        """Bet on the next token.

        Raises:
            UsageError: it is not the position's turn, or the bet is none.
        """
        found = shares(bet, self.run.tokenizer.vocab_size)
        with self.lock:
            if at != len(self.placed) or at >= len(self.targets):
                raise UsageError("This position has been bet on already. Reload the page.")
            self.placed.append(found.of(self.targets[at]))

    @property
    def shown(self) -> GameShown:
        """What the page may see."""
        run, n = self.run, len(self.placed)
        yours = [-math.log(share) if share else math.inf for share in self.placed]
        model = [cost.nats for cost in self.costs]
        guessed = [
            Guessed(
                cost.symbol, share, yours[i], model[i], self.counts[i] if self.counts else None,
                level(min(yours[i], _SURPRISING)), cost.likely[:3],
                (_mean(yours, i), _mean(model, i), _mean(self.counts, i) if self.counts else None),
            )
            for i, (cost, share) in enumerate(zip(self.costs, self.placed))
        ]  # fmt: skip
        return GameShown(
            self.id, self.hidden.what, symbols(run.tokenizer), run.tokenizer.bos,
            name_of("ngram", run.ngram.n) if self.counts else "", uniform(run.tokenizer.vocab_size),
            guessed, self.hidden.text if n == len(self.targets) else None,
        )  # fmt: skip


def _hidden(run: Run, seed: int) -> Hidden:
    """Choose a text of known characters: held out, else trained on, else a sample."""
    chance = random.Random(seed)
    why = "its documents have characters that it does not know"
    try:
        found = evaluation_set(run, None, None)
        for _ in range(_TRIES):
            text = found.texts[chance.randrange(len(found.texts))]
            if len(text) > 1 and _is_known(run, text):
                what = "A document that the model was trained on: it may know it by heart."
                if not found.seen:
                    what = "A held-out document: neither you nor the model has seen it."
                return Hidden(text, what, found.seen)
    except (DataError, RunError):
        why = "its documents are missing"
    drawn = islice(run.samples(Choice(temperature=1.0, seed=chance.randrange(2**31))), _TRIES)
    text = next((one.text for one in drawn if len(one.text) > 1), "")
    return Hidden(text, f"A sample of the model itself, because {why}.", False)


def _is_known(run: Run, text: str) -> bool:
    ids, _ = run.tokenizer.encode(text[:_CHARACTERS])
    return min(ids, default=0) >= 0


def _counts(run: Run, hidden: Hidden, laid: Laid) -> list[float] | None:
    """Return the losses of the n-gram model; None: its documents are missing, or it knows them."""
    if hidden.seen:
        return None
    try:
        losses: list[float] = run.ngram.losses(laid.batch).tolist()
    except MicroGPTError:
        return None
    return losses


def _mean(losses: Sequence[float], last: int) -> float:
    return LossSum.of(losses[: last + 1]).mean
