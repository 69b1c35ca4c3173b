"""The symptoms that the doctor knows: what each is, what usually causes it, what to try.

In: nothing. Out: a table, the most specific symptom first. `curve` and `computing` look for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from microgpt.doctor import computing, curve
from microgpt.doctor.evidence import Evidence
from microgpt.doctor.finding import Finding


@dataclass(frozen=True)
class Symptom:
    """A way in which a training can look wrong.

    Attributes:
        title: what the run shows, a sentence.
        cause: what usually causes it.
        remedy: what to try.
        idea: of the course, whose page explains it: `microgpt why IDEA`.
        look: looks for it.
    """

    title: str
    cause: str
    remedy: str
    idea: str
    look: Callable[[Evidence], Finding]

    def to_json(self) -> dict[str, str]:
        """Return what it says, ready for JSON."""
        return {
            "title": self.title, "cause": self.cause, "remedy": self.remedy, "idea": self.idea,
        }  # fmt: skip


SYMPTOMS = {
    "broke-off": Symptom(
        "The training broke off without saving.",
        "An error, as of a number that a float cannot hold; too little memory; or a process that "
        "was killed. One that is stopped (Ctrl-C) saves its last step.",
        "Read the last lines that it printed, and go on with microgpt train --resume RUN. If it "
        "ends at the same step again, look for exp, log, ** or / of a number that grew or shrank.",
        "softmax",
        curve.broke_off,
    ),
    "off-schedule": Symptom(
        "The learning rate is not the one that the settings ask for.",
        "The schedule: it does not fall, falls to another step, or counts steps from another "
        "number.",
        "Print the rate of the first, a middle and the last step. It falls linearly to 0.",
        "adam",
        curve.off_schedule,
    ),
    "other-positions": Symptom(
        "The batches are not the documents that the settings give.",
        "Another split, so that held-out documents are among the training ones; another order; the "
        "same batch again and again; or a mean over documents where one over positions is meant.",
        "Compare the positions of a step with the documents of its batch, ends included. No text "
        "may be on both sides of the split.",
        "training",
        computing.other_positions,
    ),
    "not-moved": Symptom(
        "A part of the model has not moved since the first step.",
        "No gradient arrives there, or the optimizer does not know of it: a matrix that is left "
        "out of the update, an index that is always 0, factors that are all 0, or a rate too small "
        "for the numbers' precision.",
        "Follow the gradient back from the loss to the part that is named.",
        "gradient",
        computing.not_moved,
    ),
    "below-floor": Symptom(
        "The loss is lower than any honest model's can be.",
        "A leak: the model sees what it has to predict. The target is the token that was just "
        "read, the mask is missing, or the same few documents are trained on again and again.",
        "Print tokens and targets of one document side by side: the target is the next token. Then "
        "change the last character of a text: no loss before it may change.",
        "attention",
        curve.below_floor,
    ),
    "leak": Symptom(
        "The model is worse than the log says.",
        "It was measured in another way than it is used. Each position saw later ones (a missing "
        "mask), or was read in another way: its place, its heads, its norm.",
        "Change the last character of a text: no loss before it may change. Draw samples: a model "
        "that has looked ahead writes badly.",
        "attention",
        computing.leak,
    ),
    "nothing-learnt": Symptom(
        "Nothing was learnt: the loss stays at that of blind guessing.",
        "No gradient (initial values that are all 0, a graph that is cut), an update that is never "
        "applied, or a rate far too small.",
        "Look at the gradients after one step, matrix by matrix: microgpt studio shows them. Then "
        "try a rate ten times as large.",
        "parameters",
        curve.nothing_learnt,
    ),
    "rises": Symptom(
        "The loss rises, and that of a sound engine does not.",
        "The update goes the wrong way, or is far too large: a wrong sign, Adam without the square "
        "root, a gradient that is added up over steps.",
        "Make one update on one document: its loss must fall a little, and by a hundredth of that "
        "with a hundredth of the rate.",
        "adam",
        curve.rises,
    ),
    "rate-too-high": Symptom(
        "The loss rises: the learning rate is too high.",
        "Each update moves the parameters farther than the gradient is valid for.",
        "Try a tenth of the rate; compare some with microgpt sweep --grid lr=0.001,0.003,0.01.",
        "adam",
        curve.rate_too_high,
    ),
    "learnt-by-heart": Symptom(
        "The model learns by heart: the held-out loss rises while the training loss falls.",
        "Too few documents for the model's size and the number of steps.",
        "More documents, fewer steps, a smaller model, dropout or weight decay. The state that is "
        "kept is that of the lowest held-out loss.",
        "training",
        curve.learnt_by_heart,
    ),
    "began-high": Symptom(
        "The first loss is far above that of blind guessing.",
        "A model that knows nothing should not be sure: the initial values are too large, or a "
        "norm is missing.",
        "A smaller --init-std; the presets begin near ln V.",
        "parameters",
        curve.began_high,
    ),
    "departs-at-first": Symptom(
        "The first loss is not that of a sound engine: before any update.",
        "The forward pass, the loss, the initial values, or the batch.",
        "Compare the logits of one document with those of another engine, operation by operation: "
        "microgpt studio shows each.",
        "residual",
        computing.departs_at_first,
    ),
    "departs-at-update": Symptom(
        "The first loss is right, and the second is not: the first update is at fault.",
        "The gradient (a derivative, a sum over ways that is overwritten, an order that is lost) "
        "or the update (its sign, its corrections, its moments).",
        "Hold one gradient against (loss(x + h) - loss(x - h)) / 2h. If it is right, compute one "
        "update by hand.",
        "gradient",
        computing.departs_at_update,
    ),
    "departs-later": Symptom(
        "The first losses are right, and later ones are not: something goes from step to step.",
        "Gradients that are not set to 0, moments or the number of the update that are lost or "
        "counted twice, or a rate that changes otherwise.",
        "Look at what is left over from the step before: every gradient must begin at 0, and the "
        "moments must not.",
        "gradient",
        computing.departs_later,
    ),
    "does-not-repeat": Symptom(
        "The same training twice has other losses.",
        "An order that is not fixed (a set, a hash, threads that add up as they come), a generator "
        "without a seed, or the clock.",
        "Find the first step at which the two differ: at 1 it is the beginning or the batch, later "
        "the gradient.",
        "gradient",
        computing.does_not_repeat,
    ),
}
"""The symptoms by name."""
