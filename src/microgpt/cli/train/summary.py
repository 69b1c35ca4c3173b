"""What `microgpt train` prints before the first step and after the last one."""

from __future__ import annotations

import math
from itertools import islice
from pathlib import Path

from microgpt import model
from microgpt.cli.terminal.samples import sample_words, say_samples
from microgpt.cli.terminal.say import note, say, say_commands, say_json, say_row
from microgpt.counting.ladder import Ladder, uniform
from microgpt.counting.mixture import Mixture
from microgpt.counting.named import alone, kind_of, mixed
from microgpt.data.alike import among
from microgpt.data.tokenizer.sizes import is_of_pieces
from microgpt.engines import why_not_native
from microgpt.loss import LN_2
from microgpt.runs import checkpoint
from microgpt.runs.session import Session
from microgpt.runs.trained import Trained
from microgpt.sampling import Choice
from microgpt.training.budget import gain
from microgpt.training.heldout import HeldOut
from microgpt.training.trainer import Trainer
from microgpt.training.verdict import divergence, overweight
from microgpt.wording import count, figures, name_of, path_word, units

# A training loss below this many times the held-out loss means that the text was memorised.
_BY_HEART = 0.8

# A training that needs more bytes of memory says so.
_MUCH = 1e8

# Reading that takes longer than these seconds is reported.
_LONG_READING = 1.0


def opening(session: Session, *, auto: bool) -> None:
    """Print the data and the model; if the slow engine was chosen automatically, also why."""
    trainer = session.trainer
    config, layout, tokens = session.model, trainer.task.layout, session.tokenizer
    unit = tokens.unit
    dataset = trainer.task.dataset
    held = len(dataset.heldout_documents)
    kept = f"{len(dataset.train_documents):,} to learn from, {held:,} held out · " if held else ""
    name = session.settings.source.name
    say(
        f"{name} · {count(len(session.corpus.documents), 'document')} · {kept}"
        f"{count(config.vocab_size, 'token')} ({tokens.alphabet}, BOS)"
    )
    layers, heads = count(config.n_layer, "layer"), count(config.n_head, "head")
    models = session.training.models
    each = f"{models} x " if models > 1 else ""
    say(
        f"{_kind(trainer)} · {layers}, {heads}, width {config.n_embd}, block {config.block_size} · "
        f"{each}{model.size(config):,} parameters · {trainer.engine.label}"
    )
    if session.measured:
        say(session.measured)
    # Of a small model on this machine it is of no interest.
    if session.needs and session.needs.memory > _MUCH:
        say(f"{session.needs}.")
    if session.why:
        rate = f"{count(session.training.batch_size, 'document')} a step"
        say(
            f"{session.why}; chosen for that: the size, {rate}, Muon, dropout "
            f"{session.training.dropout:g}."
        )
    if session.reading >= _LONG_READING:
        say(f"Reading took {session.reading:.2g} s.")
    seconds = session.training.seconds or math.inf
    if trainer.spent > seconds / 2:
        say(
            f"Preparing took {trainer.spent:.2g} s; half of the {seconds:g} s is for training "
            "all the same."
        )
    if auto and trainer.engine.name == "scalar":
        say(f"The native engine, thousands of times faster, is not there: {why_not_native()}.")
    if session.corpus.blank:
        say(f"{count(session.corpus.blank, 'blank line')} skipped.")
    if layout.windowed:
        long = count(layout.windowed, "document")
        say(f"{long} over the block of {config.block_size} read in windows.")
    if layout.dropped:
        say(f"{count(layout.dropped, unit)} over the block of {config.block_size} cut.")
    if session.updates:
        done = " It has come to its end." if trainer.has_ended else ""
        say(f"Going on after step {session.updates:,} of {session.folder}.{done}")
    else:
        blind = f"ln {config.vocab_size} = {uniform(config.vocab_size):.2f}"
        say(f"Guessing blindly costs {blind} nats a {unit}. Let's see.")
    say()


def closing(session: Session, *, json: bool) -> None:
    """Print the result: losses, the ladder, samples, the run's folder, commands to try next."""
    folder, trainer = session.folder, session.trainer
    mixture = trainer.mixture
    steps, tail, last = trainer.tail.steps, trainer.tail.sum, trainer.last_heldout
    ladder = session.ladder()
    drawn = list(islice(Trained(trainer, session.settings, folder).samples(Choice()), 20))
    checkpoint.write_samples(folder, [sample.text for sample in drawn])
    if json:
        baselines = {name: total.mean for name, total in ladder.baselines.items()}
        say_json(
            {
                "run": str(folder),
                "steps": session.updates,
                "loss": tail.mean,
                "on": ladder.what,
                "baselines": {**baselines, "model": ladder.model.mean},
                **(mixture.record(ladder.gpt.mean) if mixture and ladder.gpt else {}),
                **_by_bytes(last),
                "samples": [sample.text for sample in drawn],
            }
        )
        return
    say()
    unit, own = session.tokenizer.unit, alone(ladder.models)
    if steps:
        whose = f", the {own}" if ladder.mixes else ""
        mean = ", mean of their own losses" if ladder.models > 1 else ""
        say(f"Mean of the last {count(steps, 'step')}{whose}{mean}: {units(tail, unit)}")
    known = ""
    if last:
        if ladder.gpt:
            say(f"Held out, the {own}: {units(ladder.gpt, unit)}")
        both = f", {_kind(trainer)}" if ladder.gpt else ""
        error = last.error
        known = f" (± {figures(error)})" if math.isfinite(error) else ""
        by_bytes = ""
        if last.n_bytes and is_of_pieces(session.tokenizer):
            by_bytes = f"{figures(ladder.model.nats / LN_2 / last.n_bytes, 3)} bits a byte · "
        say(f"Held out{both}: {by_bytes}{units(ladder.model, unit)}{known}")
    if trainer.kept:
        say(f"Kept: the state after step {trainer.kept:,}; held-out documents cost more since.")
    say_row(_rungs(ladder), " ┃ ")
    spread = "; ± the standard error" if known else ""
    say(f"    (nats a {unit} on {ladder.what}{spread}; ● you are here)", "quiet")
    if mixture and ladder.mixes:
        say(_the_two(mixture, ladder.models))
    if more := _more(trainer, ladder):
        say(more)
    if session.settings.source.stream:
        say("Samples:")
        say_samples([sample.text for sample in drawn[:3]])
    else:
        shown = [sample.text for sample in drawn[:8]]
        seen = among(shown, trainer.task.dataset.as_read())
        note = "   (* stands in the training data)" if any(seen) else ""
        say(f"Samples: {sample_words(shown, seen)}{note}")
    at = word(folder)
    say(f"Saved in {at}.   Next, with any text:")
    say_commands(f"microgpt sample {at}", f"microgpt score {at} TEXT", f"microgpt why {at} TEXT")


def _the_two(mixture: Mixture, models: int) -> str:
    """Explain the two losses of a mixture."""
    how = "a product of powers of theirs, over the sum (a log-linear mixture)"
    if (weight := mixture.fitted.weight) is not None:
        how = f"a mean of both, the counts' share of it {100 * weight:.0f} %"
    cached = " Scores of a long text also use a cache of what came before in it."
    return (
        f"{alone(models)} is what was trained, and what loss and val are of; {mixed(models)} is "
        f"what samples and scores come from: each probability is {how}."
        f"{cached if mixture.cache else ''}"
    )


def _more(trainer: Trainer, ladder: Ladder) -> str | None:
    """Estimate what more time would gain; None: the budget was not in seconds."""
    seconds = trainer.task.training.seconds
    if not seconds or not trainer.last_heldout:
        return None
    if trainer.kept:
        if trainer.tail.sum.mean < _BY_HEART * trainer.last_heldout.own.mean:
            return "More time would not help: this text has been learnt by heart. More text would."
        return f"More time would hardly help: it has gained nothing since step {trainer.kept:,}."
    epochs = trainer.updates * trainer.task.training.batch_size / len(trainer.task.layout.batch)
    gained = gain(epochs, ladder.baselines["bigram"].mean - ladder.model.mean)
    return f"Another {seconds:g} s would gain about {gained:.2g}."


def _rungs(ladder: Ladder) -> list[tuple[str, str]]:
    """Return (text, style) for each rung of the ladder, the highest loss first."""
    steps = [
        (total.mean, f"{name_of(name, ladder.n)} {figures(total.mean, 2)}")
        for name, total in ladder.baselines.items()
    ]
    if ladder.gpt:
        steps.append((ladder.gpt.mean, f"{alone(ladder.models)} {figures(ladder.gpt.mean, 2)}"))
    own = f"{ladder.name} {figures(ladder.model.mean, 2)} ●"
    steps.append((ladder.model.mean, own))
    return [(words, "good" if words == own else "") for _, words in sorted(steps, reverse=True)]


def _kind(trainer: Trainer) -> str:
    """Name the model, GPT or mixture, with the weight of the counts once it is fitted."""
    mixture, models = trainer.mixture, trainer.task.training.models
    unit = trainer.task.tokenizer.unit
    if not mixture:
        return kind_of(models)
    known = trainer.last_heldout is not None or not trainer.task.dataset.heldout_documents
    return kind_of(models, mixture.named(unit, is_fitted=known))


def _by_bytes(last: HeldOut | None) -> dict[str, float]:
    """Return the JSON field of a loss that can be compared between tokenizers."""
    if last is None or not last.n_bytes:
        return {}
    return {"bits_per_byte": last.sum.nats / LN_2 / last.n_bytes}


def warned(session: Session) -> bool:
    """Print warnings about the result on stderr; return whether the training diverged."""
    diverged = divergence(session.trainer, session.settings.asked)
    for said in (diverged, overweight(session.trainer)):
        if said:
            note(str(said))
    return diverged is not None


def word(folder: Path) -> str:
    """Quote a folder as one word of a shell command."""
    return path_word(folder)
