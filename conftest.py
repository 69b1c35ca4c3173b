"""Files that are not collected if a library is missing; their tests then skip with the reason."""

import gc
import os
import sys
from importlib.util import find_spec

from microgpt.engines import why_not_native

# Every worker reads all tests, and these start Python some fifty times: what is compiled is kept.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

collect_ignore = [] if find_spec("sklearn") else ["src/microgpt/sklearn", "docs/sklearn.md"]
if not find_spec("torch"):
    collect_ignore += ["src/microgpt/engines/torch", "src/microgpt/torch"]
    collect_ignore += ["docs/linear_cross_entropy.md"]
collect_ignore += [] if find_spec("onnx") else ["src/microgpt/export/onnx"]
if not find_spec("tokenizers"):
    collect_ignore += ["src/microgpt/export/huggingface", "src/microgpt/data/tokenizer/bpe.py"]
if not find_spec("sphinx"):
    collect_ignore += ["docs/make_site.py", "docs/website"]
# What is given away with a model: it needs transformers, which takes five seconds to import.
collect_ignore_glob = ["src/microgpt/export/huggingface/*_microgpt.py"]
# They skip who imports them if there is no browser. If they were collected for their doctests, what
# is left of them would be imported by the next.
collect_ignore += ["tests/browser.py", "tests/sites.py", "tests/tabs.py"]
if why_not_native():
    # What the page trains takes plain Python minutes.
    collect_ignore.append("docs/sklearn.md")


def pytest_collection(session: object) -> None:
    """Look for no garbage while tests are read: nothing of them is any."""
    gc.disable()


def pytest_collection_finish(session: object) -> None:
    """Look no more through what was read, which stays; at the rest seldom, as commands do."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000)
    gc.enable()
