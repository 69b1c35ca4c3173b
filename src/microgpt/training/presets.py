"""Recipes by name: the settings in which each differs from the defaults of `config`.

"microgpt" and "microgpt-v1" have the numbers of Karpathy's microgpt; docs/race.md measures "micro",
"small" and "medium". "large" and "gpt2-small" are the same recipe in the size of a GPU, not tuned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from microgpt.config.setting import check_choice


@dataclass(frozen=True)
class Preset:
    """A named recipe: a summary of one line, and the settings that are not the defaults."""

    summary: str
    bos: Literal["first", "last"] = "last"
    model: Mapping[str, Any] = field(default_factory=dict[str, Any])
    training: Mapping[str, Any] = field(default_factory=dict[str, Any])


MODERN: Mapping[str, Any] = {
    "activation": "squared-relu",
    "position": "rotary",
    "qk_norm": True,
    "final_norm": True,
    "init": "fan-in",
    "init_std": 0.1,
    "zero_init": True,
}
"""The model's settings in all presets but the original's two."""

MUON: Mapping[str, Any] = {
    "optimizer": "muon", "lr": 0.01, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.1,
}  # fmt: skip
"""The training's settings in these presets."""

_ORIGINAL = {"holdout": 0.0, "order": "once", "long": "cut"}

PRESETS = {
    "microgpt": Preset(
        summary="the original, number for number: width 16, 1 layer, block 16, 1,000 documents",
        training=_ORIGINAL,
    ),
    "microgpt-v1": Preset(
        summary="its first form: block 8, squared ReLU, smaller initial numbers, slower Adam",
        bos="first",
        model={
            "block_size": 8,
            "activation": "squared-relu",
            "init_std": 0.02,
            "zero_init": True,
        },
        training={**_ORIGINAL, "beta1": 0.9, "beta2": 0.95},
    ),
    "micro": Preset(
        summary="2 to 3 s for names: width 32, 2 layers, Muon",
        model={**MODERN, "block_size": 64, "n_embd": 32, "n_layer": 2},
        training={**MUON, "steps": 2500, "batch_size": 80, "weight_decay": 0.03},
    ),
    "small": Preset(
        summary="about 10 s: the same with width 64",
        model={**MODERN, "block_size": 64, "n_embd": 64, "n_layer": 2},
        training={**MUON, "steps": 2000, "batch_size": 100, "dropout": 0.02},
    ),
    "medium": Preset(
        summary="about 60 s: the same with width 64, 4 layers, and dropout",
        model={**MODERN, "block_size": 64, "n_embd": 64, "n_layer": 4},
        training={**MUON, "steps": 4500, "batch_size": 160, "dropout": 0.15},
    ),
    "large": Preset(
        summary="for a GPU of 24 GB: width 512, 8 layers, block 512; 26 million parameters and up",
        model={**MODERN, "block_size": 512, "n_embd": 512, "n_layer": 8, "n_head": 8},
        training={**MUON, "lr": 0.003, "steps": 10_000, "batch_size": 64, "dropout": 0.05},
    ),
    "gpt2-small": Preset(
        summary="GPT-2's smallest shape, for a GPU of 24 GB: width 768, 12 layers, block 1,024; "
        "124 million parameters with 25,000 tokens",
        model={**MODERN, "block_size": 1024, "n_embd": 768, "n_layer": 12, "n_head": 12},
        training={
            **MUON,
            "lr": 0.002,
            "steps": 20_000,
            "batch_size": 480,
            "accumulate": 40,
        },
    ),
}


def preset(name: str) -> Preset:
    """Return a preset by its name.

    >>> preset("microgpt").bos
    'last'
    """
    check_choice("preset", name, tuple(PRESETS))
    return PRESETS[name]
