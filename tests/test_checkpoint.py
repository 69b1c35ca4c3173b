"""What a run's folder holds: read back to the last bit, whole or not at all, never pickled."""

from __future__ import annotations

import errno
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from microgpt import checkpoint
from microgpt.checkpoint import Checkpoint, Settings
from microgpt.config import GPTConfig, TrainConfig
from microgpt.corpus import Source
from microgpt.engines.contract import State
from microgpt.errors import RunError
from microgpt.folder import claimed
from microgpt.tokenizer import Bytes, Characters

CONFIG = GPTConfig(vocab_size=4, block_size=3, n_head=1, n_embd=2)
# By hand: wte 4*2, wpe 3*2, lm_head 4*2, four of attention 2*2, two of the MLP 8*2.
N = 8 + 6 + 8 + 4 * 4 + 2 * 16
NAMES = ["wte", "wpe", "lm_head"] + [
    f"layer0.{name}" for name in ("attn_wq", "attn_wk", "attn_wv", "attn_wo", "mlp_fc1", "mlp_fc2")
]
FILE = "checkpoint.safetensors"


def state(seed: int = 0, updates: int = 37) -> State:
    rng = np.random.default_rng(seed)
    numbers = [rng.normal(size=N) for _ in range(3)]
    numbers[0][:6] = [-0.0, 5e-324, 1.7976931348623157e308, math.pi, 2.2e-308, 1 + 2.0**-52]
    return State(numbers[0], numbers[1], numbers[2] ** 2, updates)


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
    checkpoint.write_settings(path, settings(), Characters.of(["abc"]))
    checkpoint.save(path, CONFIG, Checkpoint(state()))
    return path


def told(folder: Path) -> str:
    """What reading a damaged run says, all of it as one sentence; "" if it says nothing."""
    try:
        checkpoint.load(folder, checkpoint.read_settings(folder)[0].model)
    except RunError as error:
        return str(error).replace(str(folder), "RUN").replace("\n", "(a line end)")
    return ""


def test_a_state_is_read_back_to_the_last_bit(folder: Path) -> None:
    read, written = checkpoint.load(folder, CONFIG).state, state()
    assert read.updates == 37
    for name in ("parameters", "m", "v"):
        assert getattr(read, name).tobytes() == getattr(written, name).tobytes()


def test_settings_and_tokenizers_are_read_back(tmp_path: Path) -> None:
    for tokens in (Characters.of(["né", "ab\u2028"], "first"), Bytes(), Bytes("first")):
        written = settings(GPTConfig(vocab_size=tokens.vocab_size))
        checkpoint.write_settings(tmp_path, written, tokens)
        assert checkpoint.read_settings(tmp_path) == (written, tokens)


def test_equal_states_make_equal_bytes_and_other_states_others(folder: Path) -> None:
    first = (folder / FILE).read_bytes()
    checkpoint.save(folder, CONFIG, Checkpoint(state()))
    assert (folder / FILE).read_bytes() == first
    for name in ("parameters", "m", "v", "updates"):
        other = state(updates=38 if name == "updates" else 37)
        if name != "updates":
            getattr(other, name)[-1] = np.nextafter(getattr(other, name)[-1], np.inf)
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
    for at in [*range(header), *range(header, len(data), every)]:
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
    checkpoint.save(folder, wider, Checkpoint(State(numbers, numbers, numbers)))
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
        if not message.startswith("RUN/config.json: ") or key not in message:
            unnoticed.append(key)
    # Which versions wrote it is for people to read; how a file is read, where it was and what was
    # asked for was not always there.
    later = {"versions", "asked", "paths", *vars(Source())} - {"files"}
    assert set(unnoticed) <= later


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
