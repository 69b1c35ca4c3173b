"""The database that a study is in, and what it says when it fails.

In: an address as SQLAlchemy has it. Out: Optuna's storage, or one sentence.
"""

from __future__ import annotations

import gc
import re
import time
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from microgpt.errors import MissingExtra, SweepError

P = ParamSpec("P")
T = TypeVar("T")

# How often, and after how many seconds, something is tried again that another machine may be at.
TRIES, PAUSE = 5, 0.4


def connect(address: str) -> Any:
    """Connect to a database.

    Raises:
        SweepError, MissingExtra: that cannot be.
    """
    from sqlalchemy import event
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    shown = re.sub(r":[^:/@]*@", ":***@", address)
    try:
        url = make_url(address)
        url.get_dialect()
    except (ArgumentError, SQLAlchemyError) as error:
        raise SweepError(
            "storage must be an address like sqlite:///study.db or "
            f'postgresql+psycopg://user@host/database; got "{shown}" ({_reason(error)}).'
        ) from None
    try:
        storage = _connected(address)
    except ImportError as error:
        missing = getattr(error.__cause__, "name", None) or url.get_driver_name()
        raise MissingExtra(
            f"storage {url.drivername} needs {missing}, which is not installed. "
            f"Try: pip install {missing}"
        ) from None
    except Exception as error:
        where = url.render_as_string(hide_password=True)
        raise SweepError(f"storage {where} cannot be used: {_reason(error)}.") from None
    if url.get_backend_name() == "sqlite":

        @event.listens_for(storage.engine, "connect")
        def _(connection: Any, _: Any) -> None:  # pyright: ignore[reportUnusedFunction]
            # A trial is a dozen small writes. Waiting for the disk at each would take longer than
            # some trainings; so a power cut may cost the last trials, but never the file.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")

        storage.engine.dispose()
    return storage


def _connected(address: str) -> Any:
    """Connect, and make the tables where there are none; another machine may just be at that."""
    import optuna
    from sqlalchemy.exc import OperationalError

    for left in reversed(range(TRIES)):
        try:
            return optuna.storages.RDBStorage(address)
        except (ImportError, OperationalError):
            raise
        except Exception:
            if not left:
                raise
        with warnings.catch_warnings():
            # What it left open is closed here, and not said.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
        time.sleep(PAUSE)
    raise AssertionError  # never reached


def _reason(error: BaseException) -> str:
    """Return the first line of what a library says, or of what it was caused by."""
    told: BaseException = getattr(error, "orig", None) or error.__cause__ or error
    told = getattr(told, "orig", None) or told
    lines = str(told).strip().splitlines() or [type(told).__name__]
    return lines[0].strip().rstrip(".")


def told(function: Callable[P, T]) -> Callable[P, T]:
    """Turn what a database raises into one sentence."""

    @wraps(function)
    def wrapped(*args: P.args, **keywords: P.kwargs) -> T:
        from optuna.exceptions import OptunaError, StorageInternalError
        from sqlalchemy.exc import SQLAlchemyError

        try:
            return function(*args, **keywords)
        except (StorageInternalError, SQLAlchemyError) as error:
            raise SweepError(f"the sweep's database fails: {_reason(error)}.") from None
        except OptunaError as error:
            raise SweepError(f"the sweep's study fails: {_reason(error)}.") from None

    return wrapped


def hidden(address: str) -> str:
    """Write a database's address without its password."""
    from sqlalchemy.engine import make_url

    return make_url(address).render_as_string(hide_password=True)
