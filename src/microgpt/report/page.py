"""The page itself: facts in, HTML out, by the template beside this file."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from microgpt import html
from microgpt.evaluation.rules import RULES
from microgpt.html import charts
from microgpt.loss import LN_2
from microgpt.report.facts import Facts

_HERE = Path(__file__).parent


def render(facts: Facts) -> str:
    """Write the page."""
    style = f"{html.style()}{(_HERE / 'page.css').read_text('utf-8')}"
    # The page allows this one style and nothing else: no script, no other address.
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    template = html.template("report.html.jinja", _HERE)
    return template.render(facts=facts, style=style, digest=digest, **_shown(facts))


def _shown(facts: Facts) -> dict[str, Any]:
    """Return what is laid out for the template: parts, charts, scores."""
    result, learning = facts.result, facts.learning
    parts = result.parts
    by_character, confusions = parts.by_character(), parts.confusions()
    levels = [(rung.name, rung.sum.mean) for rung in facts.ladder.rungs if not rung.is_this]
    return {
        "by_position": parts.by_position(),
        "by_length": parts.by_length(),
        "by_character": by_character[: html.ROWS],
        "more_characters": max(len(by_character) - html.ROWS, 0),
        "confusions": confusions[: html.ROWS],
        "more_confusions": max(len(confusions) - html.ROWS, 0),
        "curve": charts.learning_curve(
            learning.training, learning.held_out, levels, learning.mixed
        ),
        "reliability": charts.reliability(result.calibration.bins),
        "rules": list(zip(RULES, result.scores.values())),
        "ln_2": LN_2,
    }
