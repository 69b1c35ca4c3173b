"""`microgpt train`: steps into lines, or into a progress bar."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from microgpt.cli import flags
from microgpt.cli.flags import DATA, MODEL, TRAINING, flag, switch, whole
from microgpt.cli.terminal.interruption import interruption
from microgpt.cli.terminal.notes import noted
from microgpt.cli.terminal.show import stderr, stdout
from microgpt.cli.terminal.streams import outliving
from microgpt.cli.train.progress import Bar, JsonLines, Lines, Reporter
from microgpt.cli.train.summary import closing, opening, warned, word
from microgpt.data.corpus import Source
from microgpt.errors import UsageError
from microgpt.runs import prepare
from microgpt.runs.folder import find_run
from microgpt.runs.session import Session
from microgpt.training.presets import PRESETS

_PRESETS = (
    "Where all numbers begin; other flags override them. Without one: with --seconds alone, what "
    "costs least in that time, on this machine and this text, a GPT mixed with counts of 5 "
    "characters; else micro (microgpt on the scalar engine)."
    "\n" + "\n".join(f"{name}: {preset.summary}." for name, preset in PRESETS.items())
)


def train(
    *files: flags.File,
    preset: Annotated[str | None, flag(_PRESETS)] = None,
    out: Annotated[Path | None, flag("The run's folder; else runs/NAME-1, -2, ...")] = None,
    resume: Annotated[Path | None, flag("Go on with this run, just as it was told then.")] = None,
    log_every: Annotated[int | None, whole("Steps a line, here and in log.jsonl.")] = None,
    json: flags.Json = False,
    n_layer: Annotated[int | None, whole("Blocks of attention and MLP.", MODEL)] = None,
    n_head: Annotated[int | None, whole("Attention heads; they share the width.", MODEL)] = None,
    n_embd: Annotated[int | None, whole("The width.", MODEL)] = None,
    block_size: Annotated[int | None, whole("The most characters it looks back on.", MODEL)] = None,
    activation: Annotated[
        Literal["relu", "squared-relu"] | None, flag("Of the MLP.", MODEL)
    ] = None,
    position: Annotated[
        Literal["learned", "rotary"] | None, flag("How it knows where a character stands.", MODEL)
    ] = None,
    qk_norm: Annotated[bool | None, switch("Norm each head's queries and keys.", "qk-norm")] = None,
    final_norm: Annotated[bool | None, switch("Norm what enters lm_head.", "final-norm")] = None,
    init: Annotated[
        Literal["normal", "fan-in"] | None,
        flag("All first numbers of one spread, or each weight's by its width.", MODEL),
    ] = None,
    init_std: Annotated[float | None, flag("The spread of the first numbers.", MODEL)] = None,
    zero_init: Annotated[
        bool | None, switch("Start attn_wo and mlp_fc2 at zero.", "zero-init")
    ] = None,
    steps: Annotated[int | None, whole("Updates of the parameters.", TRAINING)] = None,
    seconds: Annotated[
        float | None, flag("Train for so long instead; with --steps, at most.", TRAINING)
    ] = None,
    batch_size: Annotated[int | None, whole("Documents a step.", TRAINING)] = None,
    lr: Annotated[
        float | None, flag("The learning rate at first; it falls in a line to 0.", TRAINING)
    ] = None,
    beta1: Annotated[float | None, flag("Adam's memory of gradients.", TRAINING)] = None,
    beta2: Annotated[float | None, flag("Adam's memory of their squares.", TRAINING)] = None,
    eps: Annotated[float | None, flag("Adam's smallest divisor.", TRAINING)] = None,
    optimizer: Annotated[
        Literal["adam", "muon"] | None,
        flag("Of the layers' matrices; all else is Adam's.", TRAINING),
    ] = None,
    muon_lr: Annotated[float | None, flag("Muon's learning rate at first.", TRAINING)] = None,
    momentum: Annotated[float | None, flag("Muon's memory of gradients.", TRAINING)] = None,
    weight_decay: Annotated[
        float | None, flag("How fast the layers' matrices shrink, times their rate.", TRAINING)
    ] = None,
    dropout: Annotated[
        float | None, flag("The share of what layers hand on that a step leaves out.", TRAINING)
    ] = None,
    ngram: Annotated[
        int | None, whole("Mix it with counts of so many characters in a row; 0: do not.", TRAINING)
    ] = None,
    loss: Annotated[
        flags.Objective | None,
        flag("What is pushed down: -log p, 1 - p, (1 - p)^2. Reported is always -log p.", TRAINING),
    ] = None,
    holdout: Annotated[
        float | None, flag("The share of documents to keep away and measure on.", TRAINING)
    ] = None,
    seed: Annotated[int | None, whole("Of the order and the first numbers.", TRAINING)] = None,
    order: Annotated[
        Literal["per-epoch", "once"] | None, flag("When documents are shuffled.", TRAINING)
    ] = None,
    long: Annotated[
        Literal["window", "cut"] | None, flag("What becomes of those over the block.", TRAINING)
    ] = None,
    tokenizer: Annotated[
        Literal["characters", "bytes"] | None,
        flag("A token for each character of the data, or for each byte of any text.", DATA),
    ] = None,
    reading: flags.Reading = flags.READING,
    machine: flags.Machine = flags.MACHINE,
) -> int:
    """Train a GPT on lines of text and save it as a run.

    Without a file it learns the 32,000 surnames that come with microgpt.

    Example: microgpt train names.txt --steps 2000 --holdout 0.1
    """
    told: dict[str, Any] = {
        "n_layer": n_layer, "n_head": n_head, "n_embd": n_embd, "block_size": block_size,
        "activation": activation, "position": position, "qk_norm": qk_norm,
        "final_norm": final_norm, "init": init, "init_std": init_std, "zero_init": zero_init,
        "steps": steps, "seconds": seconds, "batch_size": batch_size, "lr": lr, "beta1": beta1,
        "beta2": beta2, "eps": eps, "optimizer": optimizer, "muon_lr": muon_lr,
        "momentum": momentum, "weight_decay": weight_decay, "dropout": dropout, "ngram": ngram,
        "loss": loss,
        "holdout": holdout, "seed": seed, "order": order, "long": long,
    }  # fmt: skip
    source = reading.source(*files)
    if resume is None:
        session = prepare.new(
            source,
            preset_name=preset,
            tokenizer=tokenizer or "characters",
            out=out,
            log_every=1 if log_every is None else log_every,
            engine=machine.engine or "auto",
            threads=machine.threads,
            device=machine.device,
            **told,
        )
    else:
        others = {
            **told,
            "preset": preset,
            "out": out,
            "log_every": log_every,
            "tokenizer": tokenizer,
        }
        given = [name for name, value in others.items() if value is not None]
        given += [] if source == Source() else ["data"]
        if given:
            raise UsageError(
                f"--resume must stand without {given[0].replace('_', '-')}: "
                "the run knows. Only the engine may change."
            )
        session = prepare.resume(find_run(str(resume)), **vars(machine))
    noted(session.corpus)
    goes_on = (
        f"the training goes on to its end, in {word(session.folder)}. Ctrl-C stops and saves it."
    )
    with session, outliving(goes_on):
        if not json:
            opening(session, auto=machine.engine in (None, "auto"))
        if not _train(session, json=json, every=log_every):
            return 130
        closing(session, json=json)
        return 1 if warned(session) else 0


def _train(session: Session, *, json: bool, every: int | None) -> bool:
    """Train; return whether it came to its end."""
    reporter = _reporter(session, json=json, every=every)
    with interruption(session.stop, "after this step") as asked, reporter:
        for event in session:
            reporter.show(event)
    if asked[0]:
        stderr().print(
            f"Stopped after step {session.updates:,} and saved. "
            f"Go on with: microgpt train --resume {word(session.folder)}",
            soft_wrap=True,
        )
    return not asked[0]


def _reporter(session: Session, *, json: bool, every: int | None) -> Reporter:
    if json:
        return JsonLines(session)
    console = stdout()
    on_terminal = console.is_terminal and not console.is_dumb_terminal
    return Bar(session) if on_terminal else Lines(session, every)
