"""A run's GPT as one ONNX model: tokens (B, T) to logits (B, T, V), for any T of the block.

In: a run. Out: the file's content, checked. The graph is written by `model.gpt`, like everything
that computes here: only its operations are ONNX's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

import microgpt
from microgpt import model
from microgpt.data.batch import lay_out
from microgpt.errors import MissingExtra, RunError, UsageError
from microgpt.export.alone import OwnLoss, matrices, notes, own_loss
from microgpt.runs.run import Run
from microgpt.wording import short

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from onnx.reference import ReferenceEvaluator
except ModuleNotFoundError:
    raise MissingExtra(
        "an ONNX model needs onnx, which is not installed. Try: pip install 'microgpt-lm[onnx]'"
    ) from None

from microgpt.export.onnx.operations import GraphOps

OPSET, IR = 17, 8
"""The versions of the operators and of the file: of 2022, which every runtime of today reads."""

CLOSE = 1e-4
"""How far a logit may be from the engine's, in units of the largest one, at least 1."""

# Bytes of all arrays: a protobuf message has less than 2 GB, nodes and notes included.
_MOST = 2**31 - 2**24

# The length of the rows on which the model is compared with the engine.
_TRIED = 16

_ABOUT = """\
The logits of the next token at every position, by a GPT that microgpt trained. Each row of tokens
begins with the id "bos" of the notes and has at most "block_size" tokens; a shorter row is filled
up on its right with any ids, where logits mean nothing. The notes, under the key "microgpt" of the
metadata, are JSON: version, config, bos, tokenizer, loss."""


@dataclass(frozen=True)
class ONNXModel:
    """An ONNX model.

    Attributes:
        data: the file's content.
        nodes: how many it has.
        off: how far its logits are from the engine's at most, on the tokens that were tried.
        tried: how many these are.
        loss: of the GPT alone on the run's documents.
    """

    data: bytes
    nodes: int
    off: float
    tried: int
    loss: OwnLoss


def export(run: Run) -> ONNXModel:
    """Make an ONNX model of a run's GPT.

    It is computed once by onnx's own evaluator, and compared with the engine.

    Raises:
        UsageError: it would have 2 GB or more, which such a file cannot hold.
        RunError: its logits are not the engine's.
    """
    loss = own_loss(run)
    made = _model(run, loss)
    onnx.checker.check_model(made, full_check=True)  # pyright: ignore[reportUnknownMemberType]
    off, tried = _compared(run, made)
    return ONNXModel(
        made.SerializeToString(deterministic=True), len(made.graph.node), off, tried, loss
    )


def _model(run: Run, loss: OwnLoss) -> onnx.ModelProto:
    """Write the graph and all that stands around it."""
    config, weights = run.settings.model, matrices(run)
    ops = GraphOps(config, "tokens")
    model.gpt(ops, config, {name: name for name in weights}, ())
    ops.nodes[-1].output[0] = "logits"
    arrays = {**weights, **ops.constants}
    if (total := sum(array.nbytes for array in arrays.values())) > _MOST:
        raise UsageError(
            f"an ONNX model must have less than 2 GB; this one has {short(total)} bytes. "
            "Try --to safetensors."
        )
    shapes: dict[str, tuple[int, list[str | int]]] = {
        "tokens": (TensorProto.INT64, ["batch", "length"]),
        "logits": (TensorProto.FLOAT, ["batch", "length", config.vocab_size]),
    }
    ends = [helper.make_tensor_value_info(name, *kind) for name, kind in shapes.items()]
    constants = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    made = helper.make_model(
        helper.make_graph(ops.nodes, "microgpt", ends[:1], ends[1:], constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name="microgpt",
        producer_version=microgpt.__version__,
        doc_string=_ABOUT,
    )
    helper.set_model_props(made, {"microgpt": json.dumps(notes(run, loss))})
    return made


def _compared(run: Run, made: onnx.ModelProto) -> tuple[float, int]:
    """Return how far logits are from the engine's at most, and on how many tokens.

    Raises:
        RunError: they are farther than rounding explains.
    """
    V, T = run.settings.model.vocab_size, min(run.settings.model.block_size, _TRIED)
    rows = np.random.default_rng(0).integers(0, V, (2, T - 1)).tolist()
    batch = lay_out(rows, run.tokenizer.bos, T).batch
    ours_NV = run.gpt.logits(batch)
    tokens_BT = np.reshape(batch.tokens_N, (2, T)).astype(np.int64)
    its: Any = ReferenceEvaluator(made)  # whose types are not all known
    found = its.run(None, {"tokens": tokens_BT})
    off = float(np.abs(np.reshape(found[0], ours_NV.shape) - ours_NV).max())
    if not off <= CLOSE * max(1.0, float(np.abs(ours_NV).max())):
        raise RunError(
            f"{run.folder}: the logits of an ONNX model must be the engine's within {CLOSE}; one "
            f"is {off:.1e} away. Try another version of onnx than {onnx.__version__}."
        )
    return off, 2 * T
