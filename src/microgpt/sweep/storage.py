"""The database of a study; its errors become one sentence.

In: an address in SQLAlchemy's form. Out: Optuna's storage, or a SweepError.
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
from microgpt.sweep.heart import BEAT, GRACE

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

P = ParamSpec("P")
T = TypeVar("T")

# How often to try an operation that another machine may block, and the seconds between two tries.
TRIES, PAUSE = 5, 0.4

# Printed in place of a password.
_HIDDEN = "***"


def check_installed() -> None:
    """Raise MissingExtra unless Optuna is installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its progress bar would like a notebook's widgets
            import optuna
    except ImportError:
        raise MissingExtra(
            "sweep needs Optuna, which is not installed. Try: pip install 'microgpt-lm[sweep]'"
        ) from None
    # No log lines of Optuna's: the caller reports trials, and errors are raised.
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)


def of_file(path: Path) -> str:
    """Return the address of a database file; special characters in its name are quoted.

    Raises:
        SweepError: its name is not Unicode, and cannot be written as an address.
    """
    from sqlalchemy.engine import URL

    try:
        return URL.create("sqlite", database=str(path.absolute())).render_as_string()
    except UnicodeEncodeError:
        raise SweepError(
            f"{path.parent}: a sweep's folder must have a name in Unicode, for its database's "
            "address. Try another --out."
        ) from None


def connect(address: str, *, beats: bool = False) -> Any:
    """Connect to a database.

    Args:
        address: the database's.
        beats: whether running trials send heartbeats, because other machines share the study.

    Raises:
        SweepError: the address is invalid, or the database refuses the connection.
        MissingExtra: its driver is not installed.
    """
    from sqlalchemy import event
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    # The address may be invalid: hide everything that could be a password.
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
        # Rendered again: this quotes braces, which Optuna would take for placeholders.
        storage = _connected(url.render_as_string(hide_password=False), beats=beats)
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
            # A trial makes a dozen small writes. Waiting for the disk at each would take longer
            # than some trainings. A power cut may lose the last trials, but not damage the file.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")

        storage.engine.dispose()
    return storage


def _connected(address: str, *, beats: bool) -> Any:
    """Connect, and make missing tables; try again if another machine is making them now."""
    import optuna
    from sqlalchemy.exc import OperationalError

    seconds = (BEAT, GRACE) if beats else (None, None)
    for left in reversed(range(TRIES)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                return optuna.storages.RDBStorage(
                    address, heartbeat_interval=seconds[0], grace_period=seconds[1]
                )
        except (ImportError, OperationalError):
            raise
        except Exception:
            if not left:
                raise
        with warnings.catch_warnings():
            # The failed attempt left connections open: close them without a warning.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
        time.sleep(PAUSE)
    raise AssertionError  # never reached


def _reason(error: BaseException) -> str:
    """Return the first line of a library's error message, or of its cause's."""
    cause: BaseException = getattr(error, "orig", None) or error.__cause__ or error
    cause = getattr(cause, "orig", None) or cause
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    return lines[0].strip().rstrip(".")


def told(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function: an error of the database becomes a SweepError of one sentence."""

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
    """Return whether `hidden` has removed a password from an address."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        return False  # `connect` says what is wrong with it
    return _HIDDEN in (url.password, *(url.query.get(key) for key in _secrets(url)))


def _without_password(url: URL) -> str:
    """Render an address without its passwords, in the query too."""
    shown = url.update_query_dict(dict.fromkeys(_secrets(url), _HIDDEN))
    # Rendering quotes the stars; undo that.
    return shown.render_as_string(hide_password=True).replace("%2A%2A%2A", _HIDDEN)


def _secrets(url: URL) -> list[str]:
    """Return the keys of an address's query whose values are passwords."""
    return [key for key in url.query if key.lower() in ("password", "passwd", "pwd", "sslpassword")]
