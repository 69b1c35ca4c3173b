"""A run's GPT as a folder for Hugging Face transformers, with the program that computes it.

In: a run. Out: the content of each file by name. Nothing of PyTorch or transformers is needed to
write it: the two programs in it, `configuration_microgpt.py` and `modeling_microgpt.py`, are files
beside this one, which transformers runs if it is given `trust_remote_code=True`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import microgpt
from microgpt.errors import MissingExtra
from microgpt.export.alone import OwnLoss, matrices, own_ladder, own_loss, shape
from microgpt.runs.files import as_safetensors
from microgpt.runs.folder import check_no_file, not_empty
from microgpt.runs.run import Run
from microgpt.sampling import Choice

try:
    from microgpt.export.huggingface.tokenizer import fast, settings
except ModuleNotFoundError:
    raise MissingExtra(
        "a folder for Hugging Face needs tokenizers, which is not installed. "
        "Try: pip install 'microgpt-lm[huggingface]'"
    ) from None

from microgpt.export.huggingface.card import card

_HERE = Path(__file__).parent

PROGRAMS = ("configuration_microgpt.py", "modeling_microgpt.py")
"""Files that are copied as they are."""

FILES = (
    "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
    "tokenizer_config.json", *PROGRAMS, "README.md",
)  # fmt: skip
"""All files of such a folder, in the order in which they are written: the first says what it is."""

_KIND = "microgpt"


@dataclass(frozen=True)
class ModelFolder:
    """A folder for transformers.

    Attributes:
        files: the content of each, by name.
        loss: of the GPT alone on the run's documents.
    """

    files: dict[str, bytes]
    loss: OwnLoss


def export(run: Run, name: str) -> ModelFolder:
    """Make the files of a run's GPT.

    Args:
        run: the run.
        name: of the folder, which the card's programs load.

    Raises:
        UsageError: the run's tokenizer has no counterpart among Hugging Face's.
    """
    tokens = fast(run.tokenizer)  # before any work: it may be refused
    loss = own_loss(run)
    weights = {_renamed(name): its for name, its in matrices(run).items()}
    block_size, bos = run.settings.model.block_size, run.tokenizer.bos
    contents = (
        _json(_config(run)),
        _json(_generation(block_size, bos)),
        as_safetensors(weights, {"format": "pt"}),
        f"{tokens.to_str(pretty=True)}\n".encode(),
        _json(settings(run.tokenizer, block_size)),
        *((_HERE / program).read_bytes() for program in PROGRAMS),
        card(run, loss, own_ladder(run, loss), name).encode(),
    )
    return ModelFolder(dict(zip(FILES, contents, strict=True)), loss)


def check_folder(out: Path) -> None:
    """Raise an error unless a folder is new, empty, or has an earlier export and nothing else.

    Raises:
        RunError: it is a file, or has other files, which are not replaced.
    """
    check_no_file(out)
    found = sorted(path.name for path in out.glob("*") if not path.name.startswith("."))
    others = [name for name in found if name not in FILES]
    if found and (others or not _is_ours(out / "config.json")):
        raise not_empty(out, (others or found)[0])


def _is_ours(config: Path) -> bool:
    try:
        return json.loads(config.read_text("utf-8"))["model_type"] == _KIND
    except (OSError, ValueError, TypeError, KeyError):
        return False


def _renamed(name: str) -> str:
    """Return the name of a matrix in `modeling_microgpt`.

    >>> _renamed("layer0.attn_wq"), _renamed("wte")
    ('layers.0.attn_wq.weight', 'wte.weight')
    """
    return f"{re.sub('^layer', 'layers.', name)}.weight"


def _config(run: Run) -> dict[str, Any]:
    bos = run.tokenizer.bos
    module = "modeling_microgpt.MicroGPTForCausalLM"
    return {
        "model_type": _KIND,
        "architectures": ["MicroGPTForCausalLM"],
        "auto_map": {
            "AutoConfig": "configuration_microgpt.MicroGPTConfig",
            "AutoModelForCausalLM": module,
        },
        **shape(run.settings.model),
        "bos_token_id": bos,
        "eos_token_id": bos,
        "pad_token_id": bos,
        "tie_word_embeddings": False,
        "use_cache": True,
        "dtype": "float32",
        "microgpt_version": microgpt.__version__,
    }


def _generation(block_size: int, bos: int) -> dict[str, Any]:
    """Return how texts are drawn if nothing else is asked for: as `microgpt sample` draws them."""
    return {
        "bos_token_id": bos,
        "eos_token_id": bos,
        "pad_token_id": bos,
        "do_sample": True,
        "temperature": Choice.temperature,
        "top_k": 0,
        "max_length": block_size + 1,
    }


def _json(values: dict[str, Any]) -> bytes:
    return f"{json.dumps(values, indent=2)}\n".encode()
