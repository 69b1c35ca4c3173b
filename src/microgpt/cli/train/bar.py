"""The output of a training on a terminal while it runs: a progress bar, a curve, samples.

In: the events of a `Session`. Out: two lines that are redrawn.
"""

from __future__ import annotations

import time

import numpy as np
from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column
from rich.text import Text

from microgpt.cli.terminal.bars import spark
from microgpt.cli.terminal.console import stdout, width
from microgpt.cli.terminal.samples import sample_words
from microgpt.runs.session import Session
from microgpt.sampling import Choice, take
from microgpt.training.heldout import HeldOut
from microgpt.training.loop import Step, Steps
from microgpt.wording import figures, heldout, short

# The half-life of the smoothed loss, in positions.
_HALF_LIFE = 500
_SAMPLE_SECONDS = 1.5
_SPARKS = 24


class Bar:
    """A bar with step, smoothed loss, held-out loss, speed and time left; a curve; samples."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._nats = self._weight = 0.0
        self._points: list[float] = []
        self._heldout = ""
        self._samples = ""
        self._sampled = time.perf_counter()
        self._first: Step | None = None
        self._positions = 0
        columns = (
            TextColumn(
                "step {task.fields[step]:>5}", table_column=Column(no_wrap=True, min_width=10)
            ),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[words]}"),
        )
        self._progress = Progress(*columns, expand=True)
        self._task = self._progress.add_task("", total=1.0, step=0, words="")
        self._live = Live(self._render(), console=stdout(), refresh_per_second=10)

    def __enter__(self) -> Bar:
        self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.update(self._render())
        self._live.__exit__(*error)  # type: ignore[arg-type]

    def show(self, event: Steps | HeldOut) -> None:
        """Show an event."""
        if isinstance(event, HeldOut):
            mixed = event.sum.mean if event.gpt else None
            self._heldout = f" · {heldout('held out', event.own.mean, mixed, decimals=2)}"
            return
        positions_K = event.sums.positions_K
        # The weight of each step's loss at the end of the chunk; of all earlier ones, left_K[0].
        left_K = 0.5 ** (positions_K[::-1].cumsum()[::-1] / _HALF_LIFE)
        gained_K = np.append(left_K[1:], 1.0) - left_K
        self._nats = float(left_K[0] * self._nats + gained_K @ event.sums.means_K)
        self._weight = float(left_K[0] * self._weight + gained_K.sum())
        if self._first is None:
            self._first = event[0]
            self._positions -= int(positions_K[0])
        self._positions += int(positions_K.sum())
        self._draw(event[-1])

    def _draw(self, step: Step) -> None:
        training, first = self._session.training, self._first or step
        loss = self._nats / self._weight
        done = self._session.trainer.pace.done(step.step)
        spent = step.seconds - first.seconds
        speed = f" · {short(self._positions / spent)} char/s" if spent > 0 else ""
        steps_left = (training.steps - step.step) if training.steps else float("inf")
        left = spent / max(step.step - first.step, 1) * steps_left
        if training.seconds:
            left = min(left, max(training.seconds - step.seconds, 0.0))
        words = f"loss {figures(loss, 2)} (smoothed){self._heldout}{speed} · {left:.0f} s left"
        if len(words) > width() - 20:
            words = f"loss {figures(loss, 2)} · {left:.0f} s left"
        self._progress.update(self._task, completed=done, step=step.step, words=words)
        if len(self._points) < done * _SPARKS:
            self._points.append(loss)
        now = time.perf_counter()
        if now - self._sampled > _SAMPLE_SECONDS:
            session = self._session
            choice = Choice(seed=step.step)
            drawn = take(
                session.trainer.predictor, session.tokenizer, session.model.block_size, choice, 4
            )
            self._samples = sample_words([sample.text for sample in drawn], [False] * 4)
            self._sampled = time.perf_counter()
        self._live.update(self._render())

    def _render(self) -> Group:
        points = self._points or [0.0]
        curve = spark(self._points, min(points), max(points))
        # Not padded to the full width: a Ctrl-C's "^C" would begin a new line and upset the redraw.
        line = Text(f"           {curve}   {self._samples}", no_wrap=True, overflow="crop")
        line.truncate(max(1, width() - 4))
        return Group(self._progress, line)
