"""The scikit-learn estimator: its numbers are the package's own, its behaviour scikit-learn's."""

from __future__ import annotations

import copy
import json
import math
import pickle
import random
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgpt
from microgpt.cli.app import run
from microgpt.data.datasets import names_path
from microgpt.data.split import split
from microgpt.errors import DivergedError, MissingExtra, RunError, UsageError

from .conftest import TINY, required

try:
    import pandas as pd
    from sklearn.base import clone
    from sklearn.exceptions import NotFittedError
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer
    from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator
    from sklearn.utils.validation import check_is_fitted, validate_data

    from microgpt.sklearn import TextDensity
except (ImportError, MissingExtra) as error:
    required("scikit-learn", str(error))

SMALL: dict[str, Any] = {
    "preset": "microgpt", "steps": 20, "n_embd": 8, "n_head": 2, "block_size": 8, "batch_size": 4,
    "ngram": 2, "holdout": 0.25, "contamination": 0.2, "random_state": 0, "threads": 1,
}  # fmt: skip
# With a text over the block, letters never seen, an end that comes at once, more than one byte.
TEXTS = [*TINY, "", "annannannannanna", "xyz", "naïve"]
DOCS = Path(__file__).resolve().parents[1] / "docs" / "sklearn.md"

# What scikit-learn asks of tables of numbers and of nothing else.
NOT_OF_TEXT = {
    "check_n_features_in": "columns",
    "check_n_features_in_after_fitting": "columns",
    "check_fit1d": "columns",
    "check_fit2d_predict1d": "columns",
    "check_dtype_object": "numbers",
    "check_complex_data": "numbers",
    "check_estimators_dtypes": "numbers",
    "check_estimators_nan_inf": "numbers",
    "check_positive_only_tag_during_fit": "numbers",
    "check_estimators_empty_data_messages": "numbers",
    "check_f_contiguous_array_estimator": "memory",
    "check_array_api_input": "memory",
    "check_estimator_sparse_tag": "memory",
    "check_estimator_sparse_array": "memory",
    "check_estimator_sparse_matrix": "memory",
}
TRANSLATION = "check_outliers_train"


@pytest.fixture(scope="module")
def model() -> TextDensity:
    return TextDensity(**SMALL).fit(TINY)


class Spelled(TextDensity):  # type: ignore[misc]
    """Takes tables of numbers, as scikit-learn's checks give them, and spells each row out."""

    def _spelled(self, X: Any, **how: bool) -> list[str]:
        return [" ".join(f"{x:.1f}" for x in row) for row in validate_data(self, X, **how)]

    def fit(self, X: Any, y: object = None) -> TextDensity:
        return super().fit(self._spelled(X), y)

    def score_samples(self, X: Any) -> Any:
        check_is_fitted(self)
        return super().score_samples(self._spelled(X, reset=False))

    def score(self, X: Any, y: object = None) -> float:
        return super().score(self._spelled(X, reset=False), y)

    def decision_function(self, X: Any) -> Any:
        check_is_fitted(self)
        return super().decision_function(self._spelled(X, reset=False))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.one_d_array = True, False
        return tags


def name_of(check: Any) -> str:
    return check.func.__name__ if isinstance(check, partial) else check.__name__


def checks() -> Iterator[Any]:
    """Every check of scikit-learn's, by the whole and by character; those not of text skip."""
    for per_character in (False, True):
        # The checks count outliers among what was trained on: nothing may be held out.
        told = {"holdout": 0.0, "per_character": per_character, "steps": 3, "n_embd": 4}
        spelled = Spelled(**{**SMALL, **told})
        for i, (estimator, check) in enumerate(estimator_checks_generator(spelled, mark=None)):
            name = name_of(check)
            marks: list[Any] = []
            if name in NOT_OF_TEXT:
                marks = [pytest.mark.skip(reason=f"not of text, which has no {NOT_OF_TEXT[name]}")]
            elif name == TRANSLATION and per_character:
                reason = "per character, decision_function is no translation of score_samples"
                marks = [pytest.mark.xfail(raises=AssertionError, strict=True, reason=reason)]
            yield pytest.param(estimator, check, marks=marks, id=f"{per_character}-{i}-{name}")


@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_scikit_learn_s_checks_pass(estimator: Any, check: Any) -> None:
    check(estimator)


def test_scikit_learn_s_own_choice_of_checks_for_text_passes() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it has no others for strings
        told = check_estimator(TextDensity(**SMALL))
    assert told
    assert {each["status"] for each in told} == {"passed"}


def test_the_page_names_every_check_that_does_not_apply() -> None:
    told = set(re.findall(r"`(check_\w+)`", DOCS.read_text("utf-8")))
    assert told == {*NOT_OF_TEXT, TRANSLATION}


def test_log_p_is_minus_the_nats_of_the_run_character_by_character(model: TextDensity) -> None:
    for tokenizer in ("characters", "bytes"):
        fitted = clone(model).set_params(tokenizer=tokenizer).fit(TINY)
        expected = [-score.nats for score in fitted.run_.scores(TEXTS)]
        assert fitted.score_samples(TEXTS) == pytest.approx(expected, rel=1e-5)
        # Each alone costs what it costs among others.
        assert [fitted.score_samples([t])[0] for t in TEXTS] == pytest.approx(expected, rel=1e-5)


def test_the_score_is_minus_the_loss_whatever_the_tokenizer(model: TextDensity) -> None:
    texts = [*TINY, "xyz", ""]
    assert model.score(texts) == pytest.approx(-model.run_.evaluate(texts).loss, rel=1e-5)
    fitted = clone(model).set_params(tokenizer="bytes").fit([*TINY, "é"])
    # Two bytes of one character: 3 positions, 2 characters with the end.
    assert fitted.score(["é"]) == pytest.approx(fitted.run_.score("é").nats / -2, rel=1e-5)


def test_it_is_the_run_that_the_package_trains(tmp_path: Path, model: TextDensity) -> None:
    told = {k: v for k, v in SMALL.items() if k not in ("contamination", "random_state")}
    made = microgpt.train(TINY, seed=0, out=tmp_path / "r", **told)
    assert [made.score(t).nats for t in TEXTS] == [model.run_.score(t).nats for t in TEXTS]


def test_the_threshold_lies_below_a_share_of_the_texts_held_out() -> None:
    rng = random.Random(1)
    X = list({"".join(rng.choices("abcde", k=rng.randint(2, 7))): 0 for _ in range(700)})
    # Which are held out is told by another part of the package.
    _, held_out = split(microgpt.data.corpus.from_texts(X), 0.25)  # type: ignore[attr-defined]
    for per_character in (True, False):
        model = TextDensity(**{**SMALL, "per_character": per_character}).fit(X)
        assert model.n_held_out_ == len(held_out) > 100
        assert (model.predict(held_out) == -1).mean() == pytest.approx(0.2, abs=1 / len(held_out))
        log_p = model.score_samples(held_out)
        judged = log_p / [len(t) + 1 for t in held_out] if per_character else log_p
        assert model.decision_function(held_out) == pytest.approx(judged - model.offset_)
        assert model.offset_ == pytest.approx(float(np.percentile(judged, 20)))


@pytest.mark.parametrize("per_character", [True, False])
def test_of_texts_that_repeat_the_share_asked_for_is_called_outliers(per_character: bool) -> None:
    """The texts held out were never learnt from, and most new ones were."""
    shares: list[float] = []
    for seed in range(5):
        rng = random.Random(seed)
        words = ["".join(rng.choices("abcdefgh", k=rng.randint(3, 7))) for _ in range(300)]
        told = {**SMALL, "contamination": 0.05, "per_character": per_character}
        model = TextDensity(**{**told, "steps": 200, "ngram": 4, "holdout": 0.1})
        model.fit(rng.choices(words, k=3000))
        shares.append(float((model.predict(words) == -1).mean()))
    assert np.mean(shares) == pytest.approx(0.05, abs=0.01)
    # Three thousand lines of three hundred texts: each is counted within a third or so.
    assert max(abs(share - 0.05) for share in shares) < 0.025


def test_without_held_out_texts_the_threshold_comes_from_those_trained_on_and_this_is_said() -> (
    None
):
    model = TextDensity(**{**SMALL, "holdout": 0.0}).fit(TINY)  # asked for: nothing to say
    assert model.n_held_out_ == 0
    assert (model.predict(TINY) == -1).sum() == 4
    with pytest.warns(UserWarning, match=r"^none of 20 texts fell into holdout=0.001: the thresh"):
        TextDensity(**{**SMALL, "holdout": 0.001}).fit(TINY)


@pytest.mark.slow
def test_the_page_s_numbers_of_names_and_scrambled_names_are_what_comes_out() -> None:
    names = np.array(names_path().read_text().split(), dtype=object)
    names = np.random.default_rng(0).permutation(names)
    fresh = names[10_000:15_000].tolist()
    rng = random.Random(0)
    scrambled = ["".join(rng.sample(name, len(name))) for name in fresh]
    model = TextDensity(preset="micro", contamination=0.05, random_state=0).fit(names[:10_000])
    assert (model.predict(fresh) == -1).mean() == pytest.approx(0.055, abs=0.015)
    assert (model.predict(scrambled) == -1).mean() == pytest.approx(0.856, abs=0.03)
    truth, both = [1] * 5000 + [0] * 5000, fresh + scrambled
    assert roc_auc_score(truth, model.decision_function(both)) == pytest.approx(0.965, abs=0.01)
    assert roc_auc_score(truth, model.score_samples(both)) == pytest.approx(0.895, abs=0.01)


def test_the_same_random_state_gives_the_same_model_and_none_another(model: TextDensity) -> None:
    def scores(random_state: Any) -> list[float]:
        fitted = clone(model).set_params(random_state=random_state).fit(TINY)
        return fitted.score_samples(TEXTS).tolist()

    assert scores(0) == scores(np.int64(0)) == model.score_samples(TEXTS).tolist()
    assert scores(1) != scores(0)
    assert scores(np.random.RandomState(7)) == scores(np.random.RandomState(7))
    assert scores(None) != scores(None)


def test_samples_are_drawn_from_the_density(model: TextDensity) -> None:
    drawn = model.sample(5, random_state=3)
    assert drawn.dtype == object
    assert drawn.tolist() == model.run_.sample(5, temperature=1.0, seed=3)
    assert model.sample().shape == (1,)
    assert len(set(model.sample(4, temperature=0.0))) == 1
    # How often a text is drawn is its p: within 5 standard deviations of the binomial.
    n = 5000
    many = model.sample(n, random_state=1).tolist()
    for text in ("", "a", "n", "na"):
        p = math.exp(model.score_samples([text])[0])
        assert many.count(text) == pytest.approx(n * p, abs=5 * math.sqrt(n * p) + 1)


@pytest.mark.parametrize(
    "form",
    [tuple, iter, np.array, lambda x: np.array(x, dtype=object), lambda x: [[t] for t in x],
     lambda x: np.array(x)[:, None], lambda x: pd.Series(x, index=range(90, 90 + len(x))),
     lambda x: pd.Series(x, dtype="string"), lambda x: pd.DataFrame({"name": x}),
     lambda x: pd.array(x, dtype="string")],
)  # fmt: skip
def test_strings_are_taken_in_whatever_holds_them(model: TextDensity, form: Any) -> None:
    expected = model.score_samples(TEXTS).tolist()
    assert model.score_samples(form(TEXTS)).tolist() == expected
    assert clone(model).fit(form(TINY)).score_samples(TEXTS).tolist() == expected


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("ada", "X must be many strings; got one, 'ada'. Try [X]."),
        (3, "X must be a list, an array or a column of strings; got int."),
        ({"ada"}, "X must be a list, an array or a column of strings; got set."),
        ([], "X must have at least one string; got none."),
        (["ada", 3], "X[1] must be a string; got 3."),
        (["a", b"b"], "X[1] must be a string; got b'b'."),
        (["ada", None], "X[1] must be a string; got None. Drop what is missing, or fill it."),
        (["a", math.nan], "X[1] must be a string; got nan. Drop what is missing, or fill it."),
        ([["a", "b"]] * 3,
         "X must have one column, of strings; got shape (3, 2). Choose one of them."),
        ([["a"], ["b", "c"]], "X[0] must be a string; got ['a']."),
        ([1.5, "a"], "X[0] must be a string; got 1.5."),
        (["a", "\ud800"], "X[1] must be Unicode; got '\\ud800'."),
    ],
)  # fmt: skip
def test_what_holds_no_strings_is_refused_in_one_sentence(
    model: TextDensity, X: Any, message: str
) -> None:
    for method in (clone(model).fit, model.score_samples, model.score, model.predict):
        with pytest.raises(UsageError) as caught:
            method(X)
        assert str(caught.value) == message


def test_missing_texts_of_pandas_are_refused_by_their_place(model: TextDensity) -> None:
    column = pd.Series(["a", pd.NA], index=[7, 8], dtype="string")
    message = r"^X\[1\] must be a string; got <NA>. Drop what is missing, or fill it.$"
    with pytest.raises(UsageError, match=message):
        model.predict(column)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"contamination": 0.0}, "contamination must be in (0, 0.5]; got 0.0."),
        ({"contamination": "auto"}, "contamination must be in (0, 0.5]; got auto."),
        ({"n_embd": 9}, "n_embd must be a multiple of n_head; got n_embd=9, n_head=2."),
        ({"preset": "tiny"}, "preset must be one of "),
    ],
)
def test_a_parameter_out_of_its_domain_is_told_when_it_is_fitted(
    told: dict[str, Any], message: str
) -> None:
    model = TextDensity(**{**SMALL, **told})
    with pytest.raises(UsageError) as caught:
        model.fit(TINY)
    assert str(caught.value).startswith(message)
    with pytest.raises(NotFittedError):
        model.predict(TINY)


def test_blank_texts_are_priced_but_not_trained_on(model: TextDensity) -> None:
    blanks = clone(model).fit([*TINY, "", " "])
    assert blanks.score_samples(TEXTS).tolist() == model.score_samples(TEXTS).tolist()
    with pytest.raises(UsageError, match=r"^X must have a text that is not blank; got 2 blank.$"):
        clone(model).fit(["", " "])


def test_it_trains_in_memory_and_writes_a_folder_only_to_be_saved_or_pickled(
    tmp_path: Path, model: TextDensity, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    opened: list[str] = []
    is_watched = True

    def watch(event: str, given: tuple[Any, ...]) -> None:
        if is_watched and event in ("open", "os.mkdir") and str(tmp_path) in str(given[0]):
            opened.append(str(given[0]))

    sys.addaudithook(watch)  # which stays: it looks no more when this test ends
    fitted = clone(model).fit(TINY)
    assert fitted.score_samples(TEXTS).tolist() == model.score_samples(TEXTS).tolist()
    assert opened == []
    pickle.dumps(fitted)
    is_watched = False
    assert any(name.endswith("checkpoint.safetensors") or ".new" in name for name in opened)
    assert list((tmp_path / "temporary").iterdir()) == []


def test_what_is_saved_is_what_a_training_in_a_folder_writes(
    tmp_path: Path, model: TextDensity
) -> None:
    told = {k: v for k, v in SMALL.items() if k not in ("contamination", "random_state")}
    made = microgpt.train(TINY, seed=0, out=tmp_path / "r", **told)
    model.save(tmp_path / "m")
    # An estimator that is copied to others takes no documents with it.
    aside = {".lock", "samples.txt", "heldout.jsonl"}
    theirs = {path.name for path in made.folder.iterdir()} - aside
    assert {path.name for path in (tmp_path / "m").iterdir()} == {*theirs, "estimator.json"}

    def lines(folder: str) -> list[dict[str, Any]]:
        found = (tmp_path / folder / "log.jsonl").read_text().splitlines()
        return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in found]

    assert lines("m") == lines("r")
    for name in theirs - {"log.jsonl", "config.json"}:  # where a default was asked for, it says so
        same = [(tmp_path / folder / name).read_bytes() for folder in ("m", "r")]
        assert same[0] == same[1], name


def test_a_failed_fit_leaves_what_was_fitted_before_and_no_folder(
    tmp_path: Path, model: TextDensity
) -> None:
    again = copy.deepcopy(model).set_params(lr=1e300)
    with pytest.raises(DivergedError) as caught, np.errstate(all="ignore"):
        again.fit(TINY)
    assert "checkpoint" not in str(caught.value)
    assert again.score_samples(TEXTS).tolist() == model.score_samples(TEXTS).tolist()
    assert list(tmp_path.iterdir()) == []


def test_a_pipeline_takes_it_as_its_last_step(model: TextDensity) -> None:
    lower = FunctionTransformer(lambda X: [text.lower() for text in X])
    pipeline = make_pipeline(lower, clone(model)).fit([text.upper() for text in TINY])
    assert pipeline.score_samples(["ADA"]).tolist() == model.score_samples(["ada"]).tolist()
    assert pipeline.predict(["ADA", "zzz"]).tolist() == model.predict(["ada", "zzz"]).tolist()
    assert pipeline.score(["ADA"]) == model.score(["ada"])


@pytest.mark.slow
def test_a_grid_search_compares_by_the_loss_on_each_fold(model: TextDensity) -> None:
    folds = KFold(3, shuffle=True, random_state=0)
    # As a grid of numpy has them.
    grid = {"n_embd": np.array([8, 16]), "lr": np.logspace(-3, -2, 2)}
    search = GridSearchCV(model, grid, cv=folds).fit(np.array(TINY, dtype=object))
    found = []
    for n_embd, lr in ((8, 0.001), (8, 0.01), (16, 0.001), (16, 0.01)):
        losses = []
        for train, test in folds.split(TINY):
            fitted = clone(model).set_params(n_embd=n_embd, lr=lr).fit([TINY[i] for i in train])
            nats = [fitted.run_.score(TINY[i]).sum for i in test]
            losses.append(sum(s.nats for s in nats) / sum(s.positions for s in nats))
        found.append(-sum(losses) / 3)
    params = [(p["n_embd"], p["lr"]) for p in search.cv_results_["params"]]
    told = dict(zip(params, search.cv_results_["mean_test_score"]))
    ours = dict(zip(sorted(told), found))
    assert all(told[key] == pytest.approx(ours[key], rel=1e-5) for key in told)
    assert search.best_score_ == pytest.approx(max(found), rel=1e-5)
    assert search.best_estimator_.run_.settings.model.n_embd == search.best_params_["n_embd"]
    assert cross_val_score(model, TINY, cv=folds).mean() == pytest.approx(ours[8, 0.01])


@pytest.mark.slow
def test_a_search_over_processes_finds_the_same(model: TextDensity) -> None:
    alone, beside = (
        GridSearchCV(model, {"n_embd": [8, 16]}, cv=2, n_jobs=n).fit(TINY) for n in (1, 2)
    )
    assert beside.cv_results_["mean_test_score"].tolist() == pytest.approx(
        alone.cv_results_["mean_test_score"].tolist(), rel=1e-12
    )
    assert beside.best_estimator_.score(TEXTS) == alone.best_estimator_.score(TEXTS)


def test_copies_and_pickles_are_the_same_bit_for_bit(model: TextDensity) -> None:
    scores = model.score_samples(TEXTS).tolist()
    for same in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert same.score_samples(TEXTS).tolist() == scores
        assert (same.offset_, same.n_held_out_) == (model.offset_, model.n_held_out_)
        assert same.predict(TEXTS).tolist() == model.predict(TEXTS).tolist()
    unfitted = pickle.loads(pickle.dumps(TextDensity(n_embd=8)))
    assert unfitted.get_params() == TextDensity(n_embd=8).get_params()


def test_a_saved_model_is_a_run_and_comes_back_bit_for_bit(
    tmp_path: Path, model: TextDensity, capfd: pytest.CaptureFixture[str]
) -> None:
    model.save(tmp_path / "models" / "m")
    back = TextDensity.load("models/m")
    assert back.get_params() == model.get_params()
    assert back.score_samples(TEXTS).tolist() == model.score_samples(TEXTS).tolist()
    assert back.predict(TEXTS).tolist() == model.predict(TEXTS).tolist()
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == ["m"]
    score = microgpt.load("models/m").score("ada")
    assert score.characters == model.run_.score("ada").characters
    assert run(["score", "models/m", "ada", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["nats"] == model.run_.score("ada").nats
    # What came back can be saved and fitted in turn; an empty folder is as good as none.
    (tmp_path / "again").mkdir()
    back.save("again")
    for path in (tmp_path / "models" / "m").iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
    assert back.fit(TINY).score(TEXTS) == model.score(TEXTS)


def test_a_generator_is_not_saved_but_what_it_made_is(tmp_path: Path, model: TextDensity) -> None:
    drawn = clone(model).set_params(random_state=np.random.RandomState(3), lr=np.float64(0.02))
    drawn.fit(TINY).save("m")
    back = TextDensity.load("m")
    assert back.random_state is None
    assert back.lr == 0.02
    assert back.score(TEXTS) == drawn.score(TEXTS)


def test_what_cannot_be_saved_or_loaded_is_told_in_one_sentence(
    tmp_path: Path, model: TextDensity
) -> None:
    def refused(call: Any, message: str) -> None:
        with pytest.raises(RunError) as caught:
            call()
        assert str(caught.value).startswith(message), caught.value

    with pytest.raises(NotFittedError):
        TextDensity().save("m")
    model.save("m")
    m, file = tmp_path / "m", Path("m", "estimator.json")
    before = {path.name: path.read_bytes() for path in m.iterdir()}
    refused(lambda: model.save("m"), f"{m}: must be empty or new; it holds checkpoint.safetensors")
    assert {path.name: path.read_bytes() for path in m.iterdir()} == before
    Path("f").touch()
    refused(lambda: model.save("f"), f"{tmp_path / 'f'}: a file. Expected a folder")
    refused(lambda: TextDensity.load("nowhere"), "nowhere: not a run: there is no such folder.")
    whole = json.loads(file.read_text())
    for about, message in (
        ({**whole, "format": 9}, f"{file}: format must be 1; got 9."),
        ({**whole, "parameters": {"depth": 3}}, f"{file}: damaged or foreign ("),
        ({**whole, "offset": None}, f"{file}: damaged or foreign ("),
        ({"format": 1}, f"{file}: damaged or foreign (it lacks parameters)."),
        (
            {**whole, "parameters": {"threads": "x"}},
            f"{file}: damaged or foreign (threads must be a whole number or null; got text).",
        ),
        (
            {**whole, "parameters": {"tokenizer": 7}},
            f"{file}: damaged or foreign (tokenizer must be text; got a whole number).",
        ),
        ({**whole, "offset": float("nan")}, f"{file}: damaged or foreign (not JSON: "),
        ({**whole, "n_held_out": 2.5}, f"{file}: damaged or foreign (n_held_out must be a whole"),
        ([], f"{file}: damaged or foreign ("),
    ):
        file.write_text(json.dumps(about))
        refused(lambda: TextDensity.load("m"), message)
    file.unlink()
    refused(lambda: TextDensity.load("m"), "m: a run, but of no estimator: it has no estimator.js")


def test_it_is_an_outlier_detector_of_strings() -> None:
    model = TextDensity(n_embd=8)
    tags = model.__sklearn_tags__()
    assert tags.estimator_type == "outlier_detector"
    assert (tags.input_tags.string, tags.input_tags.two_d_array) == (True, False)
    assert repr(model) == "TextDensity(n_embd=8)"
    assert "n_embd" in model._repr_html_()


def test_without_scikit_learn_one_sentence_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "try: import microgpt.sklearn\n"
        "except ImportError as error: print(type(error).__name__, error)"
    )
    said = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert said == (
        "MissingExtra microgpt.sklearn needs scikit-learn, which is not installed. "
        "Try: pip install 'microgpt-lm[sklearn]'\n"
    )
