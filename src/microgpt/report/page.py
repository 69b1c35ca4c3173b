"""The page: `Facts` to HTML, by the template in this folder."""

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
    """Return the page as HTML."""
    style = f"{html.page_style()}{(_HERE / 'page.css').read_text('utf-8')}"
    # The page's content security policy allows this style sheet and nothing else.
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    template = html.template("report.html.jinja", _HERE)
    return template.render(facts=facts, style=style, digest=digest, **_shown(facts))


def _shown(facts: Facts) -> dict[str, Any]:
    """Return the variables of the template: parts, charts, scores."""
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
