"""Runs on the disk: making, writing, finding and reading their folders.

`microgpt.runs("runs")` answers the runs in a folder as a data frame: this package can be called.
"""

import sys
from types import ModuleType
from typing import Any


class _Runs(ModuleType):
    def __call__(self, *folder: Any, **named: Any) -> Any:
        from microgpt.runs.frame import runs

        return runs(*folder, **named)


runs = sys.modules[__name__]
runs.__class__ = _Runs
