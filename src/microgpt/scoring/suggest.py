"""What was probably meant in place of a text that surprises: the likeliest text one edit away.

In: texts, and where each surprises most. Out: a `Suggestion` for each, or None.

A text x may be meant for y, with one mistake: a character too many, too few or wrong, or two
exchanged. By Bayes' rule y is the likelier the larger P(y) P(x | y). The model has P(y). P(x | y)
is `MISTAKES` shared out among the four kinds, the places in the text, and, where a character was
typed that should not be there, all characters that it might have been. Nothing is suggested where
x as it stands, P(x) (1 - MISTAKES), is likelier than any y.

Source: Kernighan, Church and Gale, "A spelling correction program based on a noisy channel model",
COLING (1990); the edits are those of Damerau, CACM 7 (1964).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from microgpt.scoring.logits import blocks
from microgpt.scoring.price import Laid, Pricer

MISTAKES = 0.01
"""The share of texts that are taken to have such a mistake."""

_KINDS = 4
# Letters of at least this probability are tried in a place, given what stands before it.
_LIKELY = 0.005
# Texts whose edits are priced together.
_TEXTS = 256
# Edits are tried from so many characters before a span to as many behind it: a mistake is often
# noticed at the character after it.
_BESIDE = 2


@dataclass(frozen=True)
class Suggestion:
    """What was probably meant.

    Attributes:
        text: the whole text, with one edit.
        start: the first character of what the edit replaces in the text as it was.
        stop: the character behind its last.
        nats: what the suggestion costs, its end included.
        loss: the same per position.
    """

    text: str
    start: int
    stop: int
    nats: float
    loss: float


class Suggester:
    """Suggests texts.

    Args:
        pricer: of the model; its tokenizer has the letters that are tried.
    """

    def __init__(self, pricer: Pricer) -> None:
        self._pricer, tokenizer = pricer, pricer.tokenizer
        texts = [tokenizer.decode([i]) for i in range(tokenizer.vocab_size)]
        fit = [len(text) == 1 and text.isprintable() and text != "\ufffd" for text in texts]
        self._letters = {i: text for i, text in enumerate(texts) if fit[i]}
        self._count = max(len(self._letters), 1)

    def suggest(
        self, texts: Sequence[str], starts: Sequence[int], stops: Sequence[int]
    ) -> list[Suggestion | None]:
        """Return what was probably meant by each text; None: what it says.

        Args:
            texts: not blank.
            starts: of each text the first character of what surprises most.
            stops: the character behind the last.
        """
        found: list[Suggestion | None] = []
        for first in range(0, len(texts), _TEXTS):
            some = slice(first, first + _TEXTS)
            found += self._suggest(texts[some], starts[some], stops[some])
        return found

    def _suggest(
        self, texts: Sequence[str], starts: Sequence[int], stops: Sequence[int]
    ) -> list[Suggestion | None]:
        likely = self._likely(texts)
        all_edits = [[*_edits(*one)] for one in zip(texts, starts, stops, likely)]
        edited = [edit.text for edits in all_edits for edit in edits]
        priced = [*self._pricer.each([*texts, *edited])]
        nats = np.concatenate([one.nats_D for one in priced])
        means = np.concatenate([one.means_D for one in priced])
        found: list[Suggestion | None] = []
        first = len(texts)
        for text, as_it_is, edits in zip(texts, nats.tolist(), all_edits):
            its = slice(first, first + len(edits))
            first += len(edits)
            of_the_kind = np.array([edit.is_any for edit in edits], dtype=float)
            costs = nats[its] + math.log(_KINDS * (len(text) + 1) / MISTAKES)
            costs += of_the_kind * math.log(self._count)
            best = int(np.argmin(costs)) if edits else -1
            if best < 0 or costs[best] >= as_it_is - math.log1p(-MISTAKES):
                found.append(None)
                continue
            edit = edits[best]
            cost = float(nats[its][best]), float(means[its][best])
            found.append(Suggestion(edit.text, edit.start, edit.stop, *cost))
        return found

    def _likely(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the likely letters at each character of some texts, and at their ends."""
        laid = Laid.of(texts, self._pricer.tokenizer, self._pricer.block_size)
        batch = laid.windows(self._pricer.tokenizer)
        letters_N: list[str] = []
        for _, logits_NV in blocks(
            self._pricer.predictor, batch, self._pricer.tokenizer.vocab_size
        ):
            top_NV = logits_NV - logits_NV.max(axis=1, keepdims=True)
            p_NV = np.exp(top_NV)
            p_NV /= p_NV.sum(axis=1, keepdims=True)
            found = [""] * len(p_NV)
            for row, i in zip(*(its.tolist() for its in np.nonzero(p_NV >= _LIKELY))):
                found[row] += self._letters.get(i, "")
            letters_N += found
        each: list[list[str]] = []
        places: list[int] = laid.places_N.tolist()
        for text, start, stop in zip(texts, laid.texts.tolist(), laid.texts[1:].tolist()):
            letters = [""] * (len(text) + 1)
            # A character of several tokens begins with the first of them.
            for place, its in zip(reversed(places[start:stop]), reversed(letters_N[start:stop])):
                letters[place] = its
            each.append(letters)
        return each


@dataclass(frozen=True)
class _Edit:
    """A text one edit away: what it is, what it replaces, whether any letter could stand there."""

    text: str
    start: int
    stop: int
    is_any: bool


def _edits(text: str, start: int, stop: int, likely: Sequence[str]) -> Iterator[_Edit]:
    """Yield the texts that are one edit away, near a span.

    Args:
        text: a document.
        start: the first character of the span.
        stop: the character behind its last.
        likely: the letters that are likely at each character, and at the end.

    >>> [edit.text for edit in _edits("ab", 0, 1, ["bc", "b", ""])]
    ['b', 'bb', 'cb', 'ba', 'a', 'bab', 'cab']
    """
    low, high = max(0, start - _BESIDE), min(len(text), stop + _BESIDE)
    for i in range(low, high):
        before, after = text[:i], text[i + 1 :]
        # The mistake was to type one too many, which might have been any letter.
        if (before + after).strip():
            yield _Edit(before + after, i, i + 1, is_any=True)
        for letter in likely[i]:
            if letter != text[i] and (before + letter + after).strip():
                yield _Edit(before + letter + after, i, i + 1, is_any=True)
        if i + 1 < high and text[i] != text[i + 1]:
            exchanged = before + text[i + 1] + text[i] + text[i + 2 :]
            yield _Edit(exchanged, i, i + 2, is_any=False)
    for i in range(low, high + 1):
        for letter in likely[i]:
            if i == len(text) or letter != text[i]:  # else it is the edit one place on
                yield _Edit(text[:i] + letter + text[i:], i, i, is_any=False)
