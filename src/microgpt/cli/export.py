"""`microgpt export`: a run in a form that needs no microgpt."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from microgpt.cli import flags
from microgpt.cli.flags import flag, whole
from microgpt.cli.terminal.say import note, say
from microgpt.cli.train.summary import word
from microgpt.errors import UsageError
from microgpt.export.alone import OwnLoss
from microgpt.runs.files import write_atomically, write_folder
from microgpt.runs.first import first_of, which
from microgpt.runs.folder import check_output
from microgpt.runs.run import Run
from microgpt.wording import ALONE, count, figures, short

Format = Literal["html", "onnx", "huggingface", "safetensors"]

_DOCUMENTS = 100


def export(
    run: flags.RunName = None,
    *,
    to: Annotated[
        Format,
        flag(
            "Kind of file. html: a page that computes. onnx: a model for ONNX runtimes. "
            "huggingface: a folder for transformers. safetensors: the GPT's matrices."
        ),
    ] = "html",
    out: Annotated[
        Path | None,
        Parameter(name=["--out", "-o"]),
        flag("File or folder to write. Default: the run's name and the kind, in this folder."),
    ] = None,
    documents: Annotated[
        int | None,
        whole(
            "With html, most documents of the data in the file, with the highest and the lowest "
            f"loss. Default: {_DOCUMENTS}."
        ),
    ] = None,
    bits: Annotated[
        Literal[16, 32] | None,
        flag(
            "With html, bits of each parameter. Default: 16 if they cost under 0.001 nats, else 32."
        ),
    ] = None,
    machine: flags.Machine = flags.MACHINE,
) -> None:
    """Write a run for others to use: one page with the model inside, or a model for libraries.

    The page scores and draws texts in any browser, from the disk, without a network. All other
    kinds have the GPT alone, without counts that it may be mixed with, or an ensemble's first GPT.

    Example: microgpt export runs/names-1 --to html -o names.html
    """
    for other, value in (("documents", documents), ("bits", bits)):
        if value is not None and to != "html":
            raise UsageError(f"--{other} must be given with --to html alone; got --to {to}.")
    opened = machine.run(run)
    name = opened.folder.resolve().name
    if to != "html":
        if said := which(opened):
            note(f"{said[:-1]}, without the others.")
        opened = first_of(opened)
    if to == "huggingface":
        _huggingface(opened, out or Path(f"{name}-{to}"))
        return
    target = out or Path(f"{name}.{to}")
    check_output(target, opened.folder)
    if to == "html":
        _html(opened, target, _DOCUMENTS if documents is None else documents, bits)
    else:
        _OTHERS[to](opened, target)


def _html(run: Run, target: Path, documents: int, bits: Literal[16, 32] | None) -> None:
    from microgpt.export.html import export as to_html

    found = to_html(run, documents, bits)
    write_atomically(target, found.page)
    if found.why:
        note(f"no losses of documents: {found.why}")
    its = found.weights
    cost = ""
    if its.bits == 16 and its.cost is not None:
        unit = run.tokenizer.unit
        cost = f", which changes the GPT's loss by {its.cost:.0e} nats a {unit}"
    say(f"Parameters in {its.bits} bits{cost}; {count(found.documents, 'document')} of the data.")
    say(f"Saved in {word(target)}, {short(len(found.page))} bytes. Open it in any browser.")


def _safetensors(run: Run, target: Path) -> None:
    from microgpt.export.safetensors import export as to_safetensors

    _report(run, to_safetensors(run, target))
    size = short(target.stat().st_size)
    say(f"Saved in {word(target)}, {size} bytes: matrices by name, (out, in), in float32.")
    say(f"Read it with safetensors.numpy.load_file({_quoted(target)}).")


def _onnx(run: Run, target: Path) -> None:
    from microgpt.export.onnx import OPSET
    from microgpt.export.onnx import export as to_onnx

    found = to_onnx(run)
    write_atomically(target, found.data)
    _report(run, found.loss)
    say(f"Its logits are the engine's within {found.off:.0e}, on {count(found.tried, 'token')}.")
    V = run.settings.model.vocab_size
    say(
        f"Saved in {word(target)}, {short(len(found.data))} bytes: tokens (batch, length) to "
        f"logits (batch, length, {V}), opset {OPSET}."
    )
    say(f"Read it with onnxruntime.InferenceSession({_quoted(target)}).")


def _huggingface(run: Run, target: Path) -> None:
    from microgpt.export.huggingface import check_folder
    from microgpt.export.huggingface import export as to_huggingface

    check_folder(target)
    found = to_huggingface(run, target.resolve().name)
    write_folder(target, found.files)
    _report(run, found.loss)
    size = short(sum(map(len, found.files.values())))
    say(f"Saved in {word(target)}, {count(len(found.files), 'file')}, {size} bytes.")
    say("Its README.md says how to use it, what it was trained on and what it cannot do.")
    loads = f"from_pretrained({_quoted(target)}, trust_remote_code=True)"
    say(f"Read it with transformers.AutoModelForCausalLM.{loads}.")


def _quoted(path: Path) -> str:
    """Return a path as Python writes it."""
    return json.dumps(str(path), ensure_ascii=False)


def _report(run: Run, loss: OwnLoss) -> None:
    """Say what the loss of the GPT alone is, and on what."""
    if loss.why:
        note(f"no loss of documents: {loss.why}")
    if run.mixture:
        note("the counts that this run mixes the GPT with are not in it: it is the GPT alone.")
    if loss.sum and loss.on:
        name = f"{ALONE}: " if run.mixture else ""
        unit = run.tokenizer.unit
        say(f"{name}{figures(loss.sum.mean)} nats a {unit} on {loss.on.words}.")


_OTHERS: dict[str, Callable[[Run, Path], None]] = {"safetensors": _safetensors, "onnx": _onnx}
