"""The docs agree with the program: transcripts, reference, commands, file tree."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from microgpt.cli.app import run as cli
from microgpt.data.corpus import Source
from microgpt.data.datasets import names_path
from microgpt.experiment import new
from microgpt.experiment.trainings import Trainings
from microgpt.experiment.variants import COMPARISONS
from microgpt.runs.run import Run

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def without_the_clock(text: str) -> str:
    """Leave out what another machine prints otherwise: seconds, and errors of rounding."""
    text = re.sub(r" · \S+ tok/s|\S+ microseconds", "", text)
    text = re.sub(r"(?m)^( *1e-\d\d)  .*$| +\de-\d\d$", r"\1", text)
    return re.sub(r'"seconds": [\d.e-]+', '"seconds": 0', text)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="cyclopts 5, which lays it out, needs 3.11")
def test_the_command_line_reference_is_what_help_says(make: ModuleType, tmp_path: Path) -> None:
    # Word by word: another version of the library may break lines elsewhere.
    assert (ROOT / "docs" / "cli.md").read_text("utf-8").split() == make.reference(tmp_path).split()


def test_the_table_of_speeds_is_the_record_s(make: ModuleType) -> None:
    text = (ROOT / "docs" / "speed.md").read_text("utf-8")
    assert make.records.speed(text) == text
    assert text.count("\n| 16, block 16, batch 1 |") == 3
    assert text.count("`, a step | ") == text.count("`, whole | ") - 1 == 4
    assert text.count(" million lines: `") >= 6


def test_the_table_of_attention_is_the_record_s(make: ModuleType) -> None:
    text = (ROOT / "docs" / "gpu.md").read_text("utf-8")
    assert make.records.attention(text) == text
    assert "\n| 16 windows of 128 | " in text


def test_the_table_of_losses_without_logits_is_the_record_s_and_holds_what_is_promised(
    make: ModuleType,
) -> None:
    text = (ROOT / "docs" / "linear_cross_entropy.md").read_text("utf-8")
    assert make.records.without_logits(text) == text
    shares = re.findall(r"\n\| \d+ x \d+ x \d+ \| ours \| .* \| 1/(\d+) \|", text)
    assert len(shares) >= 2
    assert all(int(share) >= 16 for share in shares)


def test_the_table_of_preparing_is_the_record_s_and_microgpt_s_memory_is_the_smaller(
    make: ModuleType,
) -> None:
    text = (ROOT / "docs" / "data.md").read_text("utf-8")
    assert make.records.prepared(text) == text
    memory = re.findall(r"\n\| \w+, 100 \| [12] \|.*\| (\d+) \| (\d+) \|", text)
    assert len(memory) == 4
    assert all(2 * int(ours) < int(theirs) + 60 for ours, theirs in memory)


def test_the_table_of_the_race_is_the_record_s(make: ModuleType) -> None:
    text = (ROOT / "docs" / "race.md").read_text("utf-8")
    assert make.records.race(text) == text
    assert "\n| names | 1 | " in text


def test_the_table_of_the_losses_is_the_record_s(make: ModuleType) -> None:
    text = (ROOT / "docs" / "learn" / "loss.md").read_text("utf-8")
    assert make.records.losses(text) == text
    assert text.count("\n| surnames | ") == 6


@pytest.mark.parametrize("name", COMPARISONS)
def test_the_table_of_an_idea_s_experiment_is_the_record_s(make: ModuleType, name: str) -> None:
    path = ROOT / "docs" / "learn" / f"{name}.md"
    if not path.exists():
        pytest.skip("the page is not there")
    text = path.read_text("utf-8")
    assert make.records.TABLES[f"learn/{name}.md"](text) == text
    (table,) = re.findall(r"<!-- rows -->\n(.*)<!-- end -->", text, re.DOTALL)
    assert table.count("\n| ") >= 2


def test_the_record_of_the_experiments_is_of_five_seeds_and_of_these_variants() -> None:
    record = json.loads((ROOT / "benchmarks" / "records" / "learn.json").read_text("utf-8"))
    assert list(record) == list(COMPARISONS)
    base = new(Source())
    for name, measured in record.items():
        labels = [row["label"] for row in measured["rows"]]
        variants = [
            variant.label for variant in Trainings(name, base, [1], ("auto", 1, None)).variants
        ]
        assert name == "sampling" or set(variants) <= set(labels), name
        assert len(measured["seeds"]) == 5
        assert all(len(of) == 5 for row in measured["rows"] for of in row["values"].values())


def test_the_table_of_sizes_is_the_record_s_and_within_the_bound(make: ModuleType) -> None:
    text = (ROOT / "docs" / "compress.md").read_text("utf-8")
    assert make.records.compressed(text) == text
    rows = [row.split(" | ") for row in re.findall(r"\n\| (\w+, (?:held out|whole) .*) \|", text)]
    assert len(rows) == 4
    for row in rows:
        losses, code = (float(cell.replace(",", "")) for cell in row[3:5])
        assert -2 < code - losses <= 8


def test_the_table_of_exported_models_is_the_record_s_and_holds_what_is_promised(
    make: ModuleType,
) -> None:
    text = (ROOT / "docs" / "export.md").read_text("utf-8")
    assert make.records.exported(text) == text
    rows = re.findall(r"\n\| .* \| (\S+) \| (\d+) kB \| (\d+) kB \| (\S+) \| (\S+) \|", text)
    assert len(rows) == 4
    for cost, short, whole, off, _ in (map(float, row) for row in rows):
        assert abs(cost) < 0.001
        assert short <= whole < 1000
        assert off < 1e-4


def test_the_tables_of_scores_are_the_record_s_and_hold_what_is_promised(make: ModuleType) -> None:
    text = (ROOT / "docs" / "score.md").read_text("utf-8")
    assert make.records.scored(text) == text
    rows = re.findall(r"\n\| (\d+)% \| [\d.]+ % \| ([\d.]+) \(([\d.]+) to ([\d.]+)\) % \|", text)
    assert len(rows) == 2
    for asked, middle, low, high in (map(float, row) for row in rows):
        assert low <= middle <= high
        assert 0.7 * asked < middle < 1.3 * asked
    told = re.findall(r" \| (\d+) of (\d+) \| \d+ \| (\d+) of (\d+) \|", text)
    assert len(told) == 20
    held, n, imagined, tried = (sum(map(int, column)) for column in zip(*told))
    assert 0.92 < held / n < 0.99
    assert 0.92 < imagined / tried < 0.99


def test_the_table_of_clusters_is_the_record_s_and_holds_what_is_promised(
    make: ModuleType,
) -> None:
    text = (ROOT / "docs" / "cluster.md").read_text("utf-8")
    assert make.records.clusters(text) == text
    times = re.findall(r"\n\| times as many as `.*` \| ([\d.]+) ", text)
    assert len(times) == 2
    assert min(map(float, times)) > 1


def test_the_losses_of_any_number_of_ranks_are_those_of_one(make: ModuleType) -> None:
    text = (ROOT / "docs" / "scale.md").read_text("utf-8")
    assert make.records.scale(text) == text
    rows = re.findall(r"\n\| (\d)(?:, sharded)? \| ([\d.]+) \| .* \| ([\d.]+) \|", text)
    assert [int(ranks) for ranks, _, _ in rows] == [1, 2, 4, 2, 4]
    for _, *losses in rows:
        for loss, one in zip(losses, rows[0][1:]):
            assert abs(float(loss) - float(one)) < 1e-5


@pytest.mark.slow
def test_the_transcripts_are_what_the_commands_print(make: ModuleType, tmp_path: Path) -> None:
    for path in make.PAGES:
        text = path.read_text("utf-8")
        assert without_the_clock(make.page(text, tmp_path)) == without_the_clock(text)


@pytest.mark.slow
def test_the_readme_s_commands_run_as_written(tmp_path: Path) -> None:
    def left(folder: str, names: list[str]) -> set[str]:
        made = {"runs", "build", "dist"} if Path(folder) == ROOT else set[str]()
        return {name for name in names if name.startswith(".") or name == "__pycache__"} | made

    shutil.copytree(ROOT, tmp_path, ignore=left, dirs_exist_ok=True)
    (command,) = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    subprocess.run([sys.executable, "-m", "venv", ".venv"], cwd=tmp_path, check=True)
    binaries = tmp_path / ".venv" / ("Scripts" if os.name == "nt" else "bin")
    env = {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        command, shell=True, cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "step 1000: loss 2." in done.stdout
    assert (tmp_path / "runs" / "names-1" / "checkpoint.safetensors").exists()


@pytest.mark.slow
def test_the_readme_s_python_runs_as_written(tmp_path: Path) -> None:
    # So many that some are held out.
    some = names_path().read_text("utf-8").splitlines(keepends=True)[::300]
    (tmp_path / "names.txt").write_text("".join(some), "utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib is in Python 3.11")
def test_the_readme_s_commands_that_name_no_extra_need_none(
    model: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [w for name, ws in project["optional-dependencies"].items() if name not in
              ("test", "dev") for w in ws]  # fmt: skip
    core, extra = ({re.split(r"\W", w)[0] for w in ws} for ws in (project["dependencies"], wanted))
    for name in extra - core:
        monkeypatch.setitem(sys.modules, name.replace("scikit", "sklearn"), None)
    rows = [row for row in README.splitlines() if row.startswith("| `microgpt ")]
    named = {w for row in rows if "pip install" not in row
             for w in re.findall(r"`microgpt (\w+)", row)}  # fmt: skip
    run = str(model.folder)
    texts = str(model.folder.parent / "names.txt")
    words = {
        "sample": [run], "score": [run, "anna"], "evaluate": [run], "why": [run, "anna"],
        "report": [run, "-o", "page.html"], "data": [texts], "plot": [run], "runs": [],
        "compress": [run, texts, "-o", "c"], "bench": ["--help"], "suspicious": ["--help"],
        "doctor": [run], "train": ["--help"],
        "studio": ["--help"], "export": ["--help"],
    }  # fmt: skip
    assert set(words) == named
    for name, given in words.items():
        assert cli([name, *given]) == 0, name


def test_every_path_in_the_readme_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
    tree = re.search(r"src/microgpt/\n(.*?)docs/", README, re.DOTALL)
    assert tree is not None
    room, words = "", set[str]()
    for row in tree[1].splitlines():
        is_within = row.startswith("│")
        here = re.split(r"\s{3,}", row.lstrip("│├└─ "))[0].split()
        words |= {f"{room}{word}" if is_within else word for word in here}
        room = room if is_within else here[0]
    assert len(words) > 15
    for word in words:
        path = ROOT / "src" / "microgpt" / word
        assert path.is_dir() if word.endswith("/") else path.with_suffix(".py").exists(), word


def test_every_module_is_in_the_readme_s_tree() -> None:
    tree = README[README.index("src/microgpt/\n") :]
    for path in (ROOT / "src" / "microgpt").iterdir():
        if path.stem.startswith("__") or path.suffix not in ("", ".py"):
            continue
        assert re.search(rf"\b{path.stem}\b", tree), path.name
