"""One look at a run: the numbers that were looked at, and whether they are a symptom.

In: what a symptom's function has seen. Out: a `Finding`; or an error that says why it cannot look.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from microgpt.errors import MicroGPTError


@dataclass(frozen=True)
class Finding:
    """What was looked at for one symptom.

    Attributes:
        shows: whether the run shows the symptom.
        said: the numbers in words, without the full stop.
        numbers: the same, for programs.
    """

    shows: bool
    said: str
    numbers: dict[str, Any] = field(default_factory=dict[str, Any])


class UnseenError(MicroGPTError):
    """A symptom cannot be looked for; the message says why."""
