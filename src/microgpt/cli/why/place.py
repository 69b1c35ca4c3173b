"""Where in a text an idea is explained, in a sentence: one position, or the whole window.

In: a `Subject`. Out: a record, ready for JSON; the sentences that it is printed as.
"""

from __future__ import annotations

from typing import Any

from microgpt.cli.terminal.say import say
from microgpt.cli.why.subject import Subject
from microgpt.data.windows import APART
from microgpt.wording import count, figures, printable

READ = 12
"""How many tokens before a position are shown: the last ones."""

Record = dict[str, Any]


def window(on: Subject) -> Record:
    """Return what is read: the text, and what is shown for each token and target."""
    run, read = on.run, on.read
    return {
        "text": on.text, "read": read.read, "coming": read.coming,
        "losses": [None if x != x else x for x in on.losses.tolist()],
        "positions": read.positions, "counts": run.mixed_with or None,
    }  # fmt: skip


def costliest(on: Subject) -> Record:
    """Return `window` with the position that has the highest loss."""
    return {**window(on), "position": on.costliest}


def say_position(about: str, record: Record) -> None:
    """Print which position is shown and why, under a heading."""
    t, losses = record["position"], record["losses"]
    say(f'{about}: "{printable(record["text"])}", position {t}', "bold")
    read = record["read"][: t + 1]
    shown = " ".join(["…", *read[-READ:]] if len(read) > READ else read)
    coming = record["coming"][t]
    if losses[t] is None:
        say(f"The model has read {shown}; {coming} comes, which it does not know.")
    else:
        of = "of those that are known here" if None in losses else "in this text"
        say(
            f"The model has read {shown}; {coming} comes. The loss there is the highest {of}: "
            f"{figures(losses[t])} nats."
        )
    _say_what_is_left_out(record)


def say_window(about: str, record: Record) -> None:
    """Print what is read, under a heading."""
    say(f'{about}: "{printable(record["text"])}"', "bold")
    _say_what_is_left_out(record)


def chance(p: float) -> str:
    """Write a probability or a share.

    >>> chance(0.25), chance(0.00001234), chance(0.0)
    ('0.2500', '1.2e-05', '0.0000')
    """
    return f"{p:.4f}" if p >= 0.0001 or not p else f"{p:.1e}"


def short(place: str) -> str:
    """Write the name of a place in the model as a heading.

    >>> short("layer0 attention"), short("embedding")
    ('attention 0', 'embedding')
    """
    layer, _, part = place.partition(" ")
    return f"{part} {layer.removeprefix('layer')}" if part else place


def ends(layers: int) -> list[int]:
    """Return the layers that are shown: all of a few, the first and the last of many.

    >>> ends(2), ends(12)
    ([0, 1], [0, 11])
    """
    return list(range(layers)) if layers <= 4 else [0, layers - 1]


def say_between(layers: int) -> None:
    """Say which layers are left out."""
    if layers > len(ends(layers)):
        say(f"The {layers - 2} layers between are left out; --json has all.")
        say()


def say_other_windows(read: int, positions: int) -> None:
    """Say that a text is longer than the window that is shown, if it is."""
    if read < positions:
        say(
            f"This is the first window, of block_size = {read:,} positions. The other "
            f"{count(positions - read, 'position')} are read in later windows. When a loss is "
            "measured, each of these begins with half a block of the one before, in a text of "
            f"more than {APART} blocks."
        )


def _say_what_is_left_out(record: Record) -> None:
    say_other_windows(len(record["read"]), record["positions"])
    if record["counts"]:
        say(f"This is the GPT alone, without the {record['counts']} that it is mixed with.")
    say()
