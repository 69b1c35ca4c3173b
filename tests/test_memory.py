"""Text is stored once: there is no Python object for each document or token."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from microgpt.counting.statistics import statistics
from microgpt.data import corpus
from microgpt.data.batch import lay_out
from microgpt.data.corpus import Source
from microgpt.data.split import split
from microgpt.data.tokenizer import Bytes, Characters, encode_all
from microgpt.scoring.repetition import choose


@pytest.mark.slow
def test_what_is_held_grows_with_the_file_by_a_few_times_its_size(tmp_path: Path) -> None:
    lines = np.arange(10**9, 10**9 + 300_000).astype("S10")
    data = b"\n".join(lines.tolist())
    path = tmp_path / "numbers.txt"
    path.write_bytes(data)
    del lines
    peaks: list[float] = []
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]

        def note() -> None:
            peaks.append((tracemalloc.get_traced_memory()[1] - before) / len(data))
            tracemalloc.reset_peak()

        read = corpus.read(Source(files=(str(path),)))
        note()
        tokens = Characters.of(read.documents)
        train, held_out = split(read, 0.1)
        note()
        layout = lay_out(encode_all(tokens, train), tokens.bos, 16)
        note()
        statistics(read, 0.1)
        choose(train, held_out)
        note()
    finally:
        tracemalloc.stop()
    assert layout.batch.positions > 2_700_000
    # A list of such strings alone is 6 times as large as the file, and one of their ids 50 times.
    assert peaks[0] < 4
    assert max(peaks) < 11, peaks


@pytest.mark.parametrize(("letters", "dtype"), [(20, "uint8"), (254, "uint8"), (255, "uint16")])
def test_tokens_are_the_smallest_integers_that_hold_the_vocabulary(
    letters: int, dtype: str
) -> None:
    text = "".join(map(chr, range(0x100, 0x100 + letters)))
    tokens = Characters.of([text])
    assert tokens.vocab_size == letters + 1
    batch = lay_out(encode_all(tokens, [text, "\u0100"]), tokens.bos, 1000).batch
    assert (batch.tokens_N.dtype, batch.targets_N.dtype) == (dtype, dtype)
    assert batch.targets_N.tolist() == [*range(letters), letters, 0, letters]
    assert np.shares_memory(batch.tokens_N, batch.targets_N)
    unknown = encode_all(tokens, [text, "x"])
    assert unknown.stream.tolist() == [letters, *range(letters), letters, -1, letters]
    assert encode_all(Bytes(), ["é"]).stream.dtype == "uint16"
