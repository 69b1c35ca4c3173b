"""The doctor of a training: which known symptoms a run shows, and what was looked at.

In: a run. Out: a `Diagnosis`: findings, what is sound, and what could not be looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from microgpt.doctor.evidence import Evidence
from microgpt.doctor.finding import Finding
from microgpt.doctor.symptoms import SYMPTOMS, Symptom
from microgpt.errors import MicroGPTError


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor found.

    Attributes:
        found: the symptoms that the run shows, the most specific first, each with what was seen.
        sound: the symptoms that it does not show.
        unseen: the symptoms that could not be looked for, each with the reason.
    """

    found: dict[str, Finding]
    sound: dict[str, Finding]
    unseen: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return the diagnosis as a JSON object."""
        return {
            "symptoms": [
                {"name": name, **SYMPTOMS[name].to_json(), "seen": look.said, **look.numbers}
                for name, look in self.found.items()
            ],
            "sound": [
                {"name": name, "seen": look.said, **look.numbers}
                for name, look in self.sound.items()
            ],
            "unseen": [{"name": name, "why": why} for name, why in self.unseen.items()],
        }


def examine(evidence: Evidence) -> Diagnosis:
    """Look for every symptom.

    Args:
        evidence: the run's log, settings and checkpoint; its documents, if they are found.

    Raises:
        RunError: the log or the checkpoint is missing or damaged, or the log has no step.
    """
    evidence.check()
    looks, unseen = dict[str, Finding](), dict[str, str]()
    for name, symptom in SYMPTOMS.items():
        try:
            looks[name] = symptom.look(evidence)
        except MicroGPTError as error:
            unseen[name] = str(error)
    return Diagnosis(
        {name: look for name, look in looks.items() if look.shows},
        {name: look for name, look in looks.items() if not look.shows},
        unseen,
    )


__all__ = ["SYMPTOMS", "Diagnosis", "Evidence", "Finding", "Symptom", "examine"]
