"""The time of a sweep: what a person says of it, and what fits into it.

In: "60s", "2m", "1h30m". Out: seconds, or one sentence.
"""

from __future__ import annotations

import math
import re

from microgpt.errors import UsageError
from microgpt.sweep.settings import SweepSettings

# The seconds that picture and table take at the end; and how many times as long as a trial the same
# steps take as a run, which writes a log and evaluates.
CLOSING = 1.0
AS_A_RUN = 1.5


def duration(name: str, text: str) -> float:
    """Return the seconds of a time: a number of seconds, or numbers with s, m or h.

    Raises:
        UsageError: it is not a time above 0.

    >>> duration("budget", "90"), duration("budget", "1h30m"), duration("budget", "0.5 m")
    (90.0, 5400.0, 30.0)
    """
    units = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
    part = r"(\d+(?:\.\d*)?|\.\d+)\s*"
    plain = text.strip().lower()
    found = re.findall(rf"{part}([smh]?)", plain)
    seconds = math.fsum(float(number) * units[unit] for number, unit in found)
    if not re.fullmatch(rf"{part}|(?:{part}[smh]\s*)+", plain) or not 0 < seconds < math.inf:
        raise UsageError(f'{name} must be a time like 60s, 2m or 1h; got "{text}".')
    return seconds


def check_fits(settings: SweepSettings, limit: float, last: float | None) -> None:
    """Raise UsageError unless two trainings and the final one fit into the budget."""
    each = settings.seconds or 0.0
    least = CLOSING + 2 * each + (last or AS_A_RUN * each)
    if limit < least:
        raise UsageError(
            f"budget must be {math.ceil(least)}s or more for trainings of {each:g} s and the best "
            f"once more; got {limit:g} s."
        )
