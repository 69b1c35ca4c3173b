"""Files that are not collected if scikit-learn is missing; its tests then skip with the reason."""

from importlib.util import find_spec

from microgpt.engines import why_not_native

collect_ignore = [] if find_spec("sklearn") else ["src/microgpt/sklearn", "docs/sklearn.md"]
if why_not_native():
    # What the page trains takes plain Python minutes.
    collect_ignore.append("docs/sklearn.md")
