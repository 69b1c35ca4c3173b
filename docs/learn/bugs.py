"""Fifteen exercises: each breaks one line of microgpt; find it by what the training then does.

In: the number of an exercise. Out: a training in `runs/`, made by a copy of the package with that
line broken, and its curve. The package itself stays as it is. `exercises.md` says how to work with
it.

    python docs/learn/bugs.py                 list the exercises
    python docs/learn/bugs.py 7               train with bug 7, in runs/bug-7-1
    python docs/learn/bugs.py 0               train without a bug, to compare with
    python docs/learn/bugs.py 7 --hint        ask a question that leads to the line
    python docs/learn/bugs.py 7 --answer      show the line, and why it does what it does
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import microgpt
from microgpt.data.datasets import names_path
from microgpt.runs.folder import RUNS, numbered

PACKAGE = Path(microgpt.__file__).parent
STEPS = 200
# A small model on few short names: the scalar engine trains it in seconds.
RECIPE = (
    "--preset microgpt --engine scalar --n-embd 8 --n-head 2 --block-size 8 --batch-size 4 "
    "--holdout 0.2 --order per-epoch"
)
FLAGS = "--lr 0.03"
NAMES, LONGEST = 400, 6
# An editable installation finds its own files before those of the path: it is asked no more.
_PROGRAM = """\
import sys
sys.meta_path[:] = [finder for finder in sys.meta_path if isinstance(finder, type)]
sys.path.insert(0, sys.argv.pop(1))
from microgpt.cli.app import run
sys.exit(run(sys.argv[1:]))
"""


@dataclass(frozen=True)
class Bug:
    """A line of the package, and what it says when it is broken.

    Attributes:
        title: of the bug.
        file: in `src/microgpt`.
        line: as it is; it stands once in the file.
        broken: what replaces it.
        symptom: the one that `microgpt doctor` finds it by.
        shows: what one sees of it.
        hint: a question that leads to the line.
        why: the answer.
        flags: settings that make it show.
    """

    title: str
    file: str
    line: str
    broken: str
    symptom: str
    shows: str
    hint: str
    why: str
    flags: str = FLAGS


BUGS: tuple[Bug, ...] = (
    Bug(
        "missing mask",
        "engines/scalar/operations.py",
        "keys_SD, values_SD = memory or ([], [])",
        "keys_SD, values_SD = memory or ([*k_TD], [*v_TD])",
        "leak",
        "The loss ends lower than it should, and the samples are bad.",
        "What does the model know while it is measured that it does not know while it writes?",
        "The keys and values of the whole text are there before the first position looks at them, "
        "so that each position also attends to the characters it has to predict. While it writes "
        "there is nothing to look ahead at.",
    ),
    Bug(
        "no shift in softmax",
        "engines/scalar/operations.py",
        "top = max([s.data if isinstance(s, Value) else s for s in scores_S])",
        "top = 0.0",
        "broke-off",
        "The training ends with an OverflowError after some steps.",
        "In most trainings the result is the same. For which numbers is exp too large for a float?",
        "Softmax does not change if a constant is taken from every score, so without the shift it "
        "is the same function. But exp(710) is more than a float can hold, and Python raises an "
        "OverflowError. With the largest score taken away no exponent is above 0. The rate of this "
        "exercise is too high on purpose: the scores grow until it happens.",
        "--lr 0.5 --final-norm",
    ),
    Bug(
        "mean of means",
        "engines/scalar/__init__.py",
        "losses_N += nats_T",
        "losses_N += [sum(nats_T) / len(nats_T)]",
        "other-positions",
        "The curve looks right. One of the numbers beside the loss does not.",
        "Over how many losses should the mean of four names be taken?",
        "Each document gives its own mean, and the mean of these is logged: a character of a short "
        "name then weighs more than one of a long name. Sums travel, and are divided once.",
    ),
    Bug(
        "gradient not zeroed",
        "engines/scalar/__init__.py",
        "value.grad = 0.0",
        "value.grad += 0.0",
        "departs-later",
        "The first two losses are right. The third is not, and later the loss rises.",
        "What does the second update have that the first one had not?",
        "The gradients of all earlier steps are still in `grad`, and each step adds its own to "
        "them. The first update has nothing to be wrong about.",
    ),
    Bug(
        "set instead of tuple",
        "autograd.py",
        "self.inputs = tuple(inputs)",
        "self.inputs = set(inputs)",
        "does-not-repeat",
        "The loss rises. Trained again, it has other losses.",
        "What has no order?",
        "A set has no order, and derivatives are matched to inputs by their order: gradients go to "
        "the wrong inputs, other ones in every run. And a Value that is an input twice, as in "
        "x * x, is one element of a set.",
    ),
    Bug(
        "the target is what was read",
        "data/batch.py",
        "return Batch(encoded.stream[:-1], encoded.stream[1:], encoded.offsets)",
        "return Batch(encoded.stream[:-1], encoded.stream[:-1], encoded.offsets)",
        "below-floor",
        "The loss falls to nearly nothing.",
        "Nobody can know which name comes next. How low can the loss of names be, at best?",
        "Tokens and targets are the same array, and the target has to be shifted by one: here each "
        "position has to predict the character that it has just read.",
    ),
    Bug(
        "the wrong sign",
        "engines/scalar/update.py",
        "values[i].data -= self._lr * m_hat / (v_hat**0.5 + adam.eps)",
        "values[i].data += self._lr * m_hat / (v_hat**0.5 + adam.eps)",
        "rises",
        "The loss rises from the second step on, without end.",
        "Which way does the gradient point?",
        "The gradient points to where the loss grows. The update has to go against it.",
    ),
    Bug(
        "a rate a hundred times too large",
        "training/presets.py",
        '_ORIGINAL = {"holdout": 0.0, "order": "once", "long": "cut"}',
        '_ORIGINAL = {"holdout": 0.0, "order": "once", "long": "cut", "lr": 1.0}',
        "rate-too-high",
        "The loss jumps up at once, and stays high.",
        "Every line of the engine is right, and a replay by another engine does the same.",
        "The learning rate is a setting, and nothing computes wrongly with it. Adam moves every "
        "parameter by about the rate in every step: by 1, where the parameters are about 0.08.",
        "",
    ),
    Bug(
        "a rate that does not fall",
        "training/pace.py",
        "return training.lr * (1.0 - done_K)",
        "return training.lr * (1.0 + 0.0 * done_K)",
        "off-schedule",
        "The curve looks right, and ends a little too high.",
        "Look at the other numbers of the log.",
        "The rate stays at its first value. The parameters go on jumping about by as much at the "
        "end as at the beginning, instead of settling.",
    ),
    Bug(
        "the gradient of a reused value overwritten",
        "autograd.py",
        "v.grad += derivative * d_output",
        "v.grad = derivative * d_output",
        "departs-at-update",
        "The loss hardly falls, and then rises.",
        "A parameter is used at every position of a text. From how many of them does its "
        "gradient have to come?",
        "The chain rule sums over all ways from a value to the loss. With = the last way alone "
        "counts, and the others are lost.",
    ),
    Bug(
        "embeddings that are not updated",
        "engines/scalar/update.py",
        "            else:",
        '            elif p.hidden or p.name == "lm_head":',
        "not-moved",
        "The model learns, but less. The first loss is right.",
        "Compare the checkpoint with the initial values, matrix by matrix.",
        "The optimizer gets the matrices of the layers and the head alone; wte and wpe keep their "
        "random initial values.",
    ),
    Bug(
        "initial values all zero",
        "model/table.py",
        "[rng.gauss(0.0, p.std) for p in parameters(config) for _ in range(p.size)], "
        "dtype=np.float64",
        "[rng.gauss(0.0, 0.0) for p in parameters(config) for _ in range(p.size)], "
        "dtype=np.float64",
        "nothing-learnt",
        "The loss stays where it began.",
        "What is the gradient of a product at the point where both factors are 0?",
        "Every product has a factor 0, and so has the gradient of each of its factors. No "
        "parameter ever moves: the loss stays at ln V, blind guessing.",
    ),
    Bug(
        "held-out documents among the training ones",
        "data/split.py",
        "for which_D in (~kept_D, kept_D)",
        "for which_D in (kept_D | ~kept_D, kept_D)",
        "other-positions",
        "The held-out loss ends lower than it should.",
        "Count the documents that are trained on.",
        "The model trains on all documents, and is then measured on some of them: the held-out "
        "loss says nothing about new ones any more.",
    ),
    Bug(
        "every position is the first",
        "engines/scalar/operations.py",
        "[t + p for t, p in zip(wte_VD[token], wpe_TD[start + i])]",
        "[t + p for t, p in zip(wte_VD[token], wpe_TD[start])]",
        "not-moved",
        "The model learns, but less. The first loss is not right.",
        "What does the model know of the order of the characters that it has read?",
        "All positions get the embedding of position 0: the model cannot tell a beginning from an "
        "end, and the other rows of wpe never move.",
    ),
    Bug(
        "four documents again and again",
        "data/plan.py",
        "n, start, stop = len(self.data), first * self.batch_size, (first + steps) * "
        "self.batch_size",
        "n, start, stop = self.batch_size, first * self.batch_size, (first + steps) * "
        "self.batch_size",
        "learnt-by-heart",
        "The training loss becomes very low, and the held-out loss rises.",
        "How many different names are trained on?",
        "An epoch is taken to be as long as a batch: every step has the first four names. The "
        "model learns them by heart, and knows less and less of all others.",
    ),
)


def broken_copy(bug: Bug | None, folder: Path) -> None:
    """Copy the package into a folder, with the bug's line broken."""
    # Without the compiled engine, which no bug touches: the scalar one is to be read.
    copy = folder / "microgpt"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("_native*.so", "_native*.pyd"))
    if bug:
        path = copy / bug.file
        text = path.read_text("utf-8")
        path.write_text(text.replace(bug.line, bug.broken), "utf-8", newline="\n")


def train(number: int, out: Path, steps: int = STEPS, seed: int = 42) -> None:
    """Train with a bug, by number from 1, or with none, 0; print what `microgpt train` prints."""
    bug = BUGS[number - 1] if number else None
    names = out.parent / "short-names.txt"
    short = [name for name in names_path().read_text("utf-8").split() if len(name) <= LONGEST]
    names.write_text("\n".join(short[:NAMES]) + "\n", "utf-8")
    flags = f"{RECIPE} {bug.flags if bug else FLAGS} --steps {steps} --seed {seed}".split()
    with tempfile.TemporaryDirectory() as folder:
        broken_copy(bug, Path(folder))
        words = [sys.executable, "-c", _PROGRAM, folder, "train", str(names), "--out", str(out)]
        subprocess.run([*words, *flags], check=False)


def _told(bug: Bug, *, answer: bool) -> str:
    """Return the hint of a bug, or its answer."""
    if not answer:
        return bug.hint
    lines = f"- {bug.line.strip()}\n+ {bug.broken.strip()}"
    return f"{bug.title}: src/microgpt/{bug.file}\n\n{lines}\n\n{bug.why}"


def main() -> None:
    """Answer the command line."""
    parser = argparse.ArgumentParser(description="Break one line of microgpt, and train with it.")
    parser.add_argument("number", type=int, nargs="?", choices=range(len(BUGS) + 1))
    parser.add_argument("--steps", type=int, default=STEPS, help=f"default: {STEPS}")
    parser.add_argument("--seed", type=int, default=42, help="default: 42")
    parser.add_argument("--hint", action="store_true", help="ask a question that leads to it")
    parser.add_argument("--answer", action="store_true", help="show the line, and why")
    asked = parser.parse_args()
    bug = BUGS[asked.number - 1] if asked.number else None
    if asked.number is None:
        for number, each in enumerate(BUGS, 1):
            print(f"{number:2}  {each.shows}")
    elif asked.hint or asked.answer:
        print(_told(bug, answer=asked.answer) if bug else "Exercise 0 has no bug.")
    else:
        out = numbered(RUNS, f"bug-{asked.number}" if asked.number else "sound")
        train(asked.number, out, asked.steps, asked.seed)
        asks = "Which line is it?   " if bug else ""
        print(f"\n{asks}microgpt plot {out} · microgpt doctor {out}")


if __name__ == "__main__":
    main()
