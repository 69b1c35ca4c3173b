"""What is not collected where scikit-learn is missing; its tests skip, and say why."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("sklearn") else ["src/microgpt/sklearn", "docs/sklearn.md"]
