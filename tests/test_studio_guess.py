"""The hidden text stays hidden until it is bet on, and every loss is the package's."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import microgpt
from microgpt import Run
from microgpt.errors import UsageError
from microgpt.studio.bets import Bet, shares
from microgpt.studio.game import LONGEST
from microgpt.studio.server import Server

from .conftest import TINY
from .studios import ask, request, serving

SEEDS = range(4)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs")
    file = folder / "names.txt"
    texts = [*TINY, *(a + b for a in TINY for b in TINY), *(f"{a} " * 30 for a in TINY)]
    file.write_text("\n".join(texts), "utf-8")
    return microgpt.train(
        file, engine="scalar", steps=5, n_embd=8, block_size=12, holdout=0.3, out=folder / "a"
    )


@pytest.fixture(scope="module")
def server(run: Run) -> Iterator[Server]:
    with serving(run.folder.parent) as served:
        yield served


def begun(server: Server, seed: int, run: str = "a", game: str = "") -> Any:
    return ask(server, "/api/guess", run=run, seed=seed, game=game)


def bet(server: Server, game: Any, *on: int, sure: float = 0.9, keep: bool = True) -> Any:
    """Bet on some tokens alike; all are blind bets, of a page that knows nothing."""
    its = {"weights": [[token, 1] for token in on], "sure": sure, "keep": keep}
    return ask(server, "/api/guess/bet", game=game["game"], at=len(game["guessed"]), bet=its)


def played(server: Server, seed: int, run: str = "a") -> list[Any]:
    """Play a game to its end; return all answers."""
    answers = [begun(server, seed, run)]
    while answers[-1]["text"] is None:
        answers.append(bet(server, answers[-1], 0))
    return answers


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_of_the_hidden_text_is_sent_before_it_is_bet_on(
    run: Run, server: Server, seed: int
) -> None:
    first, *others = played(server, seed)
    # What is known before the first bet is the same for every text.
    same = {**begun(server, seed + 100), "game": ""}
    assert {**first, "game": ""} == same
    assert (first["guessed"], first["text"]) == ([], None)
    for n, answer in enumerate(others, 1):
        assert len(answer["guessed"]) == n
        assert answer["text"] is None or n == len(others)
        keys = {"game", "what", "symbols", "end", "counts", "blind", "guessed", "text"}
        assert set(answer) == keys
    assert others[-1]["text"] in {text[:LONGEST] for text in run.held_out}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_losses_are_those_of_the_run_and_of_its_counts(
    run: Run, server: Server, seed: int
) -> None:
    last = played(server, seed)[-1]
    guessed, n = last["guessed"], len(last["guessed"])
    whole = next(text for text in run.held_out if text[:LONGEST] == last["text"])
    model = run.score(whole).losses[:n]
    assert n == min(len(whole) + 1, LONGEST)
    assert [one["model"] for one in guessed] == pytest.approx(model, abs=1e-6)
    assert last["blind"] == pytest.approx(math.log(run.tokenizer.vocab_size))
    counts = run.ladder([whole]).baselines["ngram"]
    if len(whole) < LONGEST:
        assert sum(one["counts"] for one in guessed) == pytest.approx(counts.nats)
    for k, name in enumerate(("yours", "model", "counts")):
        for i in range(n):
            mean = sum(one[name] for one in guessed[: i + 1]) / (i + 1)
            assert guessed[i]["means"][k] == pytest.approx(mean)
    assert last["counts"] == f"{run.ngram.n}-grams"
    symbols = "".join(one["symbol"] for one in guessed)
    assert symbols.removesuffix("⏎").replace("␣", " ") == last["text"]


def test_a_bet_costs_minus_log_of_the_share_of_what_came(run: Run, server: Server) -> None:
    V = run.tokenizer.vocab_size
    text = played(server, 1)[-1]["text"]
    first, second, third = (run.tokenizer.encode(text)[0][i] for i in range(3))
    right, wrong = map(int, (first, (second + 1) % V))
    game = bet(server, begun(server, 1), right, sure=0.5)
    assert game["guessed"][0]["yours"] == pytest.approx(-math.log(0.5))
    game = bet(server, game, wrong, sure=0.9)
    assert game["guessed"][1]["yours"] == pytest.approx(-math.log(0.1 / (V - 1)))
    game = bet(server, game, int(third), wrong, sure=1.0)
    if int(third) != wrong:
        assert game["guessed"][2]["yours"] == pytest.approx(-math.log(0.99 / 2))
    fourth = int(run.tokenizer.encode(text)[0][3])
    game = bet(server, game, (fourth + 1) % V, sure=1.0, keep=False)
    # Infinite numbers are null in JSON: it was certain that this could not come.
    assert (game["guessed"][3]["share"], game["guessed"][3]["yours"]) == (0, None)
    assert (game["guessed"][3]["means"][0], game["guessed"][3]["level"]) == (None, 5)


@pytest.mark.parametrize(
    ("weights", "sure", "keep", "expected", "rest"),
    [
        ([(0, 1)], 0.5, True, [0.5], 0.125),
        ([(0, 3), (1, 1)], 0.8, True, [0.6, 0.2], 0.2 / 3),
        ([(0, 1)], 1.0, True, [0.99], 0.01 / 4),
        ([(0, 1)], 1.0, False, [1.0], 0.0),
        ([(k, 1) for k in range(5)], 0.5, True, [0.2] * 5, 0.0),
    ],
)
def test_shares_sum_to_one(
    weights: Any, sure: float, keep: bool, expected: list[float], rest: float
) -> None:
    found = shares(Bet(weights, sure, keep), 5)
    assert list(found.on.values()) == pytest.approx(expected)
    assert found.rest == pytest.approx(rest)
    assert math.fsum(found.of(k) for k in range(5)) == pytest.approx(1)


def test_a_game_goes_on_where_it_is_and_no_position_is_bet_on_twice(server: Server) -> None:
    game = bet(server, begun(server, 2), 0)
    assert begun(server, 2, game=game["game"]) == game
    assert begun(server, 3, game=game["game"])["guessed"] == []
    again = microgpt.schema.encode(
        {"game": game["game"], "at": 0, "bet": {"weights": [[0, 1]], "sure": 0.5}}
    )
    answer = request(server, "/api/guess/bet", again)
    assert (answer.status, "bet on already" in answer.json()["error"]) == (400, True)
    assert begun(server, 2, game=game["game"]) == game


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({"weights": [], "sure": 0.5}, "on one token or several"),
        ({"weights": [[0, 1], [0, 1]], "sure": 0.5}, "several different ones"),
        ({"weights": [[99, 1]], "sure": 0.5}, "on one token"),
        ({"weights": [[0, 0]], "sure": 0.5}, "A weight must be a number above 0"),
        ({"weights": [[0, 1]], "sure": 1.5}, "sure must be above 0 and at most 1; got 1.5."),
    ],
)
def test_a_bet_that_is_none_is_one_sentence(server: Server, bad: Any, sentence: str) -> None:
    game = begun(server, 1)
    body = microgpt.schema.encode({"game": game["game"], "at": 0, "bet": bad})
    answer = request(server, "/api/guess/bet", body)
    assert answer.status == 400
    assert sentence in answer.json()["error"]
    assert begun(server, 1, game=game["game"])["guessed"] == []


def test_of_many_games_the_one_that_rested_longest_is_forgotten(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("microgpt.studio.guess._KEPT", 2)
    with serving(run.folder.parent) as server:
        games = [begun(server, seed) for seed in range(3)]
        body = {"game": games[0]["game"], "at": 0, "bet": {"weights": [[0, 1]], "sure": 0.5}}
        answer = request(server, "/api/guess/bet", microgpt.schema.encode(body))
        assert "not kept any more" in answer.json()["error"]
        assert len(bet(server, games[2], 0)["guessed"]) == 1


def test_without_its_documents_a_sample_is_guessed_and_said_to_be_one(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    microgpt.train([*TINY], engine="scalar", steps=2, n_embd=8, out=folder / "a")
    with serving(folder) as server:
        last = played(server, 0, "a")[-1]
    assert last["what"] == "A sample of the model itself, because its documents are missing."
    assert (last["counts"], last["guessed"][-1]["means"][2]) == ("", None)


def test_documents_trained_on_are_said_to_be_and_no_counts_stand_beside(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_text("\n".join(TINY), "utf-8")
    microgpt.train(file, engine="scalar", steps=2, n_embd=8, out=tmp_path / "runs" / "a")
    with serving(tmp_path / "runs") as server:
        last = played(server, 0)[-1]
        assert "trained on" in last["what"]
        assert (last["text"] in TINY, last["counts"]) == (True, "")
        shutil.copytree(tmp_path / "runs" / "a", tmp_path / "runs" / "b")
        file.unlink()
        assert "documents are missing" in begun(server, 0, "b")["what"]


def test_bytes_and_long_tokens_are_guessed_one_by_one(tmp_path: Path) -> None:
    file = tmp_path / "texts.txt"
    file.write_text("\n".join(["é" * 60, "ü" * 60]), "utf-8")
    out = tmp_path / "a"
    microgpt.train(file, engine="scalar", steps=1, n_embd=8, tokenizer="bytes", out=out)
    with serving(tmp_path) as server:
        last = played(server, 0)[-1]
    assert len(last["guessed"]) == LONGEST
    assert last["guessed"][0]["symbol"] == "\\xc3"
    assert last["text"] in {"é" * 20, "ü" * 20}


def test_a_share_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="on one token"):
        shares(Bet([], 0.5), 3)
