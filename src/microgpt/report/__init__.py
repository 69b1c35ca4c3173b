"""A run's evaluation as one page: a single HTML file without scripts or network access.

In: a run, documents. Out: the page as text. Every chart has a table and every colour a number
beside it, so that it can be read on a phone, on paper, in dark mode and by screen readers.
"""

from __future__ import annotations

from microgpt.report.facts import Facts, gather
from microgpt.report.page import render

__all__ = ["Facts", "gather", "render"]
