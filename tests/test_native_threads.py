"""The native engine between threads, over forks and without memory: nothing breaks, nothing hangs.

Code that may crash or hang runs in a process of its own, and fails only its test.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest

from microgpt.data.plan import Plan
from microgpt.engines import why_not_native
from tests.conftest import REQUIRED
from tests.native_programs import PROGRAMS, SOURCES, compiled

if why_not_native() and "native" not in REQUIRED:
    pytest.skip(f"no native engine: {why_not_native()}", allow_module_level=True)

from tests.native_engines import SHAPES, documents, native

ROOT = Path(__file__).resolve().parents[1]
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


BEGIN = """
    import multiprocessing, os, sys, threading, time
    import numpy as np
    from tests.native_engines import SHAPES, documents, native
    batch = documents(SHAPES[3])
    engine = native(SHAPES[3], threads=2)
    """


def said(*code: str) -> str:
    """Run a program that has an engine and a batch; return what it prints. It must end in time."""
    path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", "".join(map(textwrap.dedent, (BEGIN, *code)))],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_two_threads_at_one_decoder_read_no_more_than_a_row_holds() -> None:
    code = """
        for _ in range(40):
            decoder = engine.decoder(64)
            read = []
            def push():
                for _ in range(16):
                    try:
                        read.append(decoder.push(np.zeros(64, np.int32)))
                    except ValueError as error:
                        assert "at most block_size tokens" in str(error)
            threads = [threading.Thread(target=push) for _ in range(4)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            assert len(read) == 16, len(read)
        print("ok")
        """
    assert said(code) == "ok\n"


def test_tokens_that_change_while_they_are_read_break_nothing() -> None:
    code = """
        from microgpt.data.batch import Batch
        from microgpt.errors import UsageError
        tokens = np.zeros(200_000, np.int32)
        batch = Batch(tokens, tokens, np.arange(0, 200_001, 10))
        over = []
        def write():
            while not over:
                tokens[100_000:] = 1 << 30
                tokens[100_000:] = 0
        thread = threading.Thread(target=write)
        thread.start()
        for _ in range(50):
            try:
                engine.losses(batch)
            except UsageError as error:
                assert "must be in [0, 27); got 1073741824." in str(error)
        over.append(True)
        thread.join()
        print("ok")
        """
    assert said(code) == "ok\n"


def test_two_threads_that_train_make_the_updates_of_one() -> None:
    config = SHAPES[3]
    batches = Plan(documents(config), batch_size=3).batches(0, 20)
    together, alone = native(config, threads=2), native(config, threads=2)
    both = threading.Barrier(2)

    def train() -> None:
        for _ in range(10):
            both.wait()
            together.train(batches, np.full(20, 0.01))

    threads = [threading.Thread(target=train) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in range(20):
        alone.train(batches, np.full(20, 0.01))
    assert together.state().updates == alone.state().updates == 400
    assert np.array_equal(together.state().parameters, alone.state().parameters)


@pytest.mark.slow
def test_a_thread_that_computes_when_python_ends_ends_with_it() -> None:
    code = """
        def compute():
            while True:
                engine.losses(batch)
        for _ in range(3):
            threading.Thread(target=compute, daemon=True).start()
        time.sleep(0.2)
        print("ok")
        """
    assert said(code) == "ok\n"


FORK = """
    def forked(work):
        sys.stdout.flush()
        child = os.fork()
        if not child:
            work()
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
    expected = engine.losses(batch)
    def compute():
        assert np.array_equal(engine.losses(batch), expected)
    def compute_one(_):
        compute()
    """


@forks
def test_a_forked_child_ends_after_its_parent_computed() -> None:
    code = """
        forked(lambda: None)
        forked(lambda: globals().pop("engine"))
        forked(lambda: native(SHAPES[3], threads=2).losses(batch))
        print("ok")
        """
    assert said(FORK, code) == "ok\n"


@pytest.mark.slow
@forks
def test_a_forked_child_computes_and_so_does_its_own() -> None:
    code = """
        decoder = engine.decoder(64)
        first = engine.decoder(64).push(np.zeros(64, np.int32))
        def work():
            compute()
            assert np.array_equal(decoder.push(np.zeros(64, np.int32)), first)
            forked(compute)
        for _ in range(5):
            forked(work)
        compute()
        with multiprocessing.get_context("fork").Pool(3) as pool:
            pool.map(compute_one, range(9))
        print("ok")
        """
    assert said(FORK, code) == "ok\n"


@forks
def test_a_fork_waits_for_what_other_threads_compute() -> None:
    code = """
        over = []
        def busy():
            while not over:
                engine.losses(batch)
        threads = [threading.Thread(target=busy) for _ in range(2)]
        [thread.start() for thread in threads]
        for _ in range(20):
            child = os.fork()
            if not child:
                compute()
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        over.append(True)
        [thread.join() for thread in threads]
        print("ok")
        """
    assert said(FORK, code) == "ok\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "options"),
    [
        ("races", ["-fsanitize=thread"]),
        # GCC warns of the program's own operators.
        ("memory", ["-fsanitize=address", "-Wno-mismatched-new-delete"]),
    ],
)
def test_a_sanitizer_finds_nothing(program: str, options: list[str], tmp_path: Path) -> None:
    sources = [PROGRAMS / f"{program}.cpp", *SOURCES]
    # The last -O counts: it is compiled in half the time.
    compiled_program = compiled(tmp_path, sources, "portable", "-O1", "-g", *options)
    environment = {name: word for name, word in os.environ.items() if name != "LD_PRELOAD"}
    done = subprocess.run(
        [compiled_program], capture_output=True, text=True, check=False, env=environment
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert done.stdout.endswith("ok\n")
