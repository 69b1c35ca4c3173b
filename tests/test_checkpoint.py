"""A run's files: read back bit for bit, written completely or not at all, never pickled."""

from __future__ import annotations

import dataclasses
import errno
import json
import math
import os
import tracemalloc
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from microgpt.config import GPTConfig, TrainConfig
from microgpt.data.corpus import Source
from microgpt.data.tokenizer import Bytes, Characters
from microgpt.engines.contract import SLOTS, State
from microgpt.errors import RunError
from microgpt.loss import LossSum
from microgpt.runs import checkpoint, files
from microgpt.runs.checkpoint import Settings
from microgpt.runs.folder import claimed
from microgpt.training.progress import Checkpoint

CONFIG = GPTConfig(vocab_size=4, block_size=3, n_head=1, n_embd=2)
# By hand: wte 4*2, wpe 3*2, lm_head 4*2, four of attention 2*2, two of the MLP 8*2.
N = 8 + 6 + 8 + 4 * 4 + 2 * 16
NAMES = ["wte", "wpe", "lm_head"] + [
    f"layer0.{name}" for name in ("attn_wq", "attn_wk", "attn_wv", "attn_wo", "mlp_fc1", "mlp_fc2")
]
FILE = "checkpoint.safetensors"
UNSEALED = (
    "RUN/config.json: damaged or changed: its checksum is not that of what it says. "
    "Bring back the one that was written."
)
CHANGED = (
    f"RUN: config.json is damaged or changed, or of another run than {FILE}. "
    "Bring back the one that it was trained with."
)


def state(seed: int = 0, updates: int = 37) -> State:
    rng = np.random.default_rng(seed)
    numbers = [rng.normal(size=N) for _ in range(3)]
    numbers[0][:6] = [-0.0, 5e-324, 1.7976931348623157e308, math.pi, 2.2e-308, 1 + 2.0**-52]
    return State(numbers[0], {"adam.m": numbers[1], "adam.v": numbers[2] ** 2}, updates)


def settings(model: GPTConfig = CONFIG) -> Settings:
    return Settings(
        preset="microgpt",
        model=model,
        training=TrainConfig(steps=None, seconds=1.5, lr=1 / 3, holdout=0.25, seed=3),
        source=Source(files=("a.csv", "é b.csv"), column="name", encoding="latin-1"),
        fingerprint="abc",
        documents=12,
        engine="scalar",
        log_every=7,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    path.mkdir()
    tokens = Characters.of(["abc"])
    about = checkpoint.fingerprint(path, settings(), tokens)
    checkpoint.save(path, CONFIG, Checkpoint(state(), settings=about))
    checkpoint.write_settings(path, settings(), tokens)
    assert checkpoint.fingerprint(path, settings(), tokens) == about
    return path


def told(folder: Path) -> str:
    """Read a damaged run; return the error's sentence, or "" if there was no error."""
    try:
        checkpoint.load(folder, checkpoint.read_settings(folder)[0].model)
    except RunError as error:
        return str(error).replace(str(folder), "RUN").replace("\n", "(a line end)")
    return ""


def test_a_state_is_read_back_to_the_last_bit(folder: Path) -> None:
    read, written = checkpoint.load(folder, CONFIG).state, state()
    assert read.updates == 37
    assert read.parameters.tobytes() == written.parameters.tobytes()
    for name in SLOTS:
        assert read.slots[name].tobytes() == written.slots[name].tobytes()


def test_settings_and_tokenizers_are_read_back(tmp_path: Path) -> None:
    for tokens in (Characters.of(["né", "ab\u2028"], "first"), Bytes(), Bytes("first")):
        written = settings(GPTConfig(vocab_size=tokens.vocab_size))
        checkpoint.write_settings(tmp_path, written, tokens)
        assert checkpoint.read_settings(tmp_path) == (written, tokens)


def test_equal_states_make_equal_bytes_and_other_states_others(folder: Path) -> None:
    checkpoint.save(folder, CONFIG, Checkpoint(state()))
    first = (folder / FILE).read_bytes()
    checkpoint.save(folder, CONFIG, Checkpoint(state()))
    assert (folder / FILE).read_bytes() == first
    for name in ("parameters", *SLOTS, "updates"):
        other = state(updates=38 if name == "updates" else 37)
        if name != "updates":
            other.buffers[name][-1] = np.nextafter(other.buffers[name][-1], np.inf)
        checkpoint.save(folder, CONFIG, Checkpoint(other))
        assert (folder / FILE).read_bytes() != first, name


def test_a_checkpoint_is_a_json_header_and_plain_numbers_and_nothing_pickled(folder: Path) -> None:
    data = (folder / FILE).read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    assert len(data) == 8 + length + 3 * N * 8
    del header["__metadata__"]
    assert set(header) == {prefix + name for prefix in ("", "adam.m.", "adam.v.") for name in NAMES}
    assert header["layer0.mlp_fc1"]["shape"] == [8, 2]
    assert {tensor["dtype"] for tensor in header.values()} == {"F64"}
    start, stop = header["wpe"]["data_offsets"]
    numbers = np.frombuffer(data[8 + length :][start:stop], "<f8")
    np.testing.assert_array_equal(numbers, state().parameters[8:14])


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_a_save_that_fails_leaves_the_old_file_whole_and_nothing_beside_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: BaseException
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(type(error)):
        checkpoint.save(folder, CONFIG, Checkpoint(state(seed=1)))
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("every", [211, pytest.param(1, marks=pytest.mark.slow)])
def test_a_flipped_bit_anywhere_is_one_sentence(folder: Path, every: int) -> None:
    data = (folder / FILE).read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    wrong = {}
    for at in [*range(0, header, min(every, 11)), *range(header, len(data), every)]:
        (folder / FILE).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        try:
            message = told(folder)
        except Exception as error:
            message = repr(error)
        if not message.startswith(f"RUN/{FILE}: "):
            wrong[bytes(data[max(0, at - 20) : at + 1])] = message
    assert wrong == {}


def test_a_truncated_checkpoint_is_one_sentence_wherever_it_ends(folder: Path) -> None:
    data = (folder / FILE).read_bytes()
    for size in [*range(0, len(data), 113), len(data) - 1]:
        (folder / FILE).write_bytes(data[:size])
        assert told(folder).startswith(f"RUN/{FILE}: damaged (")


def test_a_moment_that_changed_is_noticed_by_the_checksum(folder: Path) -> None:
    data = bytearray((folder / FILE).read_bytes())
    data[-1] ^= 128
    (folder / FILE).write_bytes(data)
    assert told(folder) == f"RUN/{FILE}: damaged: its checksum is not that of its numbers."


def test_a_foreign_checkpoint_is_one_sentence(folder: Path) -> None:
    save_file({"w": np.zeros(3)}, folder / FILE)
    assert told(folder) == f"RUN/{FILE}: damaged or foreign: not as microgpt writes it."
    wider = GPTConfig(vocab_size=4, block_size=3, n_head=1, n_embd=3)
    numbers = np.zeros(12 + 9 + 12 + 4 * 9 + 2 * 36)
    checkpoint.save(folder, wider, Checkpoint(State(numbers, dict.fromkeys(SLOTS, numbers))))
    sentence = f"RUN/{FILE}: foreign: its tensors are not those of the model in config.json."
    assert told(folder) == sentence


@pytest.mark.parametrize("about", ["[]", "5", "{}", '{"format": 1}', "{"])
def test_a_checkpoint_whose_notes_are_foreign_is_one_sentence(folder: Path, about: str) -> None:
    save_file(load_file(folder / FILE), folder / FILE, {"microgpt": about})
    assert told(folder).startswith(f"RUN/{FILE}: ")


def test_what_is_missing_is_one_sentence(folder: Path) -> None:
    for name in (FILE, "tokenizer.json", "config.json"):
        (folder / name).unlink()
        assert told(folder) == f"RUN: not a run: it has no {name}."
    folder.rmdir()
    assert told(folder) == "RUN: not a run: there is no such folder."
    folder.write_text("")
    assert told(folder) == "RUN: not a run: it is a file. Expected a folder."


@pytest.mark.parametrize("section", [None, "model", "training", "data"])
def test_a_config_that_lacks_any_key_is_one_sentence(folder: Path, section: str | None) -> None:
    whole = json.loads((folder / "config.json").read_text("utf-8"))
    unnoticed = []
    for key in whole if section is None else whole[section]:
        damaged = json.loads(json.dumps(whole))
        del (damaged if section is None else damaged[section])[key]
        (folder / "config.json").write_text(json.dumps(damaged))
        message = told(folder)
        named = message.startswith("RUN/config.json: ") and key in message
        # What has a default may be missing, but not from the file that was written.
        if not named and message != UNSEALED:
            unnoticed.append(key)
    # Those of the first version have none.
    assert [key for key in unnoticed if key != "checksum"] == []


@pytest.mark.parametrize("every", [29, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_a_flipped_bit_of_what_a_run_was_told_is_noticed_or_changes_nothing(
    folder: Path, name: str, every: int
) -> None:
    data, before = (folder / name).read_bytes(), checkpoint.read_settings(folder)
    refused, unnoticed = 0, []
    for bit in range(0, 8 * len(data), every):
        at = bit // 8
        flipped = data[:at] + bytes([data[at] ^ 1 << bit % 8]) + data[at + 1 :]
        (folder / name).write_bytes(flipped)
        try:
            if checkpoint.read_settings(folder) != before:
                unnoticed.append(flipped[max(0, at - 20) : at + 1])
        except RunError:
            refused += 1
    assert unnoticed == []
    # What is left are spaces between values, one kind for another.
    assert refused > 0.95 * 8 * len(data.replace(b" ", b"")) / every


def test_the_order_of_keys_and_the_spaces_are_no_change(folder: Path) -> None:
    before = checkpoint.read_settings(folder)
    for name in ("config.json", "tokenizer.json"):
        told = json.loads((folder / name).read_text("utf-8"))
        (folder / name).write_text(json.dumps(dict(reversed(told.items()))))
    assert checkpoint.read_settings(folder) == before


def test_who_asked_for_it_makes_no_other_recipe(folder: Path) -> None:
    tokens = Characters.of(["abc"])
    asked = dataclasses.replace(settings(), asked={"seconds": 1.5})
    about = checkpoint.fingerprint(folder, settings(), tokens)
    (folder / "config.json").unlink()
    assert checkpoint.fingerprint(folder, asked, tokens) == about
    other = dataclasses.replace(settings(), log_every=8)
    assert checkpoint.fingerprint(folder, other, tokens) != about


def test_what_was_asked_for_has_names_of_flags(folder: Path) -> None:
    data = json.loads((folder / "config.json").read_text("utf-8"))
    del data["checksum"]
    data["asked"] = {"lr; ls": 1}
    (folder / "config.json").write_text(json.dumps(data))
    assert told(folder) == 'RUN/config.json: what was asked for must have a name; got "lr; ls".'


def test_the_config_of_another_run_is_noticed(folder: Path) -> None:
    other = dataclasses.replace(settings(), training=TrainConfig(steps=9))
    checkpoint.write_settings(folder, other, Characters.of(["abc"]))
    assert told(folder) == CHANGED


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", FILE])
@pytest.mark.parametrize("what", ["folder", "pipe", "link"])
def test_what_is_no_file_in_the_place_of_one_is_one_sentence(
    folder: Path, name: str, what: str
) -> None:
    path = folder / name
    path.unlink()
    made = {"folder": path.mkdir, "pipe": partial(os.mkfifo, path)}
    made.get(what, partial(path.symlink_to, "nowhere"))()
    words = {
        "folder": "a folder",
        "pipe": "a pipe or a device",
        "link": "a link that leads nowhere",
    }
    assert told(folder) == (
        f"RUN/{name}: {words[what]}. Expected a file that microgpt has written."
    )


@pytest.mark.parametrize("number", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["parameters", "adam.m"])
def test_a_number_that_is_not_finite_is_told_of_by_its_tensor(
    folder: Path, name: str, number: float
) -> None:
    broken = state()
    broken.buffers[name][9] = number  # 8 of wte come first
    checkpoint.save(folder, CONFIG, Checkpoint(broken))
    prefix = "" if name == "parameters" else f"{name}."
    assert told(folder) == (
        f"RUN/{FILE}: its numbers must be finite; {prefix}wpe has one that is not."
    )


PROGRESS = {
    "lines": 3, "pending": {"nats": 0.5, "positions": 2}, "lr": 0.01, "seconds": 1.5,
    "best": {"nats": 9.5, "positions": 4}, "best_step": 3,
}  # fmt: skip


def with_notes(folder: Path, **changed: object) -> None:
    """Write the checkpoint with other notes, its checksums right."""
    notes = {"updates": 3, "weight": None, "progress": PROGRESS, **changed}
    files.write_tensors(folder / FILE, load_file(folder / FILE), notes)


def progress(**changed: object) -> dict[str, object]:
    return {"progress": {**PROGRESS, **changed}}


def test_notes_that_are_right_are_read(folder: Path) -> None:
    with_notes(folder)
    read = checkpoint.load(folder, CONFIG).progress
    assert read is not None
    assert (read.pending, read.best) == (LossSum(0.5, 2), LossSum(9.5, 4))
    assert dataclasses.asdict(read) == PROGRESS


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"updates": [3]}, "damaged or foreign (updates must be a whole number; got a list)."),
        ({"updates": -1}, "updates must be a whole number from 0; got -1."),
        ({"updates": 2**63}, f"updates must be at most 1,000,000,000,000; got {2**63}."),
        (
            progress(pending=None),
            "damaged or foreign (progress.pending must be an object; got null).",
        ),
        (progress(pending={"nats": math.nan, "positions": 2}), None),
        (
            progress(pending={"nats": 1.0, "positions": -2}),
            "pending must be a whole number from 0; got -2.",
        ),
        (
            progress(best={"nats": "1", "positions": 2}),
            "damaged or foreign (progress.best.nats must be a number; got text).",
        ),
        (progress(lines=-1), "lines must be a whole number from 0; got -1."),
        (progress(lr=math.inf), None),
        (progress(best_step=1), "foreign: its tensors are not those of the model in config.json."),
        (
            {"progress": 7},
            "damaged or foreign (progress must be an object or null; got a whole number).",
        ),
        ({"weight": 1.0}, "weight must be in [0, 1); got 1.0."),
        ({"weight": -0.1}, "weight must be in [0, 1); got -0.1."),
        ({"weight": math.nan}, None),
        ({"weight": "0.5"}, "damaged or foreign (weight must be a number or null; got text)."),
        ({"format": 2}, "format must be 1; got 2."),
    ],
)
def test_notes_out_of_their_domain_are_one_sentence(
    folder: Path, changed: dict[str, object], sentence: str | None
) -> None:
    with_notes(folder, **changed)
    message = told(folder).removeprefix(f"RUN/{FILE}: ")
    if sentence:
        assert message == sentence
    else:
        assert message.startswith("damaged or foreign (not JSON: invalid character")


@pytest.mark.slow
def test_a_shape_larger_than_the_file_takes_no_memory(folder: Path) -> None:
    wide = dataclasses.replace(CONFIG, n_embd=2**16, vocab_size=2**21, n_layer=4096)
    tracemalloc.start()
    with pytest.raises(RunError, match="its tensors are not those of the model in config"):
        checkpoint.load(folder, wide)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**26


def test_a_checkpoint_that_cannot_be_opened_is_not_said_to_be_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object) -> None:
        raise FileNotFoundError  # what the library makes of it

    monkeypatch.setattr("safetensors.safe_open", none_left)
    with pytest.raises(OSError, match="open files") as caught:
        checkpoint.load(folder, CONFIG)
    assert caught.value.errno == errno.EMFILE


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
@pytest.mark.parametrize("data", [b"", b"[]", b"5", b"null", b'{"a": ', b'"x"', b"{}", b"\xff\xfe"])
def test_json_that_is_damaged_or_foreign_is_one_sentence(
    folder: Path, name: str, data: bytes
) -> None:
    (folder / name).write_bytes(data)
    assert told(folder).startswith(f"RUN/{name}: ")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), 2), (("log_every",), 0), (("log_every",), "x"), (("model", "n_embd"), 2.5),
        (("model", "n_head"), 3), (("training", "lr"), "x"), (("training", "order"), "never"),
        (("data", "files"), 3),
    ],
)  # fmt: skip
def test_a_config_with_a_value_out_of_its_domain_is_one_sentence(
    folder: Path, path: tuple[str, ...], value: object
) -> None:
    data = json.loads((folder / "config.json").read_text("utf-8"))
    inner = data if len(path) == 1 else data[path[0]]
    inner[path[-1]] = value
    (folder / "config.json").write_text(json.dumps(data))
    assert told(folder).startswith("RUN/config.json: ")


# "aabc" has the same ids but other counts, which price what is unknown.
@pytest.mark.parametrize("text", ["abcd", "xyz", "aabc"])
def test_the_tokenizer_of_another_run_is_noticed(folder: Path, text: str) -> None:
    (folder / "tokenizer.json").write_text(json.dumps(Characters.of([text]).to_json()))
    message = told(folder)
    assert "tokenizer.json" in message
    if text == "abcd":
        assert message == (
            "RUN: tokenizer.json has 5 token ids where config.json says 4: "
            "they are of different runs."
        )


def test_a_folder_is_claimed_by_one_at_a_time_and_free_again_afterwards(tmp_path: Path) -> None:
    with claimed(tmp_path):
        with pytest.raises(RunError) as caught, claimed(tmp_path):
            pass
        assert str(caught.value) == (
            f"{tmp_path}: another training is writing to it. Wait for it, or choose another --out."
        )
    with claimed(tmp_path):
        pass
