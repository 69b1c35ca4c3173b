"""A whole training in one call.

In: data, settings. Out: a `Run`. The command `microgpt train` does the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from microgpt.config import (
    Activation,
    Init,
    LongDocuments,
    MixtureName,
    ObjectiveName,
    OptimizerName,
    Order,
    Position,
    Precision,
    TokenizerName,
)
from microgpt.data.column import choose
from microgpt.data.corpus import Source
from microgpt.engines.ranks import open_ranks
from microgpt.errors import UsageError
from microgpt.runs import follower, foreground, prepare
from microgpt.runs.run import Run
from microgpt.runs.tracking import Track

READING = tuple(f.name for f in dataclasses.fields(Source) if f.name != "files")
"""The keywords that say how a file is read."""


def train(
    data: str | Path | Iterable[Any] | None = None,
    *,
    preset: str | None = None,
    out: str | Path | None = None,
    progress: bool = False,
    steps: int | None = None,
    seconds: float | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    beta1: float | None = None,
    beta2: float | None = None,
    eps: float | None = None,
    optimizer: OptimizerName | None = None,
    muon_lr: float | None = None,
    momentum: float | None = None,
    weight_decay: float | None = None,
    dropout: float | None = None,
    models: int | None = None,
    ngram: int | None = None,
    mixture: MixtureName | None = None,
    loss: ObjectiveName | None = None,
    holdout: float | None = None,
    seed: int | None = None,
    order: Order | None = None,
    long: LongDocuments | None = None,
    block_size: int | None = None,
    n_layer: int | None = None,
    n_head: int | None = None,
    n_embd: int | None = None,
    activation: Activation | None = None,
    position: Position | None = None,
    qk_norm: bool | None = None,
    final_norm: bool | None = None,
    init: Init | None = None,
    init_std: float | None = None,
    zero_init: bool | None = None,
    precision: Precision | None = None,
    accumulate: int | None = None,
    recompute: bool | None = None,
    compile: bool | None = None,  # noqa: A002  (the flag's name)
    deterministic: bool | None = None,
    shard: bool | None = None,
    tokenizer: TokenizerName | None = None,
    vocab_size: int | None = None,
    mask: str | Sequence[str] | None = None,
    column: str | None = None,
    field: str | None = None,
    encoding: str = "utf-8",
    delimiter: str | None = None,
    quoting: Literal["strict", "none"] = "strict",
    stream: bool = False,
    engine: str = "auto",
    threads: int | None = None,
    device: str | None = None,
    log_every: int = 1,
    track: Track = None,
) -> Run:
    """Train on lines of text and return the run; nothing is printed unless `progress` is set.

    A setting that is None has the preset's value. An interruption (Ctrl-C, or a notebook's stop
    button) saves the run, and raises KeyboardInterrupt with the call that resumes it. Doubts about
    a file, such as rows that cannot be read, are issued as warnings.

    Args:
        data: a file with a document a line (or .csv, .tsv, .jsonl, .json, any as .gz or .zst;
            .parquet, .arrow, a folder of Hugging Face datasets, or one that `microgpt data prepare`
            has made); or strings in a list, a generator, an array, a Series, an Arrow column, or a
            data frame with its `column`, of which what is missing (None, NaN) is skipped with a
            warning; None: the embedded names.
        preset: the recipe that other settings override: "microgpt", "microgpt-v1", "micro", "small"
            "medium", "large" or "gpt2-small". None: with `seconds` alone the recipe is chosen for
            this machine and text; else "micro", or, without the native engine, "microgpt".
        out: the run's folder; None: the first free of runs/NAME-1, runs/NAME-2, ...
        progress: whether to show a progress bar, in a terminal or a notebook.
        steps: updates of the parameters.
        seconds: the budget in seconds instead of steps; with `steps`, the one that ends first.
        batch_size: documents a step.
        lr: the learning rate at the start; it falls linearly to 0.
        beta1: decay rate of Adam's running mean of gradients.
        beta2: decay rate of Adam's running mean of their squares.
        eps: added to Adam's divisor.
        optimizer: of the layers' matrices, "adam" or "muon"; Adam updates all other parameters.
        muon_lr: Muon's learning rate at the start; it falls as `lr` does.
        momentum: decay rate of Muon's running mean of gradients.
        weight_decay: of the layers' matrices: each step multiplies them by 1 - rate * weight_decay.
        dropout: the share of the layers' activations that a step sets to 0, in [0, 1).
        models: how many GPTs of this shape are trained side by side, one a core; each probability
            is the mean of theirs (an ensemble).
        ngram: the length of the n-grams whose counts the GPT is mixed with; 0: it is not mixed.
        mixture: "linear", a weighted mean of probabilities; "log-linear", a product of their
            powers, with counts of every length up to `ngram`.
        loss: what is minimised: "cross-entropy", -log p; "linear", 1 - p; "quadratic", (1 - p)^2.
        holdout: the share of documents held out of training, to measure on, in [0, 1).
        seed: of the order of the documents and the initial values.
        order: documents are shuffled again for each epoch ("per-epoch"), or "once".
        long: what happens to documents longer than the block: they are split into windows
            ("window"), or cut ("cut").
        block_size: the context length, in tokens.
        n_layer: layers of attention and MLP.
        n_head: attention heads; divides `n_embd`.
        n_embd: the width.
        activation: of the MLP, "relu" or "squared-relu".
        position: the position encoding: "learned" or "rotary".
        qk_norm: whether each head's queries and keys pass through an RMSNorm.
        final_norm: whether the input of lm_head passes through an RMSNorm.
        init: initial values of one standard deviation, "normal", or by each matrix's width,
            "fan-in".
        init_std: the standard deviation of the initial values.
        zero_init: whether attn_wo and mlp_fc2 start at zero.
        precision: what the torch engine computes in: "float32", "bfloat16" (parameters and loss
            stay in float32), "float64"; "auto": bfloat16 on a GPU that has it, else float32.
        accumulate: the parts in which the torch engine computes a batch, to save memory; the update
            is that of the whole batch.
        recompute: whether it computes each layer again in the backward pass, to save memory.
        compile: whether it compiles the layers.
        deterministic: whether on a GPU it uses only operations that give the same numbers again.
        shard: whether each of several processes keeps a part of each matrix.
        tokenizer: a token for each of the data's "characters", for each of the "bytes" of any text,
            or for each piece of text that is learned from the data, "bpe"; or the path of a
            `tokenizer.json` of Hugging Face's tokenizers, byte-level. None: "characters", or that
            of a prepared folder.
        vocab_size: how many token ids "bpe" has, at least 257; None: 1,000.
        mask: kinds of text that are read as one symbol each, whatever they say: "digits,hex" (of
            "uuid", "ip", "dates", "hex", "digits"), or "NAME=PATTERN" with a regular expression; or
            several of these in a list.
        column: of a .csv, .tsv, .parquet or .arrow file: its heading or its number from 1; of a
            data frame: its name.
        field: of a .jsonl or .json file: a name, or "a.b"; None: "text".
        encoding: of the file.
        delimiter: between the cells of a table; None: by the file's name and first lines.
        quoting: of cells: "strict" (CSV), or "none": quotes are ordinary characters.
        stream: whether to read the file as one long text, a book for example, in windows.
        engine: "auto", "native", "torch" or "scalar".
        threads: the most threads to use; None: one for each processor. The result is the same.
        device: "cpu"; with the torch engine also "cuda" or "mps". None: a GPU for the torch engine,
            if there is one.
        log_every: steps a line of the log.
        track: trackers that get the numbers of the log: "tensorboard", "wandb", "mlflow" or
            "trackio", or several, with commas between or in a list; each needs the extra of its
            name. A resumed run goes on with them.

    Raises:
        UsageError, DataError, RunError: a setting, the data or the run is invalid.
        MissingExtra: a tracker is not installed.
        DivergedError: the loss is not finite.
        KeyboardInterrupt: the training was interrupted; it is saved.

    Warns:
        TrainingWarning: the loss ended above that of blind guessing, or the counts that the GPT is
            mixed with weigh more than it does.
        TrackingWarning: a tracker has not got all of the run.
    """
    settings: dict[str, Any] = locals().copy()  # the keywords, by their names
    for name in ("data", "preset", "out", "progress"):
        del settings[name]
    source = _source(data, {name: settings.pop(name) for name in READING})
    folder = None if out is None else Path(out)
    with open_ranks() as ranks:
        if ranks.rank:
            following = follower.of_new(source, ranks, preset_name=preset, **settings)
            foreground.follow(following)
            return Run(following.folder, engine, threads, device)
        session = prepare.new(source, preset_name=preset, out=folder, ranks=ranks, **settings)
        session.corpus.warn(stacklevel=2)
        foreground.finish(session, progress=progress, stacklevel=3)
    run = Run(session.folder, engine, threads, device)
    run.write_samples()
    return run


def _source(data: Any, reading: dict[str, Any]) -> Source | Iterable[Any]:
    """Return where the documents are, or the documents."""
    if data is None or isinstance(data, (str, Path)):
        return Source(files=() if data is None else (str(data),), **reading)
    # A column is one of a data frame, too.
    for name in dataclasses.replace(Source(**reading), column=None).asked:
        raise UsageError(f"{name} must stand with a file; got documents.")
    return choose(data, reading["column"])
