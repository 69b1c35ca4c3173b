"""The names shipped with the package, and the numbers in their README."""

from __future__ import annotations

import re

from microgpt.data.datasets import make_names, names_path

RAW = names_path().read_bytes()
NAMES = RAW.decode("ascii").splitlines()
README = names_path().with_name("README.md").read_text("utf-8")


def stated(row: str) -> list[int]:
    """The numbers in a row of the README's table."""
    (cell,) = re.findall(rf"^\| {row} \| (.*) \|$", README, re.MULTILINE)
    return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*\d|\d", cell)]


def test_the_file_has_32000_names_and_none_twice() -> None:
    assert len(NAMES) == len(set(NAMES)) == 32_000 == make_names.COUNT


def test_every_line_is_lower_case_a_to_z_and_ends_in_a_line_feed() -> None:
    assert re.fullmatch(rb"(?:[a-z]+\n)+", RAW)


def test_the_most_frequent_name_comes_first() -> None:
    assert NAMES[0] == "smith"


def test_the_readme_counts_the_documents() -> None:
    assert stated("documents") == [len(NAMES)]
    assert "no duplicates" in README


def test_the_readme_counts_the_characters() -> None:
    assert stated("characters") == [sum(map(len, NAMES))]


def test_the_readme_counts_the_alphabet() -> None:
    letters = sorted(set("".join(NAMES)))
    assert stated("alphabet") == [len(letters)]
    assert f"{letters[0]}-{letters[-1]}" in README


def test_the_readme_has_the_shortest_and_the_longest_length() -> None:
    lengths = [len(name) for name in NAMES]
    assert stated("length") == [min(lengths), max(lengths)]


def test_the_readme_names_the_archive_the_script_accepts() -> None:
    assert re.findall(r"\b[0-9a-f]{64}\b", README) == [make_names.SHA256]
