"""`microgpt data`: what is in a data set; and `microgpt data prepare`: token ids on the disk."""

from __future__ import annotations

from cyclopts import App

from microgpt.cli.data.prepare import prepare
from microgpt.cli.data.statistics import statistics_of

data = App(name="data")
data.default(statistics_of)
data.command(prepare)
