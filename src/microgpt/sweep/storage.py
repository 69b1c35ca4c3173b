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
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from microgpt.errors import MissingExtra, SweepError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

P = ParamSpec("P")
T = TypeVar("T")

# How often, and after how many seconds, something is tried again that another machine may be at.
TRIES, PAUSE = 5, 0.4

# What stands in the place of a password.
_HIDDEN = "***"


def of_file(path: Path) -> str:
    """Return the address of a database in a file, whatever characters its name has.

    Raises:
        SweepError: its name is not Unicode, in which no address can be written.
    """
    from sqlalchemy.engine import URL

    try:
        return URL.create("sqlite", database=str(path.absolute())).render_as_string()
    except UnicodeEncodeError:
        raise SweepError(
            f"{path.parent}: a sweep's folder must have a name in Unicode, for its database's "
            "address. Try another --out."
        ) from None


def connect(address: str) -> Any:
    """Connect to a database.

    Raises:
        SweepError, MissingExtra: that cannot be.
    """
    from sqlalchemy import event
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    # It may be no address: all that could be a password is left out.
    shown = re.sub(r"(//[^:/@]*):.*@", rf"\1:{_HIDDEN}@", address)
    try:
        url = make_url(address)
        url.get_dialect()
    except (ArgumentError, SQLAlchemyError, ValueError) as error:
        raise SweepError(
            "storage must be an address like sqlite:///study.db or "
            f'postgresql+psycopg://user@host/database; got "{shown}" ({_reason(error)}).'
        ) from None
    try:
        # Written anew: Optuna fills in what stands in braces, and these are quoted now.
        storage = _connected(url.render_as_string(hide_password=False))
    except ImportError as error:
        missing = getattr(error.__cause__, "name", None) or url.get_driver_name()
        raise MissingExtra(
            f"storage {url.drivername} needs {missing}, which is not installed. "
            f"Try: pip install {missing}"
        ) from None
    except Exception as error:
        raise SweepError(
            f"storage {_without_password(url)} cannot be used: {_reason(error)}."
        ) from None
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

    return _without_password(make_url(address))


def is_hidden(address: str) -> bool:
    """Tell whether an address is one that `hidden` took a password from."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        return False  # `connect` says what is wrong with it
    return _HIDDEN in (url.password, *(url.query.get(key) for key in _secrets(url)))


def _without_password(url: URL) -> str:
    """Write an address without its password, wherever that stands."""
    shown = url.update_query_dict(dict.fromkeys(_secrets(url), _HIDDEN))
    # The stars are no letters of an address, and would be written as such.
    return shown.render_as_string(hide_password=True).replace("%2A%2A%2A", _HIDDEN)


def _secrets(url: URL) -> list[str]:
    """Name the parts of an address's query that are passwords, as drivers call them."""
    return [key for key in url.query if key.lower() in ("password", "passwd", "pwd", "sslpassword")]
