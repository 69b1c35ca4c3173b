"""A training in the foreground of a Python program: to its end, or until it is interrupted.

In: a `Session`. Out: the session, finished and saved, with a progress bar if asked; or
KeyboardInterrupt, whose message has the call that resumes.
"""

from __future__ import annotations

import signal
import threading
import warnings
from contextlib import nullcontext

from microgpt.data.corpus import MEMORY
from microgpt.errors import TrackingWarning
from microgpt.runs.bar import bar
from microgpt.runs.follower import Follower
from microgpt.runs.interruption import interruptible
from microgpt.runs.session import Session
from microgpt.training import verdict
from microgpt.training.trainer import Trainer
from microgpt.wording import MIXED, count, figures


def finish(session: Session, *, progress: bool, stacklevel: int) -> None:
    """Train to the end.

    Args:
        session: the training; its folder is unlocked at the end.
        progress: whether to show a bar.
        stacklevel: of the caller to whom warnings are attributed, counted from here.

    Raises:
        DivergedError: the loss is not finite; the message names the last good checkpoint.
        KeyboardInterrupt: it was interrupted, and is saved.

    Warns:
        TrackingWarning: a tracker has not got all of the run.
    """
    with (
        session,
        interruptible(session.stop, _signals()) as interrupted,
        bar() if progress else nullcontext() as show,
    ):
        for _ in session:
            if show:
                show(*_shown(session.trainer))
        missed = session.tracked()
    for sentence in missed:
        warnings.warn(sentence, TrackingWarning, stacklevel=stacklevel)
    if interrupted:
        raise KeyboardInterrupt(_where(session))
    verdict.warn(session.trainer, session.settings.asked, stacklevel=stacklevel + 1)


def follow(follower: Follower) -> None:
    """Follow rank 0 to the end of a training, which an interruption lets it save.

    Raises:
        LostRankError: another rank was lost.
        KeyboardInterrupt: the training was interrupted.
    """
    with interruptible(lambda: None, _signals()) as interrupted:
        follower.follow()
    if interrupted:
        raise KeyboardInterrupt(f"rank 0 has stopped in {follower.folder}")


def _where(session: Session) -> str:
    """Return what was saved, and the call that resumes."""
    run = f"microgpt.load({str(session.folder)!r})"
    if session.trainer.has_ended:
        return f"its end was reached after {count(session.updates, 'step')} and saved: {run}"
    documents = "documents" if session.settings.source == MEMORY else ""
    return (
        f"stopped after {count(session.updates, 'step')} and saved. "
        f"Go on with: {run}.resume({documents})"
    )


def _signals() -> list[int]:
    """Return the signals of Ctrl-C, and of a notebook's stop button.

    None if the program has a handler of its own, or this is not the main thread.
    """
    is_main = threading.current_thread() is threading.main_thread()
    is_free = is_main and signal.getsignal(signal.SIGINT) == signal.default_int_handler
    return [signal.SIGINT] if is_free else []


def _shown(trainer: Trainer) -> tuple[float, str]:
    """Return the share done, from 0 to 1, and step, losses and time left in words."""
    training, heldout = trainer.task.training, trainer.last_heldout
    done, seconds = trainer.pace.done(trainer.updates), trainer.pace.seconds
    of = f" of {training.steps:,}" if training.steps else ""
    words = [f"step {trainer.updates:,}{of}", f"loss {figures(trainer.tail.sum.mean, 2)}"]
    if heldout:
        words.append(f"held out {figures(heldout.own.mean, 2)}")
        words += [f"{MIXED} {figures(heldout.sum.mean, 2)}"] if heldout.gpt else []
    if 0.0 < done < 1.0:
        words.append(f"{seconds * (1.0 - done) / done:.0f} s left")
    return done, " · ".join(words)
