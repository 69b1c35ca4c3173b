"""The flags of `microgpt train` for the settings of the model and of the training.

In: a command that takes `**values`. Out: the same command with a flag for each setting of the two
configs, whose types, bounds and help texts it takes from there.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from inspect import Parameter
from typing import Annotated, Any

from cyclopts import Group

from microgpt.cli.flags import ENGINE, MODEL, TRAINING, flag, switch, whole
from microgpt.config import OF_THE_ENGINE, GPTConfig, TrainConfig
from microgpt.config.setting import Setting, settings

# The data determines the size of the vocabulary.
_OF_THE_DATA = ("vocab_size",)


def with_settings(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command a flag for each setting, in place of its `**values`."""
    signature = inspect.signature(command)
    own = [p for p in signature.parameters.values() if p.kind is not Parameter.VAR_KEYWORD]
    of_settings = [
        Parameter(
            name,
            Parameter.KEYWORD_ONLY,
            default=None,
            annotation=_flag(name, setting, ENGINE if name in OF_THE_ENGINE else group),
        )
        for config, group in ((GPTConfig, MODEL), (TrainConfig, TRAINING))
        for name, setting in settings(config).items()
        if name not in _OF_THE_DATA
    ]
    signature = signature.replace(parameters=[*own, *of_settings])
    command.__signature__ = signature  # type: ignore[attr-defined]  (where the parser looks)
    return command


def _flag(name: str, setting: Setting, group: Group) -> Any:
    """Return the annotation of a flag; its default is None, for the preset's value."""
    if setting.type is bool:
        made = switch(setting.help, name.replace("_", "-"), group)
    elif setting.type is int:
        made = whole(setting.help, group)
    else:
        made = flag(setting.help, group)
    return Annotated[setting.type | None, made]
