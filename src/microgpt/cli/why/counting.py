"""`microgpt why counting`: a table of pairs, counted; and the same table, learned.

In: nothing, or a run and a text. Out: the pairs of a text, what each costs by the tables and by the
GPT; the losses of the tables; slopes by the formula and measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from rich.text import Text

from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import say
from microgpt.cli.terminal.tables import table
from microgpt.cli.why.place import say_other_windows
from microgpt.cli.why.subject import Subject
from microgpt.counting import learned
from microgpt.counting.learned import Floats
from microgpt.counting.pairs import Counts
from microgpt.data import corpus
from microgpt.data.batch import Batch, lay_out
from microgpt.data.split import split
from microgpt.data.tokenizer import Characters, Tokenizer, encode_all
from microgpt.data.tokenizer.shown import symbols
from microgpt.data.tokenizer.unknown import charge, readable
from microgpt.loss import LossSum
from microgpt.loss.many import Softmax
from microgpt.runs.reading import BOS
from microgpt.wording import count, figures, printable

_STEPS = (0, 1, 10, 100, 1000)
# The most numbers of a table that is learned, and the most that all its steps compute.
_LARGEST, _WORK = 1 << 22, 200_000_000
# Slopes are shown after this many steps: at the end all of them are nearly 0.
_SLOPES, _FEW = 10, 8


def example() -> None:
    """Print the tables of the embedded names."""
    read = corpus.read(corpus.Source())
    tell(_numbers("smith", Characters.of(read.documents), *split(read, 0.1), 64))


def numbers(on: Subject) -> dict[str, Any]:
    """Return the losses of the tables on the run's documents, and a text's beside the GPT's."""
    run = on.run
    record = _numbers(on.text, run.tokenizer, *run.documents, on.config.block_size)
    gpt = charge(np.array(on.losses), np.array(on.read.targets), run.tokenizer).tolist()
    for at, *its in zip(record["pairs"], on.read.read, on.read.coming, gpt):
        at["read"], at["coming"], at["gpt"] = its
    return {**record, "n": on.read.positions, "mixture": run.mixture is not None}


def tell(numbers: dict[str, Any]) -> None:
    """Print the pairs of the text, the losses of the tables, and slopes."""
    _tell_pairs(numbers)
    parts = {"trained on": "trained", **({"held out": "held_out"} if numbers["held_out"] else {})}
    if not numbers["losses"]:
        say(
            f"A table of {numbers['vocab_size']:,} rows and as many columns is not learned here: "
            "it would take too long."
        )
        return
    rows = table(f"nats a {numbers['unit']}", *parts)
    for at in numbers["losses"]:
        own = [at[name] for name in parts.values()]
        rows.add_row(at["table"], *map(figures, own))
    stdout().print(rows)
    say()
    say(
        "counted: p is the pair's share of its row, 0 if it never came. smoothed: every pair has "
        f"some. Steps: gradient descent from zeros, learning rate {numbers['rate']:.1f}."
    )
    say()
    rows = table("reads", "next", "slope by formula", "measured", left=2)
    for at in numbers["slopes"]:
        names = Text(at["read"], "bold"), at["coming"]
        rows.add_row(*names, f"{at['formula']:+.9f}", f"{at['measured']:+.9f}")
    stdout().print(rows)
    say()
    say(
        f"After {numbers['slopes_after']} steps, how the mean loss changes with one logit of the "
        "table; measured: with the logit a little higher and a little lower. A slope is 0 where p "
        "is the counted share: so descent comes to the counted table."
    )


def _tell_pairs(numbers: dict[str, Any]) -> None:
    pairs = numbers["pairs"]
    say(
        f'"{printable(numbers["text"])}" in pairs: how often each came in '
        f"{count(numbers['documents'], 'document')}, and its loss in nats."
    )
    say()
    names = {"smoothed": "smoothed", "learned": "learned", "gpt": "GPT"}
    names = {name: head for name, head in names.items() if name in pairs[0]}
    heads = "reads", "next", "times", "of", "share"
    rows = table(*heads, *names.values(), left=2, least=("of", "share", "times"))
    for at in pairs:
        share = f"{at['times'] / at['of']:.1%}" if at["of"] else ""
        came = at["coming"], f"{at['times']:,}", f"{at['of']:,}", share
        rows.add_row(Text(at["read"], "bold"), *came, *(figures(at[name], 2) for name in names))
    means = [LossSum.of([at[name] for at in pairs]).mean for name in names]
    rows.add_row("mean", *[""] * 4, *(figures(mean, 2) for mean in means), style="bold")
    stdout().print(rows)
    say_other_windows(len(pairs), numbers.get("n", 0))
    say()
    if numbers.get("mixture"):
        say("GPT: the GPT alone, without the counts that this run mixes it with.")
        say()


def _numbers(
    text: str, tokenizer: Tokenizer, trained: Sequence[str], held_out: Sequence[str], block: int
) -> dict[str, Any]:
    """Return all but the GPT's losses."""

    def laid(texts: Sequence[str]) -> Batch:
        return lay_out(encode_all(tokenizer, texts), tokenizer.bos, block).batch

    V, read = tokenizer.vocab_size, laid([text]).take(np.array([0]))
    counts, its = Counts.of(laid(trained), V), readable(read, tokenizer)
    tokens_T, targets_T = (ids_T.astype(np.int64) for ids_T in (its.tokens_N, its.targets_N))
    known_T = read.targets_N == its.targets_N
    names = symbols(tokenizer)
    columns: dict[str, list[Any]] = {
        "read": [BOS, *(names[i] for i in tokens_T[1:].tolist())],
        "coming": [names[i] for i in targets_T.tolist()],
        "times": (counts.times(its) * known_T).astype(int).tolist(),
        "of": counts.contexts_V[tokens_T].astype(int).tolist(),
        "smoothed": charge(counts.bigram(its), read.targets_N, tokenizer).tolist(),
    }
    record: dict[str, Any] = {
        "text": text, "unit": tokenizer.unit, "vocab_size": V, "documents": len(trained),
        "held_out": len(held_out), "losses": [], "slopes": [],
    }  # fmt: skip
    if V * V <= _LARGEST:
        own_VV = learned.times(counts)
        held_VV = learned.times(Counts.of(laid(held_out), V)) if held_out else None
        steps = [step for step in _STEPS if step * V * V <= _WORK]
        after = dict(zip(steps, learned.after(own_VV, steps)))
        tables = {count(step, "step"): table_VV for step, table_VV in after.items()}
        tables |= {"counted": learned.counted(own_VV), "smoothed": counts.log_p_VV}
        record["losses"] = [*_losses(tables, own_VV, held_VV)]
        nats_T = Softmax(after[steps[-1]][tokens_T]).losses(targets_T)
        columns["learned"] = charge(nats_T, read.targets_N, tokenizer).tolist()
        pairs = dict.fromkeys(zip(tokens_T[known_T].tolist(), targets_T[known_T].tolist()))
        record["slopes"] = [
            {"read": BOS if a == tokenizer.bos else names[a], "coming": names[b], **slopes}
            for (a, b), slopes in _slopes(after[_SLOPES], own_VV, [*pairs][:_FEW])
        ]
        record |= {"rate": learned.rate(own_VV), "slopes_after": _SLOPES}
    record["pairs"] = [dict(zip(columns, values)) for values in zip(*columns.values())]
    return record


def _losses(
    tables: dict[str, Floats], own_VV: Floats, held_VV: Floats | None
) -> Iterator[dict[str, Any]]:
    for name, table_VV in tables.items():
        held = None if held_VV is None else learned.loss(table_VV, held_VV).mean
        yield {"table": name, "trained": learned.loss(table_VV, own_VV).mean, "held_out": held}


def _slopes(
    table_VV: Floats, own_VV: Floats, pairs: list[tuple[int, int]]
) -> Iterator[tuple[tuple[int, int], dict[str, float]]]:
    slopes_VV = learned.gradient(table_VV, own_VV)
    for pair in pairs:
        measured = learned.nudged(table_VV, own_VV, pair)
        yield pair, {"formula": float(slopes_VV[pair]), "measured": measured}
