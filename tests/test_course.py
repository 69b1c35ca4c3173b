"""The index of the course, and its glossary: pages, order, minutes, links."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import course

from microgpt.cli.front import COMMANDS
from microgpt.cli.why.ideas import IDEAS

LEARN = Path(__file__).resolve().parents[1] / "docs" / "learn"
INDEX = (LEARN / "README.md").read_text("utf-8")
GLOSSARY = (LEARN / "glossary.md").read_text("utf-8")
ENTRIES = re.findall(r"^### (.+)\n((?:.+\n)+)", GLOSSARY, re.MULTILINE)

# Words of the design, and those that a page may use without explaining them.
NEEDED = """
    nat, bit, logit, BOS, ⏎, slope, gradient, token, vocabulary, position, held-out, perplexity,
    calibration, residual stream, head, parameter, epoch, step, batch, learning rate, loss, target,
    objective, update, window, block size, document, engine, moments, sample, temperature, query,
    key, value, softmax, embedding, layer, width, seed, run, baseline, standard error, checkpoint
"""


def test_the_index_has_all_pages_in_the_order_of_the_ideas_with_their_questions() -> None:
    rows = re.findall(r"^\| (\d+) \| \[.+\]\((.+)\.md\) \| (.+) \| \d+ \|$", INDEX, re.MULTILINE)
    assert rows == [(str(n), *idea) for n, idea in enumerate(IDEAS.items(), 1)]


def test_titles_and_minutes_are_those_of_the_pages() -> None:
    assert course.index(INDEX) == INDEX, "run docs/make.py"


def test_words_of_prose_are_counted_and_the_path_takes_less_than_an_hour() -> None:
    page = "# A title\n\nFour words stand here.\n\n```python\nx = 1\n```\n\n| no | row |\n<!-- no"
    assert course.words(f"{page} -->\n") == 6
    rows = re.findall(r"^\| \[.+\]\((.+)\.md\) \| (\d+) \| `(.+)` \|$", INDEX, re.MULTILINE)
    assert [(name, command) for name, _, command in rows] == list(course.PATH)
    names = [*IDEAS]
    assert sorted(rows, key=lambda row: names.index(row[0])) == rows
    told = re.search(r"Together (\d+) minutes: (\d+) of reading", INDEX)
    assert told is not None
    reading = sum(int(minutes) for _, minutes, _ in rows)
    assert [int(told[1]), int(told[2])] == [reading + len(rows) + 1, reading]
    assert int(told[1]) < 60
    for _, command in course.PATH:
        program, *words = shlex.split(command)
        assert program == "microgpt"
        assert words[0] in COMMANDS
        assert words[0] != "why" or words[1] in IDEAS


def test_every_page_answers_a_question_of_the_index() -> None:
    questions = INDEX[INDEX.index("## What you can answer then") :]
    asked = re.findall(r"^- .+\? \[.+\]\((.+)\.md\)$", questions, re.MULTILINE)
    assert len(asked) == questions.count("\n- ")
    assert set(asked) == set(IDEAS)
    assert asked == sorted(asked, key=[*IDEAS].index)


def test_the_glossary_is_in_alphabetical_order_and_has_the_course_s_words() -> None:
    words = [word for word, _ in ENTRIES]
    assert words == sorted(words, key=lambda word: (word == "⏎", word.casefold()))
    assert {word.strip() for word in NEEDED.split(",")} <= set(words)
    assert len(words) == GLOSSARY.count("\n### ")


def test_an_entry_is_a_sentence_or_two_and_links_to_a_page() -> None:
    for word, text in ENTRIES:
        told = re.sub(r"\[[^]]+\]\([^)]+\)|Also: [^.]+\.|`[^`]+`", "", text)
        assert len(re.findall(r"[.?](?=\s)", told)) in (1, 2), word
        (link,) = re.findall(r"\]\((.+?)\.md\)", text)
        assert link in IDEAS or (LEARN / f"{link}.md").exists(), word


def test_every_page_explains_a_word() -> None:
    linked = set(re.findall(r"\]\((\w[\w-]*)\.md\)", GLOSSARY))
    assert set(IDEAS) <= linked
