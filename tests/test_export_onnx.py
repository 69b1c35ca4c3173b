"""A run as an ONNX model, computed by onnxruntime beside the engine; and its matrices alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgpt
from microgpt import Run, RunError, UsageError, model
from microgpt.cli.app import run as cli
from microgpt.data.batch import lay_out
from microgpt.data.tokenizer import from_json
from microgpt.loss.many import Softmax

from .conftest import TINY, required
from .kinds import KINDS, LINES, programs, trained

try:
    import onnx
    import onnxruntime

    from microgpt.export import onnx as room
except ImportError as error:
    required("onnxruntime", f"onnx or onnxruntime is not installed ({error})")

CLOSE = 1e-4
"""How far a logit may be from the engine's."""

# Small models are mixed with counts that know more than they do.
pytestmark = pytest.mark.filterwarnings("ignore::microgpt.errors.TrainingWarning")


def opened(data: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # a refused length is not logged
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def logits(session: Any, tokens_BT: Any) -> np.ndarray:
    found: np.ndarray = session.run(["logits"], {"tokens": np.asarray(tokens_BT, np.int64)})[0]
    return found


def agrees(run: Run) -> None:
    """Every length of rows, three at a time, has the engine's logits."""
    session = opened(room.export(run).data)
    V, bos = run.tokenizer.vocab_size, run.tokenizer.bos
    for T in range(1, run.settings.model.block_size + 1):
        rows = np.random.default_rng(T).integers(0, V, (3, T - 1)).tolist()
        batch = lay_out(rows, bos, T).batch
        ours_NV = run.gpt.logits(batch)
        theirs_NV = logits(session, batch.tokens_N.reshape(3, T)).reshape(ours_NV.shape)
        assert np.abs(theirs_NV - ours_NV).max() < CLOSE
        assert (theirs_NV.argmax(axis=1) == ours_NV.argmax(axis=1)).all()


@pytest.mark.parametrize("preset", ["microgpt", "microgpt-v1", "small"])
def test_logits_are_the_engine_s_at_every_length(preset: str, tmp_path: Path) -> None:
    agrees(trained(tmp_path / "lines.txt", **KINDS[preset]))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*KINDS, "block of one", "as it is"])
def test_logits_are_the_engine_s_whatever_the_model(kind: str, tmp_path: Path) -> None:
    others: dict[str, dict[str, Any]] = {
        "block of one": {"preset": "microgpt", "block_size": 1},
        "as it is": {"preset": "small"},
    }
    agrees(trained(tmp_path / "lines.txt", **(KINDS | others)[kind]))


def test_a_text_costs_what_it_does_here_by_the_notes_in_the_file(model: Run) -> None:
    data = room.export(model).data
    session = opened(data)
    notes = json.loads(session.get_modelmeta().custom_metadata_map["microgpt"])
    characters = notes["tokenizer"]["characters"]
    assert notes["bos"] == len(characters)
    assert notes["config"]["block_size"] == 6
    assert notes["version"] == microgpt.__version__
    text = "dana"
    ids = [notes["bos"], *map(characters.index, text), notes["bos"]]
    losses = Softmax(logits(session, [ids[:-1]])[0].astype(float)).losses(np.array(ids[1:]))
    assert np.allclose(losses, model.score(text).losses, rtol=0, atol=1e-5)
    wanted = model.evaluate()
    assert notes["loss"]["nats_per_position"] == pytest.approx(wanted.loss, abs=1e-9)
    assert notes["loss"]["positions"] == wanted.sum.positions
    assert notes["loss"]["documents"] == f"{len(model.held_out)} held-out documents"


def test_what_fills_up_a_row_changes_nothing_before_it(model: Run) -> None:
    session = opened(room.export(model).data)
    bos = model.tokenizer.bos
    alone, filled = [[bos, 3, 1]], [[bos, 3, 1, 0, 2, bos], [bos, 5, 5, 5, 5, 5]]
    assert np.array_equal(logits(session, filled)[0, :3], logits(session, alone)[0])


@pytest.mark.parametrize("kind", ["learned", "rotary"])
def test_more_tokens_than_the_block_are_refused(kind: str, tmp_path: Path) -> None:
    run = microgpt.train(
        TINY, preset="microgpt", position=kind, block_size=5, steps=2, out=tmp_path / "r"
    )
    session = opened(room.export(run).data)
    assert logits(session, [[run.tokenizer.bos] * 5]).shape == (1, 5, run.tokenizer.vocab_size)
    with pytest.raises(Exception, match="out of data bounds"):
        logits(session, [[run.tokenizer.bos] * 6])


def test_the_model_is_sound_and_uses_common_operators_alone(model: Run) -> None:
    one, other = room.export(model), room.export(model)
    assert one.data == other.data
    found = onnx.load_from_string(one.data)
    onnx.checker.check_model(found, full_check=True)
    assert [(o.domain, o.version) for o in found.opset_import] == [("", 17)]
    assert {node.op_type for node in found.graph.node} <= {
        "Gather", "Shape", "Range", "Add", "Mul", "Sub", "ReduceMean", "Sqrt", "Div", "Transpose",
        "MatMul", "Reshape", "Slice", "Concat", "Unsqueeze", "GreaterOrEqual", "Where", "Softmax",
        "Relu",
    }  # fmt: skip
    arrays = {array.name: onnx.numpy_helper.to_array(array) for array in found.graph.initializer}
    matrices = model_matrices(model)
    assert all(np.array_equal(arrays[name], its) for name, its in matrices.items())
    assert "bos" in found.doc_string
    assert one.nodes == len(found.graph.node)


def model_matrices(run: Run) -> dict[str, np.ndarray]:
    state = run.engine.state().parameters.astype(np.float32)
    return model.views(state, run.settings.model)


def test_a_model_that_is_too_large_or_wrong_is_refused(
    model: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "CLOSE", 1e-12)
    with pytest.raises(RunError, match="must be the engine's within 1e-12; one is"):
        room.export(model)
    monkeypatch.setattr(room, "_MOST", 100)
    with pytest.raises(UsageError, match=r"must have less than 2 GB; this one has .*k bytes"):
        room.export(model)


# Matrices alone


def test_matrices_are_read_by_name_without_microgpt(model: Run, tmp_path: Path) -> None:
    from safetensors import safe_open
    from safetensors.numpy import load_file

    path = tmp_path / "names.safetensors"
    assert cli(["export", str(model.folder), "--to", "safetensors", "-o", str(path)]) == 0
    found = load_file(path)
    wanted = model_matrices(model)
    assert set(found) == set(wanted)
    assert all(np.array_equal(found[name], its) for name, its in wanted.items())
    assert {its.dtype for its in found.values()} == {np.dtype("float32")}
    with safe_open(path, "numpy") as file:
        notes = json.loads(file.metadata()["microgpt"])
    assert from_json(notes["tokenizer"]) == model.tokenizer
    assert notes["loss"]["nats_per_position"] == pytest.approx(model.evaluate().loss, abs=1e-6)


# The command


def test_the_command_says_what_was_written_and_how_to_read_it(
    model: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(["export", str(model.folder), "--to", "onnx"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    said = printed.out.splitlines()
    loss, documents = model.evaluate().loss, len(model.held_out)
    assert said[0] == f"{loss:.4f} nats a character on {documents} held-out documents."
    assert said[1].startswith("Its logits are the engine's within ")
    assert said[2].startswith("Saved in run.onnx, ")
    assert said[3] == 'Read it with onnxruntime.InferenceSession("run.onnx").'
    assert opened(Path("run.onnx").read_bytes()).get_inputs()[0].shape == ["batch", "length"]
    assert cli(["export", str(model.folder), "--to", "safetensors"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1].startswith("Saved in run.safetensors, ")
    assert said[2] == 'Read it with safetensors.numpy.load_file("run.safetensors").'


@pytest.mark.parametrize("to", ["onnx", "safetensors"])
def test_counts_that_are_left_out_are_said_to_be(
    to: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(tmp_path / "lines.txt", **KINDS["counts"])
    assert cli(["export", str(run.folder), "--to", to, "-o", "it"]) == 0
    printed = capsys.readouterr()
    assert "the counts that this run mixes the GPT with are not in it" in printed.err
    alone = run.alone(run.held_out)
    assert alone is not None
    assert alone.mean != pytest.approx(run.evaluate().loss, abs=1e-6)
    assert printed.out.startswith(f"GPT alone: {alone.mean:.4f} nats a character on ")


def test_a_run_whose_documents_are_gone_has_no_loss(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.txt").write_text("\n".join(LINES), "utf-8")
    run = microgpt.train(tmp_path / "t.txt", preset="microgpt", steps=5, out=tmp_path / "run")
    (tmp_path / "t.txt").unlink()
    assert cli(["export", str(run.folder), "--to", "onnx", "-o", "it.onnx"]) == 0
    printed = capsys.readouterr()
    assert "no loss of documents: " in printed.err
    assert printed.out.startswith("Its logits are the engine's within ")
    metadata = opened(Path("it.onnx").read_bytes()).get_modelmeta().custom_metadata_map
    assert json.loads(metadata["microgpt"])["loss"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "onnx", "--bits", "16"], "--bits must be given with --to html alone; got --to"),
        (["--to", "safetensors", "--documents", "3"], "--documents must be given with --to html"),
        (["--to", "safetensors", "-o", "RUN/checkpoint.safetensors"], "the run's own files"),
        (["--to", "onnx", "-o", "no/such.onnx"], "out must be in a folder that exists"),
    ],
)
def test_a_mistake_is_one_sentence(
    words: list[str], said: str, model: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(model.folder)
    assert cli(["export", folder, *(word.replace("RUN", folder) for word in words)]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.count("\n") == 1
    assert not list(Path().iterdir())


def test_without_onnx_it_is_said_what_to_install(
    model: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("microgpt.export.onnx")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert cli(["export", str(model.folder), "--to", "onnx"]) == 2
    assert "Try: pip install 'microgpt-lm[onnx]'" in capsys.readouterr().err


# The page in the docs


@pytest.mark.parametrize("bos", ["microgpt", "microgpt-v1"])
def test_the_programs_in_the_docs_do_what_they_say(
    bos: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "names.txt").write_text("\n".join(["emma", "mae", *TINY]))
    run = microgpt.train(tmp_path / "names.txt", preset=bos, steps=9, out=tmp_path / "names-1")
    for to in ("onnx", "safetensors"):
        assert cli(["export", str(run.folder), "--to", to]) == 0
    capsys.readouterr()
    onnx_program, _, safetensors_program = programs()
    exec(onnx_program, {})
    assert float(capsys.readouterr().out) == pytest.approx(run.score("emma").loss, abs=1e-5)
    exec(safetensors_program, {})
    assert capsys.readouterr().out.startswith("(16, 16) 4 {'nats_per_position': ")
