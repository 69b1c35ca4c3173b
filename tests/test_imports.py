"""Who may import whom, and what `import microgpt` loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import microgpt

SOURCE = Path(microgpt.__file__).parent

# A room imports from those above it; docs/architecture.md has the same table.
ROOMS = """
errors
schema wording frames
html
page
config
data
loss
model
autograd optim
torch
engines
inside
counting
scoring
evaluation
sampling compress
training
runs
doctor
bench sweep experiment report export sklearn folds
studio
cli
"""
ROW = {name: row for row, names in enumerate(ROOMS.split("\n")) for name in names.split()}


def room(module: str) -> str:
    """The room of a module, by its full name."""
    return module.removeprefix("microgpt").removeprefix(".").partition(".")[0]


@cache
def modules() -> dict[str, ast.Module]:
    found = {}
    for path in SOURCE.rglob("*.py"):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(p for p in parts if p != "__init__")
        found[name] = ast.parse(path.read_text("utf-8"))
    return found


@cache
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


def test_a_room_imports_from_rooms_above_it() -> None:
    for name, tree in modules().items():
        if name in ("", "__main__"):
            continue
        own = name.partition(".")[0]
        assert own in ROW, f"{name} stands in no room"
        for other in imported(tree):
            target = room(other) if other.startswith("microgpt.") else ""
            if target and target != own:
                assert ROW[target] < ROW[own], f"{name} imports {other}"


def test_an_engine_is_imported_by_the_one_that_opens_it_alone() -> None:
    for name, tree in modules().items():
        for module, home in (
            ("engines.scalar", "engines"),
            ("engines.native", "engines"),
            ("engines._native", "engines.native"),
        ):
            if any(f"{other}.".startswith(f"microgpt.{module}.") for other in imported(tree)):
                assert name == home or f"{name}.".startswith(f"{module}."), f"{name} opens {module}"
    door = modules()["engines"]
    top = ast.Module(
        [node for node in door.body if not isinstance(node, ast.FunctionDef)], type_ignores=[]
    )
    assert not any("scalar" in other or "native" in other for other in imported(top))


def calls(tree: ast.AST) -> set[str]:
    """Return the functions and methods that a tree calls, by name."""
    functions = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {
        f.id if isinstance(f, ast.Name) else f.attr
        for f in functions
        if isinstance(f, (ast.Name, ast.Attribute))
    }


def test_the_command_line_alone_prints() -> None:
    for name, tree in modules().items():
        if name.partition(".")[0] != "cli" and name != "data.datasets.make_names":
            assert "print" not in calls(tree), name


# What a run and a sweep keep; what a person names to be written, or drops on the studio's page.
WRITERS = (
    "runs", "sweep.folder", "sweep.best", "cli.compress", "data.datasets.make_names",
    "studio.uploads",
)  # fmt: skip


def test_few_modules_write_files() -> None:
    writing = {"write_text", "write_bytes", "mkdir", "rmtree", "replace_file", "mkstemp", "unlink"}
    for name, tree in modules().items():
        if not name.startswith(WRITERS):
            assert not writing & calls(tree), (name, writing & calls(tree))


def test_heavy_libraries_are_imported_where_they_are_used_alone() -> None:
    allowed = {
        "cyclopts": "cli", "rich": ("cli", "runs.bar"), "IPython": "runs.bar",
        "plotille": ("cli.plot", "cli.why"),
        "matplotlib": ("cli.plot", "cli.sweep", "cli.why"),
        "optuna": ("sweep.study", "sweep.storage", "sweep.heart"),
        "jinja2": ("html",),
        "sqlalchemy": "sweep.storage", "sklearn": "sklearn",
        "safetensors": "runs.files", "filelock": "runs.folder", "msgspec": "schema",
        "onnx": "export.onnx", "tokenizers": ("data.tokenizer", "export.huggingface"),
        "transformers": "export.huggingface",
        "tensorboardX": "runs.tracking.tensorboard", "wandb": "runs.tracking.wandb",
        "mlflow": "runs.tracking.mlflow", "trackio": "runs.tracking.trackio",
        "torch": ("engines.torch", "torch", "export.huggingface.modeling_microgpt"),
        "starlette": "studio", "uvicorn": "studio", "anyio": "studio",
    }  # fmt: skip
    for name, tree in modules().items():
        for other in imported(tree):
            where = allowed.get(other.split(".")[0])
            assert where is None or name.startswith(where), f"{name} imports {other}"


def test_a_training_loads_neither_scoring_nor_pages(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from microgpt.cli.app import run\n"
        "words = ['train', '--preset', 'microgpt', '--steps', '2', '--out', sys.argv[1]]\n"
        "assert run(words) == 0\n"
        "unwanted = ('microgpt.evaluation', 'microgpt.scoring', 'microgpt.html')\n"
        "unwanted += ('rich', 'jinja2', 'cyclopts.completion')\n"
        "print('loaded:', [name for name in sys.modules if name.startswith(unwanted)])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "r"], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "loaded: []"


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
        "import microgpt.training.loop, microgpt.cli.train, microgpt; from microgpt import train; "
        "assert callable(train) and microgpt.train is train; print(dir(microgpt))"
    )
    said = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert "'PRESETS'" in said
    with pytest.raises(AttributeError, match=r"^module 'microgpt' has no attribute 'tain'$"):
        _ = microgpt.tain  # type: ignore[attr-defined]


def test_no_two_classes_share_a_name() -> None:
    homes: dict[str, str] = {}
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                assert node.name not in homes, f"{name} and {homes[node.name]}: {node.name}"
                homes[node.name] = name


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


def test_an_engine_that_was_not_built_is_said_to_be_that() -> None:
    program = (
        "import sys\n"
        "sys.modules['microgpt.engines._native'] = None\n"
        "from microgpt.engines import why_not_native\n"
        "print(why_not_native())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("it was not built when microgpt was installed")
