"""The commands on a run whose model is an ensemble."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import microgpt
from microgpt import model
from microgpt.cli.app import run as run_command
from tests.conftest import out


def test_the_commands_take_an_ensemble(
    tmp_path: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "names.txt").write_text("\n".join(tiny), "utf-8")
    run = microgpt.train(
        tmp_path / "names.txt", out=tmp_path / "r", models=2, steps=30, holdout=0.2, n_embd=8,
        n_head=2, block_size=8, engine="native", preset="microgpt",
    )  # fmt: skip
    folder = str(run.folder)
    found = json.loads(out(capsys, f"evaluate {folder} --json"))
    assert found["loss"] == pytest.approx(run.evaluate(run.held_out).loss)
    assert found["cost"]["models"] == 2
    assert found["cost"]["parameters"] == 2 * model.size(run.settings.model)
    assert found["cost"]["bytes"] == 4 * found["cost"]["parameters"]
    assert found["cost"]["seconds"] > 0.0
    assert "\n2 GPTs, " in out(capsys, f"evaluate {folder}")
    assert len(out(capsys, f"sample {folder} -n 3").splitlines()) >= 3
    assert "anna" in out(capsys, f"score {folder} anna")
    assert run_command(["why", folder, "anna"]) == 0
    printed = capsys.readouterr()
    assert "this is the first of the 2 GPTs of " in printed.err
    assert '"anna"' in printed.out
    assert run_command(["doctor", folder]) == 0
