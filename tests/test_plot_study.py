"""Pictures of studies: means and standard deviations of runs against a setting or against steps."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgpt
from microgpt.cli.app import run as command_line
from microgpt.cli.plot.picture import bands_picture
from microgpt.errors import UsageError
from microgpt.runs.bands import Band, bands, varying
from microgpt.runs.record import RESULTS
from microgpt.runs.run import Run
from tests.conftest import out

Capture = pytest.CaptureFixture[str]
NAMES = ["ada", "alan", "anna", "bea", "ben", "bob", "dana", "dean", "eba", "lea", "lena", "noa"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two learning rates, two widths, two seeds; the file of the documents."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "t.txt").write_text("\n".join(NAMES))
    for lr in (0.01, 0.1):
        for n_embd in (2, 4):
            for seed in (1, 2):
                microgpt.train(
                    folder / "t.txt", out=folder / "runs" / f"{lr}-{n_embd}-{seed}", lr=lr,
                    n_embd=n_embd, n_head=1, seed=seed, steps=6, block_size=6, preset="microgpt",
                    engine="scalar", holdout=0.3,
                )  # fmt: skip
    return folder


@pytest.fixture(autouse=True)
def _at_home(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(home)
    capsys.readouterr()


def drawn(capsys: Capture, words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out(capsys, f"plot {words} --json").splitlines()]


def heldout(lr: float, n_embd: int) -> list[float]:
    logs = [Run(f"runs/{lr}-{n_embd}-{seed}").log for seed in (1, 2)]
    return [log.heldout[-1]["heldout"]["loss"] for log in logs]


def test_a_point_is_the_mean_over_seeds_and_the_band_their_standard_deviation(
    capsys: Capture,
) -> None:
    told = drawn(capsys, "runs --x lr --y heldout --by n_embd --band seed")
    assert [one["name"] for one in told] == ["n_embd 2", "n_embd 4"]
    for one, n_embd in zip(told, (2, 4)):
        assert one["x"] == [0.01, 0.1]
        assert one["n"] == [2, 2]
        for i, lr in enumerate((0.01, 0.1)):
            assert one["mean"][i] == pytest.approx(statistics.mean(heldout(lr, n_embd)))
            assert one["deviation"][i] == pytest.approx(statistics.stdev(heldout(lr, n_embd)))


def test_learning_curves_are_joined_step_by_step(capsys: Capture) -> None:
    (one,) = drawn(capsys, "runs --y loss --where n_embd=2 --where lr=0.1")
    logs = [Run(f"runs/0.1-2-{seed}").log.lines for seed in (1, 2)]
    assert one["x"] == [1, 2, 3, 4, 5, 6]
    expected = [(a["loss"] + b["loss"]) / 2 for a, b in zip(*logs)]
    assert one["mean"] == pytest.approx(expected)


def test_runs_that_differ_in_more_than_is_named_are_joined_with_a_note(capsys: Capture) -> None:
    assert command_line(["plot", "runs", "--x", "lr", "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith("microgpt: runs that are joined differ in n_embd too")
    assert json.loads(printed.out)["n"] == [4, 4]
    assert command_line(["plot", "runs", "--x", "lr", "--band", "seed,n_embd", "--json"]) == 0
    assert capsys.readouterr().err == ""


def test_the_terminal_has_labels_bars_and_the_numbers(capsys: Capture) -> None:
    printed = out(capsys, "plot runs --x lr --by n_embd")
    assert "n_embd 2 " in printed
    assert "0.0093" in printed  # the axis is logarithmic, and begins a little before 0.01
    row = next(line for line in printed.splitlines() if line.startswith("n_embd 4   0.1"))
    values = heldout(0.1, 4)
    assert row.split()[2:] == [
        "0.1", f"{statistics.mean(values):.4f}", f"{statistics.stdev(values):.4f}", "2",
    ]  # fmt: skip
    assert printed.endswith(
        "heldout: the mean of n runs that differ in seed; sd: their standard deviation\n"
    )


def test_a_picture_has_bands_labels_and_a_legend_that_fits(capsys: Capture, tmp_path: Path) -> None:
    for name in ("a.png", "a.svg"):
        words = f"plot runs --x lr --by n_embd --save {tmp_path / name}"
        assert out(capsys, words) == f"Saved in {tmp_path / name}.\n"
    many = [
        Band(f"n_embd {i}, seed {i}", *(np.array([1.0, 2.0]) for _ in range(4))) for i in range(20)
    ]
    figure = bands_picture(many, "lr", "heldout", "seed")
    figure.canvas.draw()
    assert len(figure.legends[0].get_texts()) == 20
    assert figure.axes[0].get_window_extent().height / figure.dpi > 3
    shaded = figure.axes[0].collections
    assert len(shaded) == 20


def test_a_linear_axis_is_kept_where_values_are_near() -> None:
    near = Band("a", *(np.array([1.0, 2.0]) for _ in range(4)))
    far = Band("a", np.array([0.001, 0.1]), near.mean_P, near.deviation_P, near.n_P)
    scales = [bands_picture([band], "x", "y", "seed").axes[0].get_xscale() for band in (near, far)]
    assert scales == ["linear", "log"]
    assert bands_picture([far], "step", "y", "seed").axes[0].get_xscale() == "linear"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("runs --x lrr", 'there is no column "lrr" of runs. Did you mean "lr"?'),
        ("runs --x data", "data must be a column of numbers; got none in these runs."),
        ("runs --y seed", 'y must be loss or heldout where x is step; got "seed".'),
        ("runs --x lr --where lr=7", "there must be runs to draw; got none."),
        ("runs --x lr --y gpt", "gpt must be a column of numbers; got none in these runs."),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(capsys: Capture, words: str, message: str) -> None:
    assert command_line(["plot", *words.split()]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"microgpt: {message}")
    assert error.count("\n") == 1


def test_rows_that_lack_a_value_are_left_out() -> None:
    rows = [{"x": 1, "y": 2.0}, {"x": 1, "y": None}, {"x": None, "y": 1.0}, {"x": 2, "y": 3}]
    (band,) = bands(rows, "x", "y")
    assert band.to_json() == {
        "name": "y", "x": [1, 2], "mean": [2, 3], "deviation": [0, 0], "n": [1, 1]
    }  # fmt: skip
    with pytest.raises(UsageError, match="x must be a column of numbers"):
        bands([{"x": "a", "y": 1}], "x", "y")


def test_settings_in_which_joined_runs_differ_are_found() -> None:
    rows = [{"x": 1, "a": 1, "loss": 1}, {"x": 1, "a": 2, "loss": 2}, {"x": 2, "b": 1, "a": 1}]
    assert varying(rows, ("x",), RESULTS) == ["a"]
    assert varying(rows, ("x", "a"), RESULTS) == []
