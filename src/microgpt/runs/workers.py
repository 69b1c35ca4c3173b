"""A run in the processes of a cluster: found there, held against what was sent, opened once.

In: an `Address`, which is small. Out: an `OpenedRun`.
"""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from microgpt.errors import RunError
from microgpt.runs.checkpoint import CHECKPOINT, CONFIG, COUNTS, REFERENCE, TOKENIZER
from microgpt.runs.folder import is_run
from microgpt.runs.judging import judging
from microgpt.runs.log import LOG
from microgpt.runs.run import Run
from microgpt.scoring.price import Pricer
from microgpt.scoring.reference import Judge

# Whatever scores depend on, percentiles and spans included.
_FILES = (CONFIG, TOKENIZER, CHECKPOINT, COUNTS, REFERENCE, LOG)
# Runs that a process holds open: a program may use several, one after the other.
_RUNS = 4


@dataclass(frozen=True)
class Address:
    """Where a run is, which it is, and how it is to be opened.

    Attributes:
        folder: an absolute path.
        given: the path as it was given.
        fingerprint: of its files.
        engine: by name.
        threads: of each process.
        device: for the engine.
    """

    folder: str
    given: str
    fingerprint: str
    engine: str
    threads: int
    device: str | None

    @classmethod
    def of(cls, folder: Path, engine: str, threads: int, device: str | None) -> Address:
        """Return the address of a run on this machine."""
        return cls(str(folder.resolve()), str(folder), fingerprint(folder), engine, threads, device)

    def found(self) -> Path:
        """Return the run's folder: at its path, or a copy in the working folder of this process.

        Raises:
            RunError: there is none, or another run stands in its place.
        """
        name = Path(self.folder).name
        places = (Path(self.folder), Path(self.given).absolute(), Path(name).absolute())
        there = [place for place in dict.fromkeys(places) if is_run(place)]
        for place in there:
            if fingerprint(place) == self.fingerprint:
                return place
        if there:
            raise RunError(
                f"{there[0]}: must be the run that score_batches was called with; its files on "
                f"{platform.node()} are others. Copy it there again; or call score_batches "
                "again, if it was trained on."
            )
        raise RunError(
            f"{self.folder}: no such run on {platform.node()}. Copy it there, or send the folder "
            f"{name} along into the working folder of each worker."
        )


def fingerprint(folder: Path) -> str:
    """Return a hash of the files of a run that scores depend on."""
    digest = hashlib.blake2b(digest_size=16)
    for name in _FILES:
        path = folder / name
        if path.exists():
            digest.update(f"{name} {path.stat().st_size}\n".encode())
            with path.open("rb") as file:
                while some := file.read(1 << 20):
                    digest.update(some)
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class OpenedRun:
    """What scores texts in this process.

    Attributes:
        pricer: of the model.
        judge: computes percentiles and flags, from what the run's folder has alone.
        lock: held by the thread that scores.
    """

    pricer: Pricer
    judge: Judge
    lock: Any = field(default_factory=Lock)


_opening = Lock()


def open_once(address: Address, rate: float | None) -> OpenedRun:
    """Open a run in the first call of a process, in whatever thread; then return it again.

    Args:
        address: of the run.
        rate: the share of good texts to flag.

    Raises:
        RunError: this machine does not have the run, or has another one in its place.
        MissingExtra: it does not have the engine.
    """
    with _opening:
        return _opened(address, rate)


@lru_cache(_RUNS)
def _opened(address: Address, rate: float | None) -> OpenedRun:
    run = Run(address.found(), address.engine, address.threads, address.device)
    return OpenedRun(run.pricer, judging(run, rate, kept=True).judge)
