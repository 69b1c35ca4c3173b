"""One page of an evaluation, for whoever opens it: a single HTML file without scripts or network.

In: a run, documents. Out: the page as text. Every chart has its table, every colour its number; it
reads on a telephone, on paper, in the dark, and aloud.
"""

from __future__ import annotations

from microgpt.report.facts import Facts, gather
from microgpt.report.page import render

__all__ = ["Facts", "gather", "render"]
