"""The tables of the pages, made from the records that benchmarks write.

In: a page with a place for rows. Out: the page with the record's present rows.
"""

from __future__ import annotations

import json
import re
import statistics
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import processes

from microgpt.experiment.rows import TableRow, cells, explained, headings
from microgpt.experiment.variants import COMPARISONS, Comparison
from microgpt.loss import OBJECTIVES
from microgpt.wording import count

FOLDER = processes.FOLDER
_TABLE = re.compile(r"(?<=<!-- rows -->\n).*?(?=<!-- end -->)", re.DOTALL)
_REPEATED = re.compile(r"(?<=<!-- repeated -->\n).*?(?=<!-- end -->)", re.DOTALL)


def speed(text: str) -> str:
    """Put the rows of the record into the page on speed."""
    record = json.loads((FOLDER / "speed.json").read_text("utf-8"))
    ours, others = {}, {}
    for row in record["rows"]:
        kind = ours if row["engine"] == "native" else others
        kind.setdefault(row["label"], []).append(row)
    lines = [
        f"A core's peak: {record['peak']:.0f} GFLOP/s. Medians of {record['n']} rounds, "
        f"{record['date']}; {record['build']}, PyTorch {record['torch']}.",
        "",
        "| layers x width | threads | µs a document | µs a token | GFLOP/s | times the limit |"
        " PyTorch eager | `torch.compile` |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for label, rows in ours.items():
        for row in rows:
            cells = [label, row["threads"], f"{row['document'] * 1e6:.2f}"]
            cells += [f"{row['token'] * 1e6:.3f}", f"{row['speed']:.0f}"]
            cells.append(f"{row['document'] / row['limit']:.2f}")
            # Only in rows of one thread: PyTorch was measured on one.
            beside = others.get(label, [None, None]) if row["threads"] == 1 else [None, None]
            cells += [f"{r['document'] / row['document']:.1f}x" if r else "" for r in beside]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    text = _TABLE.sub("\n".join(lines) + "\n", text)
    text = _put(text, "cliffs", _cliffs("blocks"))
    text = _put(text, "vocabularies", _cliffs("vocabularies"))
    text = _put(text, "phases", _phases())
    return processes.tables(_put(text, "threads", _threads()))


def _put(text: str, name: str, table: str) -> str:
    """Put a table into the place of that name in a page."""
    place = rf"(?<=<!-- {name} -->\n).*?(?=<!-- end {name} -->)"
    return re.sub(place, lambda _: table, text, flags=re.DOTALL)


def _spread(values: Sequence[float]) -> str:
    """Show the mean of some losses, with the least and the most."""
    return f"{statistics.mean(values):.4f} ({min(values):.4f} to {max(values):.4f})"


def _cliffs(kind: str) -> str:
    """Return the table of long blocks, or that of large vocabularies."""
    record = json.loads((FOLDER / "cliffs.json").read_text("utf-8"))[kind]
    lines = [
        f"Medians of {record['n']} rounds, with the least and the most; {record['date']}, "
        f"{record['build']}, one thread.",
        "",
        "| layers x width | ms a step | times the limit | MB |",
        "|---|---|---|---|",
    ]
    for row in record["rows"]:
        step = [f"{row[key] * 1e3:.1f}" for key in ("step", "low", "high")]
        cells = [row["label"], "{} ({} to {})".format(*step)]
        cells += [f"{row['step'] / row['limit']:.2f}", f"{row['megabytes']:.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _phases() -> str:
    """Return the table of what a step is made of."""
    record = json.loads((FOLDER / "phases.json").read_text("utf-8"))
    lines = [
        f"Times the limit, and the part of the limit in brackets; {record['date']}, "
        f"{record['build']}, one thread; the least of several turns.",
        "",
        "| layers x width | products | attention | Adam | all else | together | a step |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in record["rows"]:
        alone, limit = row["alone"], row["limit"]
        cells = [f"{alone[name]:.2f} ({limit[name]:.2f})" for name in limit]
        cells += [f"{alone['others']:.2f}", f"{sum(alone.values()):.2f}", f"{row['step']:.2f}"]
        lines.append(f"| {row['label']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _threads() -> str:
    """Return the table of what threads are worth: two as measured, more as counted."""
    record = json.loads((FOLDER / "threads.json").read_text("utf-8"))
    numbers = [int(n) for n in record["rows"][0]["counted"]]
    lines = [
        f"{record['nanoseconds']:.0f} ns a cache line.",
        "",
        "| layers x width | 2, measured | " + " | ".join(f"{n}, counted" for n in numbers)
        + " | lines of 2 | of 16 |",
        "|---|---|" + "---|" * len(numbers) + "---|---|",
    ]  # fmt: skip
    for row in record["rows"]:
        cells = [row["label"], f"{row['measured']:.2f}"]
        cells += [f"{row['counted'][str(n)]:.1f}" for n in numbers]
        cells += [f"{row['lines'][n]:,}" for n in ("2", "16")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def race(text: str) -> str:
    """Put the rows of the record into the page on the race."""
    record = json.loads((FOLDER / "race.json").read_text("utf-8"))
    lines = [
        f"Medians, with the least and the most; {record['date']}, {record['threads']} threads, "
        f"{record['build']}, commit {record['commit'][:7]}.",
        "",
        "| split | `--seconds` | seeds | nats a character | training, s | process, s | read |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in record["rows"]:
        low, middle, high = row["loss"]
        cells = [row["split"], row["budget"], row["n"]]
        cells.append(f"{middle:.4f}" + (f" ({low:.4f} to {high:.4f})" if row["n"] > 1 else ""))
        cells += [f"{row['seconds'][1]:.2f}", f"{row['process'][1]:.1f}"]
        cells.append(f"{row['epochs'][1]:.1f} times")
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    alone = ", ".join(f"{name} {loss:.3f}" for name, loss in record["counts"].items())
    lines += ["", f"Counts of five in a row alone: {alone}."]
    text = _TABLE.sub("\n".join(lines) + "\n", text)
    text = _put(text, "streams", _streams())
    text = _put(text, "ensembles", _ensembles())
    text = _put(text, "counts", _counts())
    text = _put(text, "schedules", _schedules())
    text = _put(text, "log-linear", _loglinear())
    return _put(text, "bpe", _tokenizers())


def _counts() -> str:
    """Return the table of GPTs mixed with counts of more and fewer characters."""
    record = json.loads((FOLDER / "counts.json").read_text("utf-8"))
    lengths = sorted(int(key.split()[-1]) for key in record["rows"][0]["losses"] if "counts" in key)
    lines = [
        f"Means of {len(record['rows'][0]['losses']['gpt'])} seeds, and megabytes of the counts; "
        f"{record['date']}, {record['threads']} thread, {record['build']}, "
        f"commit {record['commit'][:7]}.",
        "",
        "| text | positions | block | GPT alone | " + " | ".join(f"+ {n}" for n in lengths) + " |",
        "|---|---|---|---|" + "---|" * len(lengths),
    ]
    for row in record["rows"]:
        means = {key: statistics.mean(values) for key, values in row["losses"].items()}
        cells = [row["text"], f"{row['positions']:,}", row["block"], f"{means['gpt']:.4f}"]
        cells += [f"{means[f'gpt + {n}']:.4f}; {means[f'bytes of {n}'] / 1e6:.1f}" for n in lengths]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines += [
        "",
        "The long text with a cache of itself; *crossed*: each half of the text with weights "
        "fitted on the other half.",
        "",
        "| recipe of | counts | without | with the cache | crossed |",
        "|---|---|---|---|---|",
    ]
    for row in record["rows"]:
        losses = row["losses"]
        for n in (n for n in lengths if f"gpt + {n} + cache" in losses):
            each = [losses[f"gpt + {n}{what}"] for what in ("", " + cache", " + cache, crossed")]
            cells = [f"{row['seconds']} s", str(n), *map(_spread, each)]
            lines.append("| " + " | ".join(cells) + " |")
    record = json.loads((FOLDER / "cached.json").read_text("utf-8"))
    slower = [100 * (statistics.median(record[what]) - 1) for what in ("evaluate", "fit")]
    costs = (
        f"With it `evaluate` takes {slower[0]:.0f} % more time, an evaluation in a training "
        f"{slower[1]:.0f} % (medians of {record['rounds']} rounds in turns, "
        f"`python benchmarks/cached.py FOLDER`), and a position of the text "
        f"{record['bytes a position'][0]:.0f} bytes."
    )
    lines += ["", *textwrap.wrap(costs, 120)]
    return "\n".join(lines) + "\n"


def _loglinear() -> str:
    """Return the table of log-linear mixtures."""
    record = json.loads((FOLDER / "loglinear.json").read_text("utf-8"))
    names = [*record["rows"][0]["losses"]]
    seeds = [str(len(row["losses"][names[0]])) for row in record["rows"]]
    lines = [
        f"Means, with the least and the most; {record['date']}, {record['build']}.",
        "",
        "| mixture | " + " | ".join(
            f"{row['seconds']} s, {count(row['models'], 'GPT')}" for row in record["rows"]) + " |",
        "|---|" + "---|" * len(record["rows"]),
        "| seeds | " + " | ".join(seeds) + " |",
    ]  # fmt: skip
    for name in names:
        cells = [name]
        cells += [_spread(row["losses"][name]) for row in record["rows"]]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _streams() -> str:
    """Return the table of ways to train on one long text, and to measure it."""
    record = json.loads((FOLDER / "streams.json").read_text("utf-8"))
    lines = [
        f"Means, with the least and the most; {record['date']}, {record['threads']} thread, "
        f"{record['build']}, commit {record['commit'][:7]}.",
        "",
        "| recipe of | read | windows | seeds | context | GPT alone | + counts of 5, in windows |"
        " + 5 | + 6 | + 7 | + 8 |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in record["rows"]:
        for context in ("none", "half", "three quarters"):
            cells = [f"{row['seconds']} s", f"{row['epochs']:.1f} times"]
            cells += ["shifted" if row["shifted"] else "the same", len(row["process"]), context]
            for counts in ("", " + 5 in windows", " + 5", " + 6", " + 7", " + 8"):
                values = row["losses"].get(f"gpt, {context}{counts}")
                shown = _spread if not counts else lambda its: f"{statistics.mean(its):.4f}"
                cells.append(shown(values) if values else "")
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def _ensembles() -> str:
    """Return the table of one GPT beside several in the same time."""
    record = json.loads((FOLDER / "ensembles.json").read_text("utf-8"))
    lines = [
        f"Medians, with the least and the most; {record['date']}, {record['build']}.",
        "",
        "| seconds | GPTs | width, layers | steps | parameters | seeds | GPTs + counts |"
        " GPTs alone | parameters of |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(record["rows"], key=lambda row: (row["seconds"], row["models"])):
        spread: list[str] = []
        for key in ("loss", "alone"):
            each = [one[key] for one in row["seeds"].values()]
            spread.append(f"{statistics.median(each):.4f} ({min(each):.4f} to {max(each):.4f})")
        shape = f"{row['n_embd']}, {row['n_layer']}"
        cells = [row["seconds"], row["models"], shape, f"{row['steps']:,}"]
        kind = "the last step" if row["kind"] == "last" else f"the {row['kind']} of the steps"
        cells += [f"{row['parameters']:,}", len(row["seeds"]), *spread, kind]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def _schedules() -> str:
    """Return the table of other schedules, averages and counts."""
    record = json.loads((FOLDER / "schedules.json").read_text("utf-8"))
    lines = [
        f"Medians, with the least and the most; {record['date']}, {record['build']}.",
        "",
        "| changed | seeds | GPT + counts | GPT alone |",
        "|---|---|---|---|",
    ]
    for row in record["rows"]:
        low, middle, high = row["loss"]
        spread = f"{middle:.4f} ({low:.4f} to {high:.4f})"
        lines.append(f"| {row['kind']} | {row['n']} | {spread} | {row['alone']:.4f} |")
    return "\n".join(lines) + "\n"


def _tokenizers() -> str:
    """Return the table of tokenizers in the same seconds."""
    record = json.loads((FOLDER / "bpe.json").read_text("utf-8"))
    lines = [
        f"Medians, with the least and the most; {record['date']}, {record['threads']} threads, "
        f"{record['build']}, commit {record['commit'][:7]}.",
        "",
        "| tokenizer | `--seconds` | seeds | bits a byte | GPT alone | read | width, layers |"
        " bytes a token | process, s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in record["rows"]:
        spread = [f"{row[key][1]:.3f} ({row[key][0]:.3f} to {row[key][2]:.3f})"
                  for key in ("bits_per_byte", "alone")]  # fmt: skip
        cells = [row["tokenizer"], row["budget"], row["n"], *spread, f"{row['read'][1]:.1f} times"]
        cells.append(f"{row['n_embd'][1]}, {row['n_layer'][1]}")
        cells += [f"{row['bytes'][1] / row['positions'][1]:.2f}", f"{row['process'][1]:.1f}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def losses(text: str) -> str:
    """Put the rows of the record into the page on the loss."""
    record = json.loads((FOLDER / "why.json").read_text("utf-8"))

    def cell(values: list[float] | None, form: str) -> str:
        if values is None:
            return ""
        low, middle, high = (format(value, form) for value in values)
        return f"{middle} ({low} to {high})" if low != high else middle

    lines = [
        "| text | steps | loss | nats | the likeliest came | p < 0.01 | w there | stayed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in record["rows"]:
        cells = [row["text"], row["steps"], OBJECTIVES[row["objective"]].formula]
        cells += [cell(row["loss"], ".2f"), cell(row["accuracy"], ".1%"), cell(row["wrong"], ".0%")]
        cells += [cell(row["wrong_weight"], ".1g"), cell(row["stayed"], ".0%")]
        lines.append("| " + " | ".join(cells) + " |")
    return _TABLE.sub("\n".join(lines) + "\n", text)


def compressed(text: str) -> str:
    """Put the rows of the record into the page on compression."""
    record = json.loads((FOLDER / "compress.json").read_text("utf-8"))
    lines = [
        f"One training each; {record['date']}, {record['threads']} threads, {record['build']}.",
        "",
        "| text | bytes | nats a character | its losses, bytes | code | header | gzip -9 | xz -9e |"
        " xz -9e behind the rest | there, s | back, s |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in record["rows"]:
        cells = [f"{row['text']}, {row['file']}", f"{row['bytes']:,}", f"{row['loss']:.4f}"]
        cells += [f"{row['losses']:,.1f}", f"{row['compressed'] - row['header']:,}", row["header"]]
        cells += [f"{row['gzip']:,}", f"{row['xz']:,}"]
        cells.append(f"{row['seen']:,}" if "seen" in row else "")
        cells += [f"{row[way]:.1f}" for way in ("seconds", "seconds_back")]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    models = {row["text"]: f"{row['text']} {row['model']:,} bytes" for row in record["rows"]}
    lines += ["", f"The models, which no column counts: {', '.join(models.values())}."]
    return _TABLE.sub("\n".join(lines) + "\n", text)


def exported(text: str) -> str:
    """Put the rows of the record into the page on exported models."""
    record = json.loads((FOLDER / "export.json").read_text("utf-8"))
    lines = [
        f"Losses, and what 16 bits add: {record['rows'][0]['documents']:,} held-out documents of "
        f"{record['file']}. Distances: the first {record['texts']:,} of them, "
        f"{record['rows'][0]['16']['positions']:,} positions. One training each; "
        f"{record['date']}, {record['build']}.",
        "",
        "| model | nats a character | what 16 bits add | file, 16 bits | file, 32 bits | "
        "farthest from the engine at a position | from the run itself, 16 bits |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in record["rows"]:
        short, whole = row["16"], row["32"]
        cells = [row["model"], f"{row['loss']:.4f}", f"{row['cost']:.7f}"]
        cells += [f"{size['bytes'] / 1000:.0f} kB" for size in (short, whole)]
        cells += [f"{max(short['off'], whole['off']):.7f}", f"{short['from_run']:.4f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return _TABLE.sub("\n".join(lines) + "\n", text)


def scored(text: str) -> str:
    """Put the rows of the record into the page on scores."""
    record = json.loads((FOLDER / "score.json").read_text("utf-8"))

    def middle(values: list[float], digits: int, factor: float = 1.0) -> str:
        low, high = (f"{factor * end(values):.{digits}f}" for end in (min, max))
        return f"{factor * statistics.median(values):.{digits}f} ({low} to {high})"

    flags = record["flags"]
    lines = [
        "| asked for | told, the mean of all | flagged, of lines never seen |"
        " of these with two letters exchanged | splits |",
        "|---|---|---|---|---|",
    ]
    for rate in sorted({row["rate"] for row in flags}):
        some = [row for row in flags if row["rate"] == rate]
        told = statistics.mean(float(row["said"].split("%")[0].split()[-1]) for row in some)
        cells = [f"{rate:.0%}", f"{told:.2f} %"]
        cells += [
            f"{middle([row[key] for row in some], 2, 100)} %"
            for key in ("flagged", "swapped_flagged")
        ]
        lines.append(f"| {' | '.join([*cells, str(len(some))])} |")
    lines += [
        "",
        f"Medians, with the least and the most; {record['date']}, {record['threads']} processors,"
        f" {record['build']}.",
        "",
        "| lines | characters a line | rows | million characters a second | with the ends |"
        " from start to end | megabytes, for four times as much |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in record["speeds"]:
        cells = [row["text"], f"{row['characters_a_line']:.1f}", row["format"]]
        cells += [
            middle(row[f"{key}_per_second"], 1, 1e-6)
            for key in ("characters", "positions", "whole_characters")
        ]
        cells.append(", ".join(f"{size:.0f}" for size in row["megabytes"]))
        lines.append(f"| {' | '.join(cells)} |")
    return _repeated(_TABLE.sub("\n".join(lines) + "\n", text))


def clusters(text: str) -> str:
    """Put the rows of the record into the page on clusters."""
    record = json.loads((FOLDER / "cluster.json").read_text("utf-8"))
    rounds = record["rounds"]

    def spread(of: Callable[[dict[str, float]], float], form: str) -> str:
        each = [of(row) for row in rounds]
        return "{:{f}} ({:{f}} to {:{f}})".format(
            statistics.median(each), min(each), max(each), f=form
        )

    rows, loads = record["rows"], [row["load"] for row in rounds]
    lines = [
        f"Names, {rows:,} rows, for Ray {record['many']:,}; medians of {len(rounds)} rounds, with "
        f"the least and the most; {record['date']}, {record['build']}, Ray {record['ray']}; "
        f"{record['processors']} processors, for which {min(loads):.0f} to {max(loads):.0f} "
        "programs asked at once.",
        "",
        "| one process, one thread | |",
        "|---|---|",
        f"| `score_batches`, rows a second | {spread(lambda r: rows / r['batches'], ',.0f')} |",
    ]
    for ending in ("csv", "parquet"):
        times = spread(lambda r, its=ending: (r[its] - r["start"]) / r["batches"], ".1f")
        lines.append(f"| times as many as `microgpt score -o rows.{ending}` | {times} |")
    one = spread(lambda r: r["alone"] / r["ray 1"], ".2f")
    two = spread(lambda r: r["ray 1"] / r["ray 2"], ".2f")
    lines.append(f"| Ray with one worker, times as many as without Ray | {one} |")
    lines.append(f"| Ray with two workers, times as many as with one | {two} |")
    return _TABLE.sub("\n".join(lines) + "\n", text)


def _repeated(text: str) -> str:
    """Put the rows of the record on lines that repeat into the page on scores."""
    record = json.loads((FOLDER / "flag_rate.json").read_text("utf-8"))
    lines = [
        "| lines | asked for | told, the means | flagged, the mean | told interval held |"
        " that of held-out ones alone | imagined costs |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind in dict.fromkeys(row["source"] for row in record["imagined"]):
        for rate in sorted({row["rate"] for row in record["real"]}):
            rows, (tried,) = (
                [row for row in record[part] if (row["source"], row["rate"]) == (kind, rate)]
                for part in ("real", "imagined")
            )
            flagged, low, high = (
                statistics.mean(row[key] for row in rows) for key in ("flagged", "low", "high")
            )
            held, n, before = (sum(r[key] for r in rows) for key in ("holds", "n", "before_holds"))
            cells = [kind, f"{rate:.0%}", f"{low:.2%} to {high:.2%}", f"{flagged:.2%}"]
            cells += [f"{held} of {n}", f"{before}", f"{tried['holds']} of {tried['n']}"]
            lines.append(f"| {' | '.join(cells)} |")
    lines += ["", f"{record['date']}, {record['build']}."]
    return _suspicious(_REPEATED.sub("\n".join(lines) + "\n", text))


def _suspicious(text: str) -> str:
    """Put the rows of the record on mistakes among the first rows into the page on scores."""
    record = json.loads((FOLDER / "suspicious.json").read_text("utf-8"))
    lines = [
        "| 20,000 rows | mistakes | among the first 50 | by the mean loss | one model of all rows,"
        " as long as each | as long as all | suggested | right | seconds a model | files |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for kind in dict.fromkeys(row["kind"] for row in record["rows"]):
        some = [row for row in record["rows"] if row["kind"] == kind]
        keys = ("mistakes", "found", "by_mean", "learnt", "learnt_as_long", "suggested", "right")
        cells = [kind, *(", ".join(str(row[key]) for row in some) for key in keys)]
        cells += [", ".join(f"{row['seconds']:g}" for row in some), str(len(some))]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", f"A number for each file; {record['date']}, {record['threads']} processors,"]
    lines[-1] += f" {record['build']}."
    return _put(text, "suspicious", "\n".join(lines) + "\n")


def attention(text: str) -> str:
    """Put the rows of the record into the page on PyTorch."""
    rows = json.loads((FOLDER / "attention.json").read_text("utf-8"))["now"]
    ways = list(dict.fromkeys(row["way"] for row in rows if "ms" in row))
    lines = [f"| documents | {' | '.join(ways)} |", "|---|" + "---|" * len(ways)]
    for what in dict.fromkeys(row["documents"] for row in rows):
        its = {row["way"]: row for row in rows if row["documents"] == what and "ms" in row}
        cells = [f"{its[w]['ms']:.1f} ({its[w]['low']:.1f}-{its[w]['high']:.1f})" for w in ways]
        lines.append(f"| {what} | {' | '.join(cells)} |")
    return _TABLE.sub("\n".join(lines) + "\n", text)


def without_logits(text: str) -> str:
    """Put the rows of the record into the page on the loss of a large vocabulary."""
    rows = json.loads((FOLDER / "linear_cross_entropy.json").read_text("utf-8"))["now"]
    lines = [
        "| N x D x V | way | n | s | MB | of plain's | load |",
        "|---|---|---|---|---|---|---|",
    ]
    plain = {row["label"]: row["megabytes"] for row in rows if row["way"] == "plain"}
    for row in (row for row in rows if "seconds" in row):
        seconds = f"{row['seconds']:.1f}"
        if row["n"] > 1:
            seconds += f" ({row['low']:.1f}-{row['high']:.1f})"
        share = f"1/{plain[row['label']] / row['megabytes']:.0f}" if row["label"] in plain else ""
        cells = [row["label"], row["way"], row["n"], seconds, f"{row['megabytes']:,}", share]
        lines.append("| " + " | ".join(map(str, [*cells, row["load"]])) + " |")
    return _TABLE.sub("\n".join(lines) + "\n", text)


def prepared(text: str) -> str:
    """Put the rows of the record into the page on data."""
    record = json.loads((FOLDER / "prepare.json").read_text("utf-8"))

    def cell(values: list[float], form: str) -> str:
        low, middle, high = (format(value, form) for value in values)
        return f"{middle} ({low} to {high})"

    rows = sorted(record["race"], key=lambda row: (row["tokenizer"] == "bpe", row["processes"]))
    loads = sorted(row["load"] for row in rows)
    lines = [
        f"Medians of {rows[0]['n']} rounds, with the least and the most; {rows[0]['date']}, "
        f"{rows[0]['processors']} processors, load average {loads[0]:.0f} to {loads[-1]:.0f} at "
        f"the start, datasets {rows[0]['version']}, lines of about 100 bytes.",
        "",
        "| tokenizer, MB | processes | MB/s | `datasets`, MB/s | times as fast |"
        " processor, s | `datasets` | memory, MB | `datasets` |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ours, theirs = row["microgpt"], row["datasets"]
        cells = [f"{row['tokenizer']}, {row['megabytes']:.0f}", row["processes"]]
        cells += [cell(one["rate"], ".1f") for one in (ours, theirs)]
        cells.append(cell(row["ratio"], ".1f"))
        cells += [f"{one['processor'][1]:.1f}" for one in (ours, theirs)]
        cells += [f"{one['together'][1]:.0f}" for one in (ours, theirs)]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    large = record["large"]
    made, trained = large["prepare"], large["train"]
    lines += [
        "",
        f"Under a limit of {large['limit']:,.0f} MB on a process's own memory, "
        f"{large['megabytes']:,.0f} MB of text, {large['documents'] / 1e6:.1f} million documents: "
        f"prepared by one process in {made['seconds']:.0f} s, with at most "
        f"{made['megabytes']:,.0f} MB; trained on for 100 steps, start and closing table included, "
        f"in {trained['seconds']:.0f} s, with at most {trained['megabytes']:,.0f} MB "
        f"(load average {large['load']:.0f}).",
    ]
    return _TABLE.sub("\n".join(lines) + "\n", text)


def scale(text: str) -> str:
    """Put the rows of the record into the page on scale."""
    record = json.loads((FOLDER / "ranks.json").read_text("utf-8"))

    def way(row: dict[str, Any]) -> str:
        return f"{row['ranks']}{', sharded' if row['shard'] else ''}"

    steps = [*record["losses"][0]["loss"]]
    losses = ["| ranks | " + " | ".join(f"loss of step {step}" for step in steps) + " |"]
    losses.append("|---" * (len(steps) + 1) + "|")
    for row in record["losses"]:
        losses.append(
            f"| {way(row)} | " + " | ".join(f"{x:.7f}" for x in row["loss"].values()) + " |"
        )
    lines = [
        f"{record['processors']} processors, a thread a rank, PyTorch {record['torch']}, gloo, "
        f"load average {record['load']:.0f}; medians of {record['n']} rounds, with the least and "
        f"the most; {record['date']}.",
        "",
        "| layers x width | parameters | ranks | a step, s | by the model, s | g, ms "
        "| tensors, MB | by the model, MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in record["rows"]:
        cells = [row["model"], f"{row['parameters'] / 1e6:.1f} million", way(row)]
        cells.append(f"{row['step']:.3f} ({min(row['all']):.3f} to {max(row['all']):.3f})")
        cells += [f"{row['modelled']:.3f}" if row["ranks"] > 1 else "", f"{row['sum'] * 1e3:.0f}"]
        cells += [f"{row[what] / 1e6:.1f}" for what in ("held", "to hold")]
        lines.append("| " + " | ".join(cells) + " |")
    for name, rows in (("losses", losses), ("ranks", lines)):
        place = re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- end {name} -->)", re.DOTALL)
        text = place.sub("\n".join(rows) + "\n", text)
    return text


def _of_idea(name: str) -> Callable[[str], str]:
    """Return what puts the rows of an idea's experiment into its page."""

    def put(text: str) -> str:
        record = json.loads((FOLDER / "learn.json").read_text("utf-8"))[name]
        comparison, found = COMPARISONS[name], [TableRow(**row) for row in record["rows"]]
        columns = headings(comparison)
        lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
        lines += [f"| {' | '.join(cells(comparison, row))} |" for row in found]
        lines += ["", *_how(record, comparison)]
        return _TABLE.sub("\n".join(lines) + "\n", text)

    return put


def _how(record: dict[str, Any], comparison: Comparison) -> list[str]:
    """Return the lines below the rows of an idea's experiment: what was measured, and how."""
    steps, size = count(record["steps"], "step"), count(record["batch_size"], "document")
    how = f"{steps} of {size}, unless a row says otherwise; {record['date']}."
    return textwrap.wrap(" ".join([*explained(comparison, len(record["seeds"])), how]), 120)


TABLES = {
    "speed.md": speed, "learn/loss.md": losses, "race.md": race, "compress.md": compressed,
    "score.md": scored, "export.md": exported, "gpu.md": attention,
    "linear_cross_entropy.md": without_logits, "cluster.md": clusters, "data.md": prepared,
    "scale.md": scale,
    **{
        f"learn/{name}.md": _of_idea(name)
        for name in COMPARISONS
        if (FOLDER.parents[1] / "docs" / "learn" / f"{name}.md").exists()
    },
}  # fmt: skip
"""Pages with a table of a record, and what writes it."""
