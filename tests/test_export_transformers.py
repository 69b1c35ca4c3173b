"""A folder for Hugging Face in transformers itself: losses, gradients, and what it draws."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import microgpt
from microgpt import Run
from microgpt.data.batch import lay_out
from microgpt.data.tokenizer import encode_all
from microgpt.export.alone import matrices
from microgpt.runs.files import write_folder
from microgpt.sampling import Choice, take
from microgpt.scoring.price import Pricer

from .conftest import TINY, required
from .kinds import KINDS, LINES, programs, trained

# Small models are mixed with counts that know more than they do.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::microgpt.errors.TrainingWarning"),
]

CLOSE = 1e-5
"""Nats a position."""

SHORT = [*TINY, "", "10.0.0.1", "né", "0x07f"]
"""Texts of no more characters than the smallest block."""


@pytest.fixture(scope="module")
def hugging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return transformers, which asks no network and keeps what it copies in a folder of ours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("home")))
        for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS"):
            patch.setenv(name, "1")
        try:
            import torch
            import transformers
        except ImportError as error:
            required("transformers", f"torch or transformers is not installed ({error})")
        transformers.logging.set_verbosity_error()
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # small models: others only wait for each other
        yield SimpleNamespace(torch=torch, transformers=transformers)
        torch.set_num_threads(threads)


def exported(run: Run, folder: Path) -> Path:
    from microgpt.export.huggingface import export

    write_folder(folder, export(run, folder.name).files)
    return folder


def opened(hugging: Any, folder: Path) -> tuple[Any, Any]:
    auto = hugging.transformers
    model = auto.AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)
    return model.eval(), auto.AutoTokenizer.from_pretrained(folder, trust_remote_code=True)


def known(run: Run, texts: list[str]) -> list[str]:
    """Return texts without unknown characters."""
    return [text for text in texts if (run.tokenizer.encode(text)[0] >= 0).all()]


def losses(run: Run, texts: list[str]) -> list[np.ndarray]:
    """Return what the GPT alone has to say of each position."""
    pricer = Pricer(run.gpt, run.tokenizer, run.settings.model.block_size)
    return [priced.losses_N for text in texts for priced in pricer.each([text])]


def greedy(run: Run, prompt: str) -> str:
    choice = Choice(temperature=0.0, prompt=prompt)
    block = run.settings.model.block_size
    return take(run.gpt, run.tokenizer, block, choice, 1)[0].text


PLAIN = [kind for kind in KINDS if not kind.startswith("mask")]
"""Kinds whose tokenizer has a counterpart."""


@pytest.mark.parametrize("kind", PLAIN)
def test_losses_of_texts_are_the_engine_s_whatever_the_model(
    kind: str, hugging: Any, tmp_path: Path
) -> None:
    run = trained(tmp_path / "lines.txt", **KINDS[kind])
    model, tokenizer = opened(hugging, exported(run, tmp_path / "it"))
    block = run.settings.model.block_size
    full = ("ada " * block)[: block - 1]  # with its end it fills the block
    texts = known(run, [*SHORT, full, *LINES[::20]])
    assert full in texts
    for text, ours in zip(texts, losses(run, texts), strict=True):
        ids = tokenizer(text, return_tensors="pt").input_ids
        wanted = [run.tokenizer.bos, *run.tokenizer.encode(text)[0].tolist(), run.tokenizer.bos]
        assert ids[0].tolist() == wanted
        found, nats = list[float](), 0.0
        while len(found) < ids.shape[1] - 1:
            context = min(block // 2 if ids.shape[1] - 1 > 8 * block else 0, len(found))
            window = ids[:, len(found) - context :][:, : block + 1]
            labels, last = window.clone(), window.shape[1] - 1
            labels[:, 1 : context + 1] = -100
            with hugging.torch.no_grad():
                result = model(window, labels=labels)
            log_p = result.logits[0].double().log_softmax(-1)
            found += (-log_p[range(context, last), window[0, context + 1 :]]).tolist()
            nats += result.loss.item() * (last - context)
        assert np.allclose(found, ours, rtol=0, atol=CLOSE), text
        assert nats / len(ours) == pytest.approx(ours.mean(), abs=CLOSE)


@pytest.mark.parametrize("kind", ["microgpt", "microgpt-v1", "small", "counts of bytes", "bpe"])
def test_what_is_drawn_greedily_is_what_is_drawn_here(
    kind: str, hugging: Any, tmp_path: Path
) -> None:
    run = trained(tmp_path / "lines.txt", **KINDS[kind])
    model, tokenizer = opened(hugging, exported(run, tmp_path / "it"))
    prompts = known(run, ["", "a", "ada", "nell", "né"])
    ours = [greedy(run, prompt) for prompt in prompts]
    padded = tokenizer(prompts, return_tensors="pt", padding=True)
    for use_cache in (True, False):
        alone = [
            model.generate(
                **tokenizer(prompt, return_tensors="pt"), do_sample=False, use_cache=use_cache
            )[0]
            for prompt in prompts
        ]
        assert tokenizer.batch_decode(alone, skip_special_tokens=True) == ours
        # Padding takes room in the block: texts may end earlier side by side.
        together = model.generate(**padded, do_sample=False, use_cache=use_cache)
        texts = tokenizer.batch_decode(together, skip_special_tokens=True)
        for text, prompt, its in zip(texts, prompts, ours, strict=True):
            assert its.startswith(text)
            assert len(text) > len(prompt) or its == prompt


@pytest.mark.parametrize("kind", ["microgpt-v1", "micro"])
def test_ids_read_one_by_one_have_the_logits_of_all_at_once(
    kind: str, hugging: Any, tmp_path: Path
) -> None:
    run = trained(tmp_path / "lines.txt", **KINDS[kind])
    model, tokenizer = opened(hugging, exported(run, tmp_path / "it"))
    torch = hugging.torch
    ids = tokenizer(["nell", "ada"], return_tensors="pt", padding=True)
    with torch.no_grad():
        whole = model(**ids).logits
        alone = model(tokenizer("ada", return_tensors="pt").input_ids).logits
        parts, cache = [], None
        for stop in range(1, ids.input_ids.shape[1] + 1):
            result = model(
                ids.input_ids[:, stop - 1 : stop],
                attention_mask=ids.attention_mask[:, :stop],
                cache=cache,
            )
            cache = result.cache if hasattr(result, "cache") else result.past_key_values
            parts.append(result.logits)
    assert torch.allclose(torch.cat(parts, dim=1), whole, atol=CLOSE)
    assert torch.allclose(whole[1:, -alone.shape[1] :], alone, atol=CLOSE)
    assert torch.isfinite(whole).all()


@pytest.mark.parametrize("kind", ["microgpt", "small"])
def test_gradients_are_the_engine_s(kind: str, hugging: Any, tmp_path: Path) -> None:
    run = trained(tmp_path / "lines.txt", **KINDS[kind])
    model, tokenizer = opened(hugging, exported(run, tmp_path / "it"))
    ids = tokenizer(TINY, return_tensors="pt", padding=True, padding_side="right")
    labels = ids.input_ids.masked_fill(ids.attention_mask == 0, -100)
    result = model(**ids, labels=labels)
    result.loss.backward()
    encoded = encode_all(run.tokenizer, TINY)
    batch = lay_out(encoded, run.tokenizer.bos, run.settings.model.block_size).batch
    ours = run.engine.gradients(batch)
    theirs = dict(model.named_parameters())
    assert len(theirs) == len(ours)
    for name, gradient in ours.items():
        its = theirs[re.sub("^layer", "layers.", name) + ".weight"].grad.numpy()
        scale = np.abs(gradient).max()
        assert np.allclose(its * batch.positions, gradient, rtol=0, atol=1e-4 * scale), name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """Return a run that knows some names, and its folder."""
    pytest.importorskip("tokenizers")
    where = tmp_path_factory.mktemp("transformers")
    (where / "names.txt").write_text("\n".join(TINY * 4))
    run = microgpt.train(
        where / "names.txt", preset="micro", block_size=8, steps=100, out=where / "run"
    )
    return run, exported(run, where / "it")


def test_it_is_saved_and_read_again(hugging: Any, folder: tuple[Run, Path], tmp_path: Path) -> None:
    run, path = folder
    model, tokenizer = opened(hugging, path)
    model.save_pretrained(tmp_path / "again")
    tokenizer.save_pretrained(tmp_path / "again")
    again, its = opened(hugging, tmp_path / "again")
    state = again.state_dict()
    assert set(state) == set(model.state_dict())
    for name, matrix in matrices(run).items():
        assert np.array_equal(state[re.sub("^layer", "layers.", name) + ".weight"], matrix)
    ids = its("nell", return_tensors="pt")
    assert ids.input_ids.tolist() == tokenizer("nell", return_tensors="pt").input_ids.tolist()
    drawn = again.generate(**ids, do_sample=False)
    assert its.decode(drawn[0], skip_special_tokens=True) == greedy(run, "nell")


def test_a_pipeline_continues_prompts(hugging: Any, folder: tuple[Run, Path]) -> None:
    run, path = folder
    pipe = hugging.transformers.pipeline("text-generation", str(path), trust_remote_code=True)
    found = pipe(["ne", "ad"], do_sample=False, batch_size=2)
    assert [one[0]["generated_text"] for one in found] == [greedy(run, p) for p in ("ne", "ad")]
    (rest,) = pipe("ne", do_sample=False, return_full_text=False)
    assert "ne" + rest["generated_text"] == greedy(run, "ne")


def test_what_is_returned_begins_with_the_input(hugging: Any, folder: tuple[Run, Path]) -> None:
    model, tokenizer = opened(hugging, folder[1])
    ids = tokenizer(["ne", "a"], return_tensors="pt", padding=True)
    for words in ({}, {"num_beams": 3, "num_return_sequences": 2}):
        drawn = model.generate(**ids, do_sample=False, return_dict_in_generate=True, **words)
        times = words.get("num_return_sequences", 1)
        begun = drawn.sequences[:, : ids.input_ids.shape[1]]
        assert begun.tolist() == ids.input_ids.repeat_interleave(times, dim=0).tolist()


def test_texts_are_drawn_until_the_block_is_full(hugging: Any, folder: tuple[Run, Path]) -> None:
    run, path = folder
    model, tokenizer = opened(hugging, path)
    hugging.torch.manual_seed(0)
    drawn = model.generate(
        **tokenizer([""] * 200, return_tensors="pt"), temperature=5.0, max_new_tokens=300
    )
    texts = tokenizer.batch_decode(drawn, skip_special_tokens=True)
    assert max(map(len, texts)) == 8
    assert len({*texts}) > 100
    plain = tokenizer.batch_decode(
        model.generate(**tokenizer([""] * 300, return_tensors="pt")), skip_special_tokens=True
    )
    ours = run.sample(300)  # by the same temperature
    assert abs(np.mean([*map(len, plain)]) - np.mean([*map(len, ours)])) < 0.5


def test_mistakes_are_refused(hugging: Any, folder: tuple[Run, Path]) -> None:
    model, tokenizer = opened(hugging, folder[1])
    ids = tokenizer("nellnel", return_tensors="pt").input_ids
    with pytest.raises(ValueError, match=r"at most 8, the model's block, earlier .*; got 9"):
        model(ids)
    assert model(ids, labels=ids).logits.shape[1] == 8  # the last is predicted alone
    right = tokenizer(["ne", "a"], return_tensors="pt", padding=True, padding_side="right")
    with pytest.raises(ValueError, match="prompts must be padded on the left"):
        model.generate(**right)
    with pytest.raises(ValueError, match=r"attention_mask must be \(batch, 3\); got \(1, 2\)"):
        model(ids[:, :3], attention_mask=ids.new_ones(1, 2))
    with pytest.raises(Exception, match=r"Missing \[UNK\] token"):
        tokenizer("xyz")


def test_five_characters_are_not_taken_for_an_end(hugging: Any, tmp_path: Path) -> None:
    texts = ["a<bos>b", "<bos>"]
    run = microgpt.train(texts, preset="microgpt", steps=3, holdout=0, out=tmp_path / "run")
    _, tokenizer = opened(hugging, exported(run, tmp_path / "it"))
    for text in texts:
        assert tokenizer(text).input_ids[1:-1] == run.tokenizer.encode(text)[0].tolist()


@pytest.mark.parametrize("kind", ["microgpt", "bytes"])
def test_the_programs_of_the_card_do_what_they_say(
    kind: str,
    hugging: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = trained(tmp_path / "lines.txt", **KINDS[kind])
    exported(run, tmp_path / "it")
    monkeypatch.chdir(tmp_path)
    use, loss, windows = re.findall(
        r"```python\n(.*?)```", (tmp_path / "it" / "README.md").read_text("utf-8"), re.S
    )
    names: dict[str, Any] = {}
    capsys.readouterr()
    exec(use, names)
    drawn = eval(capsys.readouterr().out)
    assert len(drawn) == 5
    assert all(isinstance(text, str) for text in drawn)
    (text,) = re.findall(r'tokenizer\("(.*?)", ', windows)
    wanted = np.concatenate(losses(run, [text])).mean()
    exec(windows, names)
    assert float(capsys.readouterr().out) == pytest.approx(wanted, abs=CLOSE)
    exec(loss, names)
    found = re.match(r"tensor\(([\d.]+),", capsys.readouterr().out)
    assert found
    assert float(found[1]) == pytest.approx(wanted, abs=1e-4)


def test_the_program_in_the_docs_does_what_it_says(
    hugging: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "names.txt").write_text("\n".join(["emma", "mae", *TINY]))
    run = microgpt.train(tmp_path / "names.txt", preset="microgpt", steps=9, out=tmp_path / "run")
    exported(run, tmp_path / "names-1-huggingface")
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    exec(programs()[1], {})
    loss, drawn = capsys.readouterr().out.splitlines()
    assert float(loss) == pytest.approx(run.score("emma").loss, abs=CLOSE)
    assert eval(drawn)[1].startswith("em")
