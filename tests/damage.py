"""Damage a run's folder at random, in ways that have occurred and in others.

In: a folder as a training left it, and a random generator. Out: the folder, damaged once, and a
description of the damage. Checksums that would reveal the damage are recomputed: the tests are for
faults that no checksum detects.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

from microgpt.runs.files import write_tensors

CONFIG, TOKENIZER, LOG = "config.json", "tokenizer.json", "log.jsonl"
TENSORS = ("checkpoint.safetensors", "counts.safetensors", "reference.safetensors")
FILES = (CONFIG, TOKENIZER, LOG, *TENSORS)

# What json.dumps writes as it stands, so that text no library would write can be put in.
RAW = "@raw@"
NASTY: list[Any] = [
    None, True, False, 0, -1, 1, 2, 7, 1000, 10**6, 10**9, 2**31, 2**32, 2**53, 2**63 - 1, 2**63,
    2**64, 10**30, -(2**63), 0.0, -0.0, 0.5, 1.0, -1.5, 1e-320, 1e30, 1e300, 1e999, -1e999,
    float("nan"), "", "x", "a", "7", "0.5", "nan", "adam", "rotary", "utf-16", "\x00", "é",
    "x" * 100_000, [], [1], [[]], ["x"], [None], [1000000000], [0.5, 1], list(range(50)), {},
    {"x": 1}, {"loss": 1.0, "positions": 3}, {"step": 5},
    f"{RAW}{'9' * 5000}", f"{RAW}-", f"{RAW}01", f"{RAW}1e400", f'{RAW}"\\ud800"', f"{RAW}Infinity",
    f"{RAW}{'[' * 200_000}", f"{RAW}{'[' * 200_000}{']' * 200_000}",
    f'{RAW}"\t"', f"{RAW}tru",
]  # fmt: skip
NUMBERS = [np.nan, np.inf, -np.inf, 1e300, -1e300, 1e38, 1e30, 1e-300, 0.0]
SIZES = [0, 1, 3, 255, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1]


def damage(folder: Path, rng: random.Random) -> str:
    """Damage one file of a folder; return what was done."""
    name = rng.choice(FILES)
    kinds: list[Callable[[Path, random.Random], str]] = [_bytes, _place]
    kinds += [_lines] * 8 if name == LOG else []
    kinds += [_json] * 8 if name in (CONFIG, TOKENIZER) else []
    kinds += [_notes, _notes, _numbers, _numbers, _layout, _header] if name in TENSORS else []
    return f"{name}: {rng.choice(kinds)(folder / name, rng)}"


def _place(path: Path, rng: random.Random) -> str:
    """Replace a file with something else."""
    others = [p for p in path.parent.iterdir() if p != path]
    links = {"nowhere": "not-there", "circle": path.name, "device": "/dev/zero"}
    what = rng.choice(["nothing", "folder", "pipe", "empty", "other", *links])
    path.unlink()
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what in links:
        path.symlink_to(links[what])
    elif what == "empty":
        path.write_bytes(b"")
    elif what == "other":
        shutil.copy(rng.choice(others), path)
    return what


def _bytes(path: Path, rng: random.Random) -> str:
    """Cut a file, flip its bits, or put bytes in."""
    data = bytearray(path.read_bytes())
    what = rng.choice(["cut", "flip", "put", "twice", "mark", "wide", "zeros"])
    at = rng.randrange(len(data))
    if what == "cut":
        del data[at:]
    elif what == "flip":
        for _ in range(rng.choice([1, 1, 1, 5, 50])):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif what == "put":
        data[at:at] = rng.choice([b"\x00", b"\xff", b"\n", b"{", b"]", b'"', b"\xed\xa0\x80", b"1"])
    elif what == "twice":
        data *= 2
    elif what == "mark":
        data[:0] = b"\xef\xbb\xbf"
    elif what == "wide":
        data = bytearray(data.decode("latin-1").encode("utf-16"))
    else:
        data[at:] = bytes(len(data) - at)
    path.write_bytes(data)
    return what


def _nodes(value: Any) -> list[tuple[Any, Any]]:
    """List all places in a JSON value, as a container and a key."""
    items = list(value.items() if isinstance(value, dict) else enumerate(value))
    found = [(value, key) for key, _ in items]
    for _, inner in items:
        if isinstance(inner, (dict, list)):
            found += _nodes(inner)
    return found


def _change(value: Any, rng: random.Random) -> str:
    """Change a JSON value in one place."""
    container, key = rng.choice(_nodes(value) or [(value, None)])
    what = rng.choice(["set", "set", "set", "set", "drop", "add", "swap", "kind"])
    if key is None or what == "add":
        if isinstance(container, dict):
            container[rng.choice(["colour", "", "step", "\x00", "files"])] = rng.choice(NASTY)
        else:
            container.append(rng.choice(NASTY))
    elif what == "drop":
        del container[key]
    elif what == "swap":
        other, place = rng.choice(_nodes(value))
        container[key], other[place] = _copy(other[place]), _copy(container[key])
    elif what == "kind":
        old = container[key]
        made = [str(old), [old], {"x": old}, len(str(old))]
        container[key] = _copy(rng.choice(made))
    else:
        container[key] = rng.choice(NASTY)
    return f"{what} {key}"


def _copy(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _text(value: Any) -> str:
    """Write JSON, with strings that are marked as raw unquoted."""
    text = json.dumps(value, ensure_ascii=False)
    for raw in (x for x in NASTY if isinstance(x, str) and x.startswith(RAW)):
        text = text.replace(json.dumps(raw, ensure_ascii=False), raw.removeprefix(RAW))
    return text


def _json(path: Path, rng: random.Random) -> str:
    """Change a JSON file; its fingerprints may be recomputed, or those of an old run."""
    value = json.loads(path.read_text("utf-8"))
    if rng.random() < 0.75:
        value.pop("checksum", None)
    done = ", ".join(_change(value, rng) for _ in range(rng.choice([1, 1, 1, 2, 4])))
    text = _text(value)
    if rng.random() < 0.1:
        key = rng.choice(list(value) or ["format"])
        text = text[:-1] + f', "{key}": {_text(rng.choice(NASTY))}' + "}"
        done += f", {key} twice"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    if rng.random() < 0.75:
        _forget(path.parent)
    if path.name == TOKENIZER and rng.random() < 0.75:
        _vouch(path.parent)
    return done


def _forget(folder: Path) -> None:
    """Remove the config's fingerprint from the checkpoint, as in an old run."""
    for name in TENSORS:
        notes, tensors = _read(folder / name)
        notes.pop("settings", None)
        write_tensors(folder / name, tensors, notes)


def _vouch(folder: Path) -> None:
    """Write the present tokenizer's fingerprint and size into the config."""
    try:
        tokens = json.loads((folder / TOKENIZER).read_bytes())
        text = json.dumps(tokens, sort_keys=True).encode()
    except (ValueError, TypeError, RecursionError):
        return
    config = json.loads((folder / CONFIG).read_text("utf-8"))
    config.pop("checksum")
    config["vocabulary"] = hashlib.blake2b(text, digest_size=16).hexdigest()
    (folder / CONFIG).write_text(json.dumps(config), "utf-8")


def _lines(path: Path, rng: random.Random) -> str:
    """Change lines of a log."""
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    texts = [json.dumps(line) for line in lines]
    at = rng.randrange(len(lines))
    what = rng.choice(["change", "change", "change", "again", "back", "junk", "ends", "far"])
    if what == "change":
        what = _change(lines[at], rng)
        texts[at] = _text(lines[at])
    elif what == "again":
        texts.insert(rng.randrange(len(texts)), texts[at])
    elif what == "back":
        rng.shuffle(texts)
    elif what == "junk":
        junk = ["", "[]", "7", "null", "{}", "x", '{"step": 3}', "\x00" * 9, "[" * 200_000]
        texts[at] = rng.choice(junk)
    elif what == "far":
        for line in lines[at:]:
            line["step"] = rng.choice([10**9, 10**12, 10**13, 2**63])
        texts = [json.dumps(line) for line in lines]
    path.write_text(("\r\n" if what == "ends" else "\n").join([*texts, ""]), "utf-8", newline="")
    return what


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    with safe_open(path, "numpy") as file:
        notes = json.loads(file.metadata()["microgpt"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for key in ("format", "checksum", "of_this"):
        notes.pop(key)
    return notes, tensors


def _notes(path: Path, rng: random.Random) -> str:
    """Change the notes; their hash is right."""
    notes, tensors = _read(path)
    done = _change(notes, rng) if notes else "nothing"
    write_tensors(path, tensors, notes)
    return f"notes {done}"


def _numbers(path: Path, rng: random.Random) -> str:
    """Change numbers of a tensor; the checksum is right."""
    notes, tensors = _read(path)
    name = rng.choice(sorted(tensors))
    tensor = tensors[name].copy()
    flat = tensor.reshape(-1)
    if tensor.dtype.kind == "f":
        value: Any = rng.choice(NUMBERS)
        flat[slice(None) if rng.random() < 0.3 else rng.randrange(len(flat))] = value
    else:
        value = rng.choice(["back", 0, -1, -(2**63), 2**63 - 1, 10**6, "same"])
        if value == "back":
            flat[:] = flat[::-1].copy()
        elif value == "same":
            flat[:] = flat[0]
        else:
            flat[rng.randrange(len(flat))] = value
    write_tensors(path, {**tensors, name: tensor}, notes)
    return f"{name} has {value}"


def _layout(path: Path, rng: random.Random) -> str:
    """Change the names, shapes or types of the tensors; the checksum is right."""
    notes, tensors = _read(path)
    name = rng.choice(sorted(tensors))
    tensor = tensors.pop(name)
    what = rng.choice(["gone", "renamed", "flat", "shorter", "kind", "more", "empty", "none"])
    if what == "renamed":
        tensors[rng.choice(["w", "", "layer9.attn_wq", "pairs7", "counts-1"])] = tensor
    elif what == "flat":
        tensors[name] = tensor.reshape(-1, 1)
    elif what == "shorter":
        tensors[name] = tensor[:-1].copy()
    elif what == "kind":
        kinds = ["f4", "f2", "i4", "u1", "i8", "f8", "u8", "?"]
        with np.errstate(all="ignore"):
            tensors[name] = tensor.astype(rng.choice(kinds))
    elif what == "more":
        tensors |= {name: tensor, rng.choice(["pairs9", "x"]): np.zeros(3)}
    elif what == "empty":
        tensors[name] = tensor.reshape(-1)[:0].copy()
    elif what == "none":
        tensors = {}
    write_tensors(path, tensors, notes)
    return f"{name} {what}"


def _header(path: Path, rng: random.Random) -> str:
    """Change the header of a file of tensors, which no checksum covers."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header, rest = json.loads(data[8 : 8 + length]), data[8 + length :]
    what = rng.choice(["size", "change", "change", "change", "text"])
    text = json.dumps(header).encode()
    if what == "change":
        what = _change(header, rng)
        text = _text(header).encode("utf-8", "surrogatepass")
    elif what == "text":
        text = rng.choice([b"", b"[]", b"null", b"{" * 100_000, text + b" " * 9, text[:-1]])
    size = rng.choice(SIZES) if what == "size" else len(text)
    path.write_bytes(struct.pack("<Q", size) + text + rest)
    return f"header {what}"
