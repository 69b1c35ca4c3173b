"""What is not collected where scikit-learn is missing; its tests skip, and say why."""

from importlib.util import find_spec

from microgpt.engines import why_not_native

collect_ignore = [] if find_spec("sklearn") else ["src/microgpt/sklearn", "docs/sklearn.md"]
if why_not_native():
    # What the page trains takes plain Python minutes.
    collect_ignore.append("docs/sklearn.md")
