"""Who may import whom, and what `import microgpt` loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import microgpt

SOURCE = Path(microgpt.__file__).parent

# A module imports from rows above its own; docs/architecture.md has the same table.
ROWS = """
errors alphabet machine datasets
bounds schema
config autograd loss dropout
presets
corpus tokenizer model optim
batch settings
disk ngram words
baselines events
engines.contract
engines.scalar engines.native
engines
train evaluate sample checkpoint log tail bench
mixture sound counts budget
heldout best folder usual compress
saver recipe
session
prepare verdict
run experiment
sweep trained
report
cli sklearn
"""
ROW = {name: row for row, names in enumerate(ROWS.split("\n")) for name in names.split()}


def place(module: str) -> str:
    """The name in the table of a module, or of the package it is in."""
    name = module.removeprefix("microgpt").removeprefix(".")
    while name and name not in ROW:
        name = name.rpartition(".")[0]
    return name


def modules() -> dict[str, ast.Module]:
    found = {}
    for path in SOURCE.rglob("*.py"):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(p for p in parts if p != "__init__")
        found[name] = ast.parse(path.read_text("utf-8"))
    return found


def imported(tree: ast.AST) -> set[str]:
    """All modules a tree imports, those for type checking alone left out."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_a_module_imports_from_rows_above_its_own() -> None:
    for name, tree in modules().items():
        if name in ("", "__main__", "datasets.make_names"):
            continue
        own = place(f"microgpt.{name}")
        assert own, f"{name} stands in no row"
        for other in imported(tree):
            target = place(other) if other.startswith("microgpt") else ""
            if not target or target == own:
                continue
            # An engine never imports another; all of them stand side by side in one row.
            if own == target.partition(".")[0] or target == "engines" == own.partition(".")[0]:
                continue
            assert ROW[target] < ROW[own], f"{name} imports {other}"


def test_an_engine_is_imported_by_the_one_that_opens_it_alone() -> None:
    for name, tree in modules().items():
        for module, home in (
            ("engines.scalar", "engines"),
            ("engines.native", "engines"),
            ("engines._native", "engines.native"),
        ):
            module = f"microgpt.{module}"
            if any(f"{other}.".startswith(f"{module}.") for other in imported(tree)):
                assert name == home or place(f"microgpt.{name}") == place(module)
    door = modules()["engines"]
    top = ast.Module(
        [node for node in door.body if not isinstance(node, ast.FunctionDef)], type_ignores=[]
    )
    assert not any("scalar" in other or "native" in other for other in imported(top))


def test_heavy_libraries_are_imported_where_they_are_used_alone() -> None:
    allowed = {
        "cyclopts": "cli", "rich": "cli", "plotille": ("cli.plot", "cli.why_drawn"),
        "matplotlib": ("cli.plot", "cli.knobs", "cli.why_drawn"),
        "optuna": ("sweep.study", "sweep.storage"),
        "jinja2": ("report.page",),
        "sqlalchemy": "sweep.storage", "sklearn": "sklearn",
        "safetensors": "disk", "filelock": "folder", "msgspec": "schema", "torch": "engines.torch",
    }  # fmt: skip
    for name, tree in modules().items():
        for other in imported(tree):
            where = allowed.get(other.split(".")[0])
            assert where is None or name.startswith(where), f"{name} imports {other}"


def test_importing_microgpt_loads_nothing_else() -> None:
    code = (
        "import sys; before = {m.split('.')[0] for m in sys.modules}; import microgpt; "
        "print(*{m.split('.')[0] for m in sys.modules} - before - set(sys.stdlib_module_names))"
    )
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert loaded == ["microgpt"]
    code = "import microgpt, sys; sys.exit('http' in sys.modules or 'socketserver' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_public_name_is_no_submodule_whatever_was_loaded_before() -> None:
    code = (
        "import microgpt.train, microgpt.session, microgpt; from microgpt import train; "
        "assert callable(train) and microgpt.train is train; print(dir(microgpt))"
    )
    said = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert "'PRESETS'" in said
    with pytest.raises(AttributeError, match=r"^module 'microgpt' has no attribute 'tain'$"):
        _ = microgpt.tain  # type: ignore[attr-defined]


def test_files_are_short() -> None:
    for path in SOURCE.rglob("*.py"):
        length = len(path.read_text("utf-8").splitlines())
        most = (
            150
            if path.relative_to(SOURCE).as_posix() in ("model/__init__.py", "engines/contract.py")
            else 250
        )
        assert length <= most, f"{path.name} has {length} lines"


def test_every_public_name_is_explained() -> None:
    for name in microgpt.__all__:
        value = getattr(microgpt, name)
        assert name == "PRESETS" or value.__doc__, name
