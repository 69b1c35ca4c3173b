"""`microgpt doctor`: the symptoms that a run shows, what usually causes them, what to try."""

from __future__ import annotations

from itertools import zip_longest
from typing import Annotated

from microgpt.cli import flags
from microgpt.cli.flags import flag
from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import say, say_json
from microgpt.cli.terminal.tables import table
from microgpt.cli.train.summary import word
from microgpt.doctor import SYMPTOMS, Diagnosis, Evidence, Finding, examine
from microgpt.wording import count


def doctor(
    run: flags.RunName = None,
    again: Annotated[
        flags.Name | None,
        flag("A second run with the same settings, to see whether the training repeats."),
    ] = None,
    *,
    json: flags.Json = False,
    machine: flags.Machine = flags.MACHINE,
) -> int:
    """Say which symptoms of a mistake a run shows, what usually causes them, and what to try.

    It reads the log and the checkpoint, measures the held-out loss again, and makes the first steps
    again with an engine of this installation. What cannot be looked at is said. The exit code is 1
    if there is a symptom.

    Example: microgpt doctor runs/names-1
    """
    opened = machine.run(run)
    found = examine(Evidence(opened, None if again is None else machine.run(again)))
    if json:
        say_json({"run": str(opened.folder), **found.to_json()})
        return 1 if found.found else 0
    said = count(len(found.found), "symptom") if found.found else "no symptom"
    say(f"{word(opened.folder)}: {said}", "" if found.found else "good")
    for name, look in found.found.items():
        say()
        _symptom(name, look)
    _looked(found)
    return 1 if found.found else 0


def _symptom(name: str, look: Finding) -> None:
    """Print a symptom: what was seen, what usually causes it, what to try."""
    symptom = SYMPTOMS[name]
    say(symptom.title, "bold")
    rows = table("", "", left=2)
    rows.show_header = False
    for label, text in (
        ("  seen", f"{look.said}."),
        ("  usually", symptom.cause),
        ("  try", symptom.remedy),
        ("  read", f"microgpt why {symptom.idea}"),
    ):
        rows.add_row(label, text)
    stdout().print(rows)


def _looked(found: Diagnosis) -> None:
    """Print what else was looked at; looks at the same numbers stand together."""
    together = dict[str, list[str]]()
    for name, look in found.sound.items():
        together.setdefault(f"{look.said}.", []).append(name)
    for title, each in (("Looked at, and sound:", together), ("Not looked at:", _why(found))):
        if each:
            say()
            say(title)
            rows = table("", "", left=2)
            rows.show_header = False
            for text, names in each.items():
                for name, said in zip_longest(names, [text], fillvalue="the same"):
                    rows.add_row(f"  {name}", said)
            stdout().print(rows)


def _why(found: Diagnosis) -> dict[str, list[str]]:
    reasons = dict[str, list[str]]()
    for name, why in found.unseen.items():
        reasons.setdefault(why, []).append(name)
    return reasons
