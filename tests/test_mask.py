"""Masks: what they match is one symbol, wherever a text is read, and is shown as it was written."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import microgpt
from microgpt.cli.app import run as cli
from microgpt.data.alike import same
from microgpt.data.corpus import Source, from_texts
from microgpt.data.texts import Texts
from microgpt.data.tokenizer import Bytes, Characters, Masked, Tokenizer, encode_all, from_json
from microgpt.data.tokenizer.masks import KINDS, Mask, parse
from microgpt.data.tokenizer.spans import Finder
from microgpt.errors import DataError, RunError, UsageError
from microgpt.evaluation import evaluate
from microgpt.runs import prepare
from microgpt.runs.run import Run
from microgpt.scoring.repetition import choose
from microgpt.training.task import tokenizer_for
from tests.conftest import examples, some

PRIVATE = "\U000f0000"
LINES = [
    f"GET /users/{number * 37 % 1000} {status} {number % 7 + 3}ms"
    for number, status in zip(range(60), [200, 200, 404] * 20)
]
TINY: dict[str, Any] = {"engine": "scalar", "preset": "microgpt", "n_embd": 4, "n_head": 1,
                        "block_size": 40, "steps": 8}  # fmt: skip


def read(texts: list[str], asked: str | list[str]) -> list[str]:
    """Write texts as masks have them read."""
    masks = parse(asked)
    spans = Finder(masks).find(Texts.of(texts))
    return [*spans.replaced([mask.symbol for mask in masks])]


@pytest.mark.parametrize(
    ("kind", "text", "as_read"),
    [
        ("digits", "took 18ms, 3.5 of 1,000; x86_64", "took #ms, #.# of #,#; x#_#"),
        ("digits", "٣ and ½ are none", ""),
        ("hex", "0x1F 0XdeadBEEF at deadbeef01, 3f2a9c7.", "# # at #, #."),
        ("hex", "id_a1b2c3d4 (DEADBEEF99)", "id_# (#)"),
        ("hex", "decade1 1a2b3c", "# 1a2b3c"),
        ("hex", "12345678 abcdefab a1b2c3 x1a2b3c4d 0x", ""),
        ("hex", "a1b2c3d4z za1b2c3d4 é1234567a", "a1b2c3d4z za1b2c3d4 é#"),
        ("dates", "on 2026-11-27, 2026/11/27 06:39:42.", "on #, #."),
        ("dates", "2026-11-27T06:39:42.123Z 2026-11-27 06:39:42,123 x", "# # x"),
        ("dates", "2026-11-27T06:39:42+01:00 at 06:39 and 6:39:42", "# at # and #"),
        ("dates", "Nov 27 06:39:42 host; Nov  7 06:39:42 host", "# host; # host"),
        ("dates", "[27/Nov/2026:06:39:42 +0000] x", "[#] x"),
        ("dates", "2026-1-7 2026-11 1.06:39 a06:39 06:3 25:61 May 5", ""),
        ("dates", "12026-11-27 2026-11-271", ""),
        ("uuid", "{550e8400-e29b-41d4-a716-446655440000}", "{#}"),
        ("uuid", "abcdefab-cdef-4bcd-abcd-abcdefabcdef!", "#!"),
        ("uuid", "550e8400-e29b-41d4-a716-44665544000 550e8400e29b41d4a716446655440000", ""),
        ("ip", "10.0.0.1 [255.255.255.255] 10.0.0.1:8080, end 1.2.3.4.", "# [#] #, end #."),
        ("ip", "256.0.0.1 1.2.3 1.2.3.4.5 v1.2.3.4 1.2.3.4x", ""),
        ("ip", "::1 fe80::1 2001:db8:0:0:0:0:0:1 [2001:db8::8a2e:370:7334]:443", "# # # [#]:443"),
        ("ip", "std::cout 06:39:42 a:b:: dead::beef 1:2:3:4", ""),
    ],
)  # fmt: skip
def test_a_kind_matches_what_its_name_says_and_no_more(kind: str, text: str, as_read: str) -> None:
    as_read = as_read.replace("#", f"<{kind}>") or text
    assert read([text, "", text], kind) == [as_read, "", as_read]


def test_of_two_that_overlap_the_first_has_the_span() -> None:
    line = "2026-11-27 06:39:42 550e8400-e29b-41d4-a716-446655440000 10.0.0.1:80 3f2a9c7 42"
    every = "digits,hex,dates,ip,uuid"
    assert read([line], every) == ["<dates> <uuid> <ip> <hex> <digits>"]
    assert [mask.name for mask in parse(every)] == [*KINDS]
    assert read(["order ORD-7781, 12"], ["digits", "order=ORD-[0-9]{4,6}"]) == [
        "order <order>, <digits>"
    ]
    # What one has taken is not another's in part either.
    assert read(["ab12cd"], ["digits", "a=b1", "b=2c"]) == ["a<a><b>d"]
    assert read(["ab12cd"], ["a=b1", "b=12c"]) == ["a<a>2cd"]


def test_a_pattern_of_one_s_own_sees_one_document_at_a_time() -> None:
    texts = ["ab", "ab\nab", "", "ba"]
    assert read(texts, "x=^a") == ["<x>b", "<x>b\nab", "", "ba"]
    assert read(texts, r"x=\Ab|b\Z") == ["a<x>", "ab\na<x>", "", "<x>a"]
    assert read(texts, r"x=(?<=b)\s*a?") == ["ab", "ab<x>b", "", "b<x>"]
    assert read(["aab", "é"], r"x=(a)\1") == ["<x>b", "é"]


SOUP = st.text(st.sampled_from("0123456789abcfANovF:.-/ xTZ+,\n_é😀"), max_size=40)
PARTS = st.sampled_from([
    "10.0.0.1", "::1", "2026-11-27", "06:39:42", "Nov 27 06:39", "3f2a9c71", "0x1f", ":", " ", ".",
    "550e8400-e29b-41d4-a716-446655440000", "abcdef", "1", "-", "/", "é", "fe80::", "_",
    "27/Nov/2026:",
])  # fmt: skip


@given(st.lists(SOUP | st.lists(PARTS, max_size=6).map("".join), max_size=4))
@settings(max_examples=examples(300), deadline=None)
def test_where_a_kind_is_tried_alone_is_all_that_its_pattern_matches(texts: list[str]) -> None:
    for name, kind in KINDS.items():
        spans = Finder(parse(name)).find(Texts.of(texts))
        found = list[tuple[int, int]]()
        start = 0
        for text in texts:
            found += [(start + m.start(), start + m.end()) for m in re.finditer(kind.pattern, text)]
            start += len(text) + 1
        assert [*zip(spans.firsts_S.tolist(), spans.stops_S.tolist())] == found


MAKERS: list[Callable[[Any], Characters | Bytes]] = [
    Characters.counted, lambda blocks: Characters.counted(blocks, "first"),
    lambda _: Bytes(), lambda _: Bytes("first"),
]  # fmt: skip


@pytest.mark.slow
@given(
    st.lists(SOUP | st.lists(PARTS, max_size=6).map("".join), min_size=1, max_size=4),
    st.lists(SOUP, max_size=2),
    st.sampled_from(MAKERS),
)
@settings(max_examples=examples(200), deadline=None)
def test_tokens_stand_where_they_begin_and_make_the_text(
    texts: list[str], others: list[str], make: Any
) -> None:
    masks = parse(["word=[xT]+é?", *KINDS])
    tokens = Masked.of([*texts, "a1"], masks, make)
    assert isinstance(tokens, Masked)
    assert isinstance(from_json(json.loads(json.dumps(tokens.to_json()))), Masked)
    assert from_json(tokens.to_json()) == tokens
    symbols = tokens.symbols
    assert len(symbols) == len(tokens.masks) == tokens.vocab_size - tokens.inner.vocab_size
    every = [*texts, *others]
    many = tokens.encode_many(every)
    for text, start, stop in zip(every, many.offsets.tolist(), many.offsets[1:].tolist()):
        ids, places = tokens.encode(text)
        assert ids.tolist() == many.stream[start + 1 : stop].tolist()
        assert [*places, len(text)] == many.starts_N[start:stop].tolist()
        ends = [*places[1:].tolist(), len(text)]
        shown = ""
        for i, place, end in zip(ids.tolist(), places.tolist(), ends):
            if i in symbols:
                (mask,) = (mask for mask in masks if mask.symbol == symbols[i])
                assert re.fullmatch(mask.pattern, text[place:end], re.DOTALL)
            elif i >= 0 and isinstance(tokens.inner, Characters):
                assert tokens.decode([i]) == text[place:end]
            shown += symbols.get(i, text[place:end])
        assert [*tokens.reading(Texts.of([text]))] == [shown]
        if not len(ids) or ids.min() >= 0:
            assert tokens.decode([*ids.tolist(), tokens.bos]) == shown
            assert b"".join(tokens.pieces[i] for i in ids.tolist()).decode() == shown
    assert many.stream[many.offsets].tolist() == [tokens.bos] * (len(every) + 1)
    assert encode_all(tokens, every).stream.tolist() == many.stream.tolist()
    assert (many.stream < tokens.vocab_size).all()


def trained(lines: list[str], **told: Any) -> Run:
    return microgpt.train(lines, **{**TINY, "holdout": 0.0, **told})


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_losses_are_those_of_text_masked_by_hand() -> None:
    """By another route: a character that no text has stands in place of every number."""

    def by_hand(texts: list[str]) -> list[str]:
        return [re.sub("[0-9]+", PRIVATE, text) for text in texts]

    one, two = trained(LINES, mask="digits"), trained(by_hand(LINES))
    assert one.settings.model == two.settings.model
    assert isinstance(two.tokenizer, Characters)
    texts = [*LINES[:5], "GET /users/1 2 3ms", "77", "", "GET"]
    for ours, theirs in zip(one.losses(texts), two.losses(by_hand(texts))):
        assert ours.tolist() == theirs.tolist()
    assert one.log.curve(8) == two.log.curve(8)
    assert len(one.log.curve(8)) > 1
    # Of an unknown character, too; but for the symbol, which is no code point.
    nats = two.tokenizer.unknown_nats
    assert one.tokenizer.unknown_nats == pytest.approx(nats, abs=0.002)
    unknown = one.score("GET é 3ms")
    assert [c.char for c in unknown.characters if c.unknown] == ["é"]
    assert unknown.losses == pytest.approx(two.score(f"GET é {PRIVATE}ms").losses, abs=0.002)


def test_a_score_shows_the_original_and_prices_it_whatever_it_says() -> None:
    run = trained(LINES, mask="digits")
    one, other = run.score("GET /users/12345 200 7ms"), run.score("GET /users/6 404 88888ms")
    assert one.losses == other.losses
    assert [c.char for c in one.characters][11:13] == ["12345", " "]
    assert other.characters[-4].char == "88888"
    priced = run.pricer.price(["GET /users/12345 !!! 200"])
    (start,), (stop,) = priced.spans(usual=1.0)
    assert "!" in "GET /users/12345 !!! 200"[start:stop]
    parts = {part.name: part for part in evaluate(
        run.predictor, run.tokenizer, 40, ["GET 1 22", "333"]).parts.by_character()}  # fmt: skip
    assert parts["<digits>"].sum.positions == 3
    assert not {"1", "22", "333"} & set(parts)


def test_a_sample_shows_the_symbol_and_a_prompt_may_have_what_is_masked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("a.log").write_text("\n".join(["took 18ms", "took 20ms"] * 20))
    recipe = "--preset microgpt --engine scalar --n-embd 8 --lr 0.05 --steps 40 --holdout 0.4"
    assert cli(["train", "a.log", "--mask", "digits", *recipe.split(), "--out", "r"]) == 0
    printed = capsys.readouterr().out
    assert "took <digits>ms*" in printed
    assert "nats a token" in printed
    assert cli(["sample", "r", "-n3", "--prompt=took 5", "--temperature=0", "--json"]) == 0
    drawn = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {one["text"] for one in drawn} == {"took <digits>ms"}
    assert all(one["seen"] for one in drawn)


def test_a_run_keeps_its_masks_and_says_the_command_that_makes_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("a.log").write_text("\n".join(LINES))
    asked = ["digits,hex", "user=(?<=/users/)[0-9]{1,3}"]
    with pytest.warns(UserWarning, match="mask hex: nothing in the text matches it"):
        run = microgpt.train("a.log", **TINY, mask=asked, out="r")
    assert run.settings.asked["mask"] == ("user=(?<=/users/)[0-9]{1,3}", "hex", "digits")
    again = microgpt.load("r", engine="scalar")
    assert again.tokenizer == run.tokenizer
    assert again.settings == run.settings
    assert again.score(LINES[0]).losses == run.score(LINES[0]).losses
    assert cli(["runs", "r", "--command"]) == 0
    command = shlex.split(capsys.readouterr().out)
    assert command[command.index("--mask") :][:4] == ["--mask", asked[1], "--mask", "digits"]
    assert cli([*command[1:], "--out", "other"]) == 0
    capsys.readouterr()
    one, two = (Path(name, "checkpoint.safetensors").read_bytes() for name in ("r", "other"))
    assert one == two


def test_a_masked_run_goes_on_with_its_masks() -> None:
    Path("a.log").write_text("\n".join(LINES))
    whole = microgpt.train("a.log", **TINY, mask="digits", out="whole")
    told = {name: its for name, its in TINY.items() if name != "preset"}
    source = Source(files=("a.log",))
    with prepare.new(
        source, out=Path("half"), mask="digits", preset_name="microgpt", **told
    ) as session:
        session.stop()
        for _ in session:
            pass
    assert microgpt.load("half", engine="scalar").log.steps < TINY["steps"]
    half = microgpt.load("half", engine="scalar").resume()
    assert half.losses(LINES)[3].tolist() == whole.losses(LINES)[3].tolist()


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("digitz", 'mask must be some of uuid, ip, dates, hex, digits, with commas between'),
        ("digits,", 'NAME=PATTERN with a regular expression; got ""'),
        ("x=[0-9", 'mask x must be a regular expression; got "[0-9": unterminated character set'),
        ("x=a*", 'mask x must match one character at least; got "a*"'),
        ("x=", 'mask x must match one character at least; got ""'),
        ("a b=c", 'mask must have a name of letters, digits, - and _; got "a b"'),
        (["x=a", "x=b"], "mask x must be given once"),
        (["digits", "digits=[0-9]"], "mask digits must be given once"),
    ],
)  # fmt: skip
def test_what_is_no_mask_is_one_sentence(
    asked: str | list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)):
        parse(asked)
    Path("a.log").write_text("\n".join(LINES))
    flags = [f"--mask={one}" for one in ([asked] if isinstance(asked, str) else asked)]
    for command in ("train", "data"):
        assert cli([command, "a.log", *flags]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert sentence in line
    assert not Path("runs").exists()


def test_a_mask_that_matches_all_or_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    Path("n.txt").write_text("12\n345\n")
    with pytest.raises(DataError, match="the masks must leave a character of the text"):
        microgpt.train("n.txt", mask="digits", **TINY)
    Path("a.txt").write_text("ab\nba\n" * 9)
    assert cli(["train", "a.txt", "--mask", "ip", "--engine", "scalar", "--steps", "2"]) == 0
    said = capsys.readouterr()
    assert "mask ip: nothing in the text matches it, and it is left out." in said.err
    assert isinstance(microgpt.load("a-1", engine="scalar").tokenizer, Characters)


def test_a_masked_run_compresses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.log").write_text("\n".join(LINES))
    run = microgpt.train("a.log", mask="digits", **TINY, out="r")
    assert cli(["compress", "r", "a.log"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "must have been trained without --mask; this one reads <digits> whatever" in line
    assert not Path("a.log.mgpt").exists()
    with pytest.raises(UsageError, match="without --mask"):
        run.compress(b"GET")


DAMAGE = [
    ({"masks": []}, "a tokenizer with masks must have some"),
    ({"masks": [{"name": "digits", "pattern": "[0-9]+", "times": 0}]}, "how often each"),
    ({"masks": [{"name": "x", "pattern": "(", "times": 3}]}, "must be a regular expression"),
    ({"masks": [{"name": "x", "pattern": "a", "times": 3}] * 2}, "must be given once"),
    ({"characters": 0}, "how often each matched"),
    ({"inner": {"kind": "masked", "bos": "last"}}, "inner.kind must be one of its choices"),
]


@pytest.mark.parametrize(("change", "sentence"), some(DAMAGE, 2, 4, 5))
def test_a_damaged_tokenizer_is_one_sentence(change: dict[str, Any], sentence: str) -> None:
    written = tokenizer_for("characters", from_texts(LINES), "last", parse("digits")).to_json()
    assert from_json(written).to_json() == written
    with pytest.raises(UsageError, match=re.escape(sentence)):
        from_json({**written, **change})
    run = trained(LINES, mask="digits", out="r")
    path = run.folder / "tokenizer.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(RunError, match=r"tokenizer\.json"):
        microgpt.load("r")


def test_lines_that_are_read_the_same_are_one_line_to_the_judge() -> None:
    learnt = ["a 1", "a 2", "b 1", "c x"]
    held_out = ["a 3", "c y", "d 1", "d 2"]
    tokens = tokenizer_for("characters", from_texts([*learnt, *held_out]), "last", parse("digits"))
    found = choose(learnt, held_out, alike=same(learnt, held_out, tokens))
    # "a #" stands there three times, on both sides; "d #" twice, held out; "c y" is new.
    assert found.texts == ["c y", "a 1", "d 1"]
    assert found.lines_D.tolist() == [0, 3, 2]
    assert found.learnt_D.tolist() == [0, 0, 0]
    assert (found.repetition.lines, found.repetition.once, found.repetition.twice) == (8, 3, 1)
    only_learnt = choose(learnt, ["c y"], alike=same(learnt, ["c y"], tokens))
    assert only_learnt.learnt_D.tolist() == [0, 2]
    plain: Tokenizer = Characters.of([*learnt, *held_out])
    by_text = choose(learnt, held_out)
    of_plain = choose(learnt, held_out, alike=same(learnt, held_out, plain))
    assert by_text.texts == of_plain.texts == held_out


def test_data_shows_what_masks_match_and_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.log").write_text("\n".join(LINES))
    assert cli(["data", "a.log", "--mask", "digits,ip", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    digits = [len(re.findall("[0-9]+", line)) for line in LINES]
    assert record["masks"] == {
        "ip": {"times": 0, "examples": []},
        "digits": {"times": sum(digits), "examples": ["0", "200", "3"]},
    }
    assert record["alphabet"]["<digits>"] == sum(digits)
    assert "2" not in record["alphabet"]
    assert record["characters"] == sum(map(len, LINES))
    assert record["lengths"]["100%"] == len(re.sub("[0-9]+", "#", LINES[0]))
    assert record["duplicates"] == len(LINES) - 1
    assert record["most_common"]["text"] == "GET /users/<digits> <digits> <digits>ms"
    assert cli(["data", "a.log", "--mask", "digits"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"<digits> +180 +0  200  3", printed)
    assert cli(["data", "a.log", "--json"]) == 0
    assert "masks" not in json.loads(capsys.readouterr().out)


def test_an_estimator_has_masks_too(tmp_path: Path) -> None:
    sklearn = pytest.importorskip("sklearn.base")
    from microgpt.sklearn import TextDensity

    model = TextDensity(preset="microgpt", engine="scalar", n_embd=4, n_head=1, steps=10,
                        mask="digits", random_state=1)  # fmt: skip
    assert sklearn.clone(model).get_params()["mask"] == "digits"
    model.fit(LINES)
    one, other = model.decision_function(["GET /users/1 200 3ms", "GET /users/98765 404 12345ms"])
    assert one == other
    (log_p,) = model.score_samples(["GET 12345"])
    assert -log_p / 6 == pytest.approx(-model.score(["GET 12345"]))
    model.save(tmp_path / "saved")
    again = TextDensity.load(tmp_path / "saved")
    assert again.mask == "digits"
    assert again.decision_function(LINES).tolist() == model.decision_function(LINES).tolist()


def test_a_sweep_has_masks_too() -> None:
    from microgpt.sweep.settings import SweepSettings
    from microgpt.sweep.trainer import TrialTrainer

    data = from_texts(LINES)
    told: dict[str, Any] = {
        "preset": "microgpt", "tokenizer": "characters", "source": Source(files=("a.log",)),
        "fingerprint": data.fingerprint, "engine": "scalar", "seconds": None, "steps": 2,
        "holdout": 0.3, "seed": 1, "knobs": ("lr=0.01,0.1",),
    }  # fmt: skip
    made = SweepSettings(**told, mask=("digits",))
    assert SweepSettings.from_json(json.loads(json.dumps(made.to_json()))) == made
    assert "mask" not in SweepSettings(**told).to_json()
    assert SweepSettings.from_json(SweepSettings(**told).to_json()).mask == ()
    _, training = made.configs({}, 9)
    assert " --mask digits " in made.words({"lr": 0.1}, training, Path("o"))
    assert isinstance(TrialTrainer(made, data).tokens, Masked)


def test_a_mask_is_shown_as_it_is_asked_for() -> None:
    masks = parse(["digits,uuid", "order=ORD-[0-9]{4,6}"])
    assert [*map(str, masks)] == ["order=ORD-[0-9]{4,6}", "uuid", "digits"]
    assert parse([*map(str, masks)]) == masks
    assert parse(None) == parse([]) == ()
    of_another_version = Mask("hex", "[0-9a-f]{9}")
    assert of_another_version.is_own
    assert parse(str(of_another_version)) == (of_another_version,)
    assert np.array_equal(
        Finder(parse("hex=[0-9]+")).find(Texts.of(["a 12"])).firsts_S, np.array([2])
    )
