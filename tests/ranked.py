"""What several ranks run in the tests: `torchrun ranked.py CASES.json`; each case is a training."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import microgpt

if __name__ == "__main__":
    for case in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        microgpt.train(**case)
