"""Several ranks train one model: the losses of one, one folder, and a good end."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgpt
from microgpt.cli import app
from microgpt.data.batch import lay_out
from microgpt.data.plan import Plan
from microgpt.engines.ranks import ALONE, agreed, launched
from microgpt.errors import DataError, RankError, UsageError
from microgpt.runs import files, follower, log, prepare
from microgpt.runs.interruption import interruptible
from tests.conftest import TINY, required

SHAPE = {"threads": 1, "n_embd": 8, "n_head": 2, "n_layer": 2, "block_size": 8, "holdout": 0.3}
CASES: dict[str, dict[str, Any]] = {
    "float64": {"precision": "float64", "steps": 25, "batch_size": 6},
    "float32": {"steps": 25, "batch_size": 6},
    "a rank without documents": {"precision": "float64", "steps": 12, "batch_size": 3},
    "one document a step": {"precision": "float64", "steps": 12, "preset": "microgpt"},
    "dropout, in parts": {
        "precision": "float64", "steps": 12, "batch_size": 7, "dropout": 0.3, "accumulate": 2,
        "recompute": True,
    },
    "bfloat16, in parts": {
        "precision": "bfloat16", "steps": 25, "batch_size": 6, "accumulate": 2,
    },
    "muon and counts": {
        "precision": "float64", "steps": 12, "batch_size": 5, "optimizer": "muon", "ngram": 3,
        "weight_decay": 0.1, "position": "rotary", "qk_norm": True, "zero_init": True,
    },
    "another objective": {
        "precision": "float64", "steps": 12, "batch_size": 5, "loss": "quadratic",
    },
}  # fmt: skip


class Fake:
    """Ranks whose other members have said something already."""

    def __init__(self, rank: int, others: list[Any]) -> None:
        self.rank, self.world, self._others = rank, len(others) + 1, others

    def gathered(self, value: Any) -> list[Any]:
        values = [*self._others]
        values.insert(self.rank, value)
        return values


def fails(error: Exception) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


def test_an_error_of_one_rank_is_that_of_all() -> None:
    ended = [None, "host-a"]
    with pytest.raises(UsageError, match=r"^lr must be positive$"):
        agreed(Fake(0, [ended]), fails(UsageError("lr must be positive")))
    with pytest.raises(RankError, match=r"^rank 1 on host-b: no such file$"):
        agreed(Fake(0, [["no such file", "host-b"]]), lambda: 3)
    with pytest.raises(RankError, match=r"^rank 1 on \S+: empty$"):
        agreed(Fake(1, [ended]), fails(DataError("empty")))
    assert agreed(Fake(0, [ended]), lambda: 3) == 3
    assert agreed(ALONE, lambda: 3) == 3


def test_a_file_that_one_rank_cannot_read_is_named() -> None:
    error = PermissionError(13, "Permission denied", "names.txt")
    with pytest.raises(RankError, match=r"^rank 1 on \S+: names\.txt: Permission denied\.$"):
        agreed(Fake(1, [[None, "a"]]), fails(error))


class Pair:
    """One of two ranks, each a thread."""

    world = 2

    def __init__(self, rank: int, values: list[Any], barrier: threading.Barrier) -> None:
        self.rank, self._values, self._barrier = rank, values, barrier

    def gathered(self, value: Any) -> list[Any]:
        self._values[self.rank] = value
        self._barrier.wait(10)
        values = [*self._values]
        self._barrier.wait(10)
        return values

    def told(self, value: Any) -> Any:
        return self.gathered(value)[0]


@pytest.mark.parametrize("blind", [0, 1])
def test_a_rank_that_cannot_read_a_run_s_documents_is_an_error_of_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, blind: int
) -> None:
    microgpt.train(TINY, out=str(tmp_path / "run"), engine="scalar", steps=1, n_embd=4)
    barrier, values = threading.Barrier(2), [None, None]
    errors: list[Any] = [None, None]

    def resume(rank: int) -> None:
        given = Pair(rank, values, barrier), TINY
        try:
            if rank:
                follower.of_resumed(*given)
            else:
                prepare.resume(tmp_path / "run", ranks=given[0], documents=TINY)
        except BaseException as error:
            errors[rank] = error

    def unreadable(*_: Any, **__: Any) -> None:
        raise DataError("it cannot be read")

    for module in (prepare, follower):
        monkeypatch.setattr(module, "open_for", lambda *_: None)
    monkeypatch.setattr((prepare, follower)[blind], "read_again", unreadable)
    thread = threading.Thread(target=resume, args=[1])
    thread.start()
    resume(0)
    thread.join(30)
    assert [type(error) for error in errors] == [(DataError, RankError)[blind], RankError]
    assert all("it cannot be read" in str(error) for error in errors)


def test_a_fault_of_ours_is_no_agreement() -> None:
    with pytest.raises(ZeroDivisionError):
        agreed(Fake(0, [[None, "a"]]), lambda: 1 // 0)


@pytest.mark.parametrize(
    ("rank", "world", "found"),
    [("1", "2", (1, 2)), ("0", "1", (0, 1)), ("", "2", (0, 1)), ("x", "y", (0, 1))],
)
def test_a_launcher_says_which_rank_this_is(
    monkeypatch: pytest.MonkeyPatch, rank: str, world: str, found: tuple[int, int]
) -> None:
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", world)
    assert launched() == found


@pytest.mark.parametrize("world", [1, 2, 3, 4, 7])
def test_the_shares_of_all_ranks_are_the_batch(world: int) -> None:
    plan = Plan(lay_out([[i] * (i % 5 + 1) for i in range(23)], bos=30, block_size=8).batch, 5)
    whole = plan.batches(3, 6)
    shares = [plan.batches(3, 6, rank, world) for rank in range(world)]
    for k in range(6):
        together = np.concatenate([share.step(k).tokens_N for share in shares])
        assert together.tolist() == whole.step(k).tokens_N.tolist()


def test_sigterm_of_a_queue_and_of_a_launcher_is_one_request() -> None:
    stops: list[int] = []
    with interruptible(lambda: stops.append(1), [signal.SIGTERM, signal.SIGINT]) as asked:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert (stops, asked) == ([1], [True])
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_an_engine_other_than_torch_has_no_ranks(tiny: list[str]) -> None:
    from microgpt.config import GPTConfig
    from microgpt.engines import open_engine

    with pytest.raises(UsageError, match="engine must be torch for 2 ranks; got native"):
        open_engine("native", GPTConfig(vocab_size=3), ranks=Fake(0, [None]))  # type: ignore[arg-type]


# --- With PyTorch ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def torch() -> Any:
    if not find_spec("torch"):
        required("torch", "PyTorch is not installed")
    import torch

    return torch


@pytest.mark.parametrize(
    ("rank", "address", "what"), [("1", "", "no MASTER_ADDR"), ("5", "here", "a RANK from 2 on")]
)
def test_variables_without_a_launcher_are_one_sentence(
    torch: Any, monkeypatch: pytest.MonkeyPatch, rank: str, address: str, what: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    variables = {"RANK": rank, "WORLD_SIZE": "2", "MASTER_ADDR": address, "MASTER_PORT": "1"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert app.run(["train", "--steps", "1"]) == 2
    assert capsys.readouterr().err == (
        f"microgpt: RANK={rank} and WORLD_SIZE=2 must come from a launcher such as torchrun; got "
        f"{what}. Try: unset RANK WORLD_SIZE, to train in one process.\n"
    )


def test_a_rank_that_the_others_do_not_meet_says_so(
    torch: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    monkeypatch.setattr("microgpt.engines.torch.ranks._MEETING", timedelta(seconds=0.5))
    variables = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert app.run(["train", "--steps", "1"]) == 2
    found = capsys.readouterr().err
    assert found.startswith("microgpt: a launcher must start all processes of a training; got RANK")
    assert found.count("\n") == 1


def test_a_rank_whose_launcher_has_ended_speaks_for_itself(
    torch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from microgpt.engines.torch import ranks

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    for name, value in {
        "TORCHELASTIC_USE_AGENT_STORE": "True", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    one = object.__new__(ranks.TorchRanks)
    one.rank, began = 1, time.monotonic()
    assert one.is_first_to_say()
    assert time.monotonic() - began < 30


def test_a_matrix_in_bfloat16_is_as_the_last_update_left_it(torch: Any) -> None:
    from microgpt.engines.torch.device import Device

    weight = torch.nn.Parameter(torch.ones(2, 2))
    with Device.of("cpu", "bfloat16", 1, deterministic=False).computing():
        before = torch.ones(1, 2) @ weight
        with torch.no_grad():
            weight.fill_(2.0)
        after = torch.ones(1, 2) @ weight
    assert before.tolist() == [[2.0, 2.0]]
    assert after.tolist() == [[4.0, 4.0]]


@pytest.mark.parametrize("most", [1, 100, 10_000])
@pytest.mark.parametrize("has_gradients", [True, False])
def test_every_rank_begins_the_sums_in_the_same_order(
    torch: Any, most: int, has_gradients: bool
) -> None:
    from microgpt.engines.torch.buckets import Buckets

    sizes = [3, 20, 5, 30]
    flat, begun = torch.zeros(sum(sizes)), []
    matrices = [torch.ones(n, requires_grad=True) for n in sizes]
    for matrix, part in zip(matrices, flat.split(sizes)):
        matrix.grad = part

    class Wait:
        def wait(self) -> None:
            pass

    def begin(x: Any) -> Wait:
        begun.append(x.numel())
        return Wait()

    buckets = Buckets(matrices, flat, begin, most)
    buckets.open()
    if has_gradients:  # the first matrix last, as in a model
        sum((m * (i + 1.0)).sum() for i, m in enumerate(matrices)).backward()
    nats = torch.zeros(7)
    buckets.wait(nats)
    assert begun == {1: [30, 5, 20, 3, 7], 100: [30, 25, 3, 7], 10_000: [58, 7]}[most]
    expected = np.repeat([1.0, 2.0, 3.0, 4.0] if has_gradients else [0.0] * 4, sizes)
    assert flat.tolist() == expected.tolist()


def launch(world: int, *words: str, folder: Path, extra: tuple[str, ...] = ()) -> Any:
    """Start `torchrun` with a command of Python's; its output goes into a file."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(world)]
    with (folder / "output.txt").open("wb") as output:
        return subprocess.Popen(
            [*command, *extra, *words],
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )


def said(folder: Path) -> str:
    return (folder / "output.txt").read_text(encoding="utf-8", errors="replace")


def numbers(run: Path) -> list[float]:
    """Return the losses of all lines of a log, those of evaluations too."""
    found = log.read(run)
    return [line["loss"] for line in found.lines] + [
        line["heldout"][name] for line in found.heldout for name in ("loss", "gpt")
        if name in line["heldout"]
    ]  # fmt: skip


@pytest.fixture(scope="module")
def alone(torch: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train all cases in one process."""
    folder = tmp_path_factory.mktemp("alone")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so short a training has learnt little
        for name, case in CASES.items():
            microgpt.train(TINY, out=str(folder / name), engine="torch", **{**SHAPE, **case})
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("world", [2, 4])
def test_any_number_of_ranks_has_the_losses_of_one(
    torch: Any, alone: Path, tmp_path: Path, world: int
) -> None:
    # On four ranks half of the cases, in turns: they share the processors of a small machine.
    tried = [
        (name, shard)
        for number, name in enumerate(CASES)
        for shard in (False, True)
        if world == 2 or shard == (number % 2 == 0)
    ]
    cases = [
        {"data": TINY, "out": str(tmp_path / f"{name}{shard}"), **SHAPE, **CASES[name]}
        | {"shard": shard}
        for name, shard in tried
    ]
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    script = str(Path(__file__).with_name("ranked.py"))
    process = launch(world, script, str(tmp_path / "cases.json"), folder=tmp_path)
    assert ended(process, tmp_path) == 0, said(tmp_path)
    for name, shard in tried:
        together = numbers(tmp_path / f"{name}{shard}")
        assert len(together) == len(numbers(alone / name)) > 12
        within = {"float32": 1e-4, "bfloat16, in parts": 1e-3}.get(name, 1e-9)
        np.testing.assert_allclose(together, numbers(alone / name), rtol=within, err_msg=name)


COMMAND = (
    "-m", "microgpt", "train", "names.txt", "--steps", "1200", "--n-embd", "16",
    "--batch-size", "4", "--log-every", "60", "--holdout", "0.2", "--precision", "float64",
)  # fmt: skip


@contextmanager
def training(
    folder: Path, *extra: str, words: tuple[str, ...] = COMMAND, world: int = 2
) -> Iterator[Any]:
    """Launch a training on a few names."""
    (folder / "names.txt").write_text(
        "".join(f"{name}{i % 9}\n" for i in range(9) for name in TINY)
    )
    process = launch(world, *words, folder=folder, extra=extra)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()


def ended(process: Any, folder: Path) -> int:
    """Return the exit code of a launcher."""
    try:
        return process.wait(240)
    except subprocess.TimeoutExpired:
        raise AssertionError(said(folder)) from None


def wait_for(holds: Callable[[], Any], process: Any, folder: Path) -> None:
    until = time.monotonic() + 90
    while not holds():
        assert process.poll() is None, said(folder)
        assert time.monotonic() < until, said(folder)
        time.sleep(0.02)


def lines(folder: Path) -> int:
    found = folder / "runs" / "names-1" / "log.jsonl"
    return len(found.read_bytes().splitlines()) if found.exists() else 0


def updates(folder: Path) -> int:
    """Return how many updates the newest checkpoint has."""
    found = folder / "runs" / "names-1" / "checkpoint.safetensors"
    return files.read_notes(found, lambda notes: notes["updates"]) if found.exists() else 0


def process_of(folder: Path, rank: int) -> int:
    """Return the process of a rank, which works in a folder."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if (place / "cwd").resolve() == folder.resolve():
                variables = (place / "environ").read_bytes().split(b"\0")
                if f"RANK={rank}".encode() in variables:
                    return int(place.name)
        except OSError:
            continue
    raise AssertionError(f"no rank {rank}")


@pytest.fixture(scope="module")
def undisturbed(torch: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    with training(folder) as process:
        assert ended(process, folder) == 0, said(folder)
    return folder / "runs" / "names-1"


@pytest.mark.slow
def test_one_rank_prints_and_writes_one_log(undisturbed: Path) -> None:
    output = said(undisturbed.parents[1])
    assert output.count("step 1200: loss") == 1
    assert ", 2 ranks" in output
    assert [line["step"] for line in log.read(undisturbed).lines] == [*range(60, 1201, 60)]
    assert sorted(path.name for path in undisturbed.parent.iterdir()) == ["names-1"]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").exists(), reason="the ranks' processes are found in /proc")
@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_is_killed_is_one_sentence_and_the_launcher_resumes(
    torch: Any, undisturbed: Path, tmp_path: Path, rank: int
) -> None:
    with training(tmp_path, "--max-restarts", "1") as process:
        wait_for(lambda: updates(tmp_path), process, tmp_path)
        os.kill(process_of(tmp_path, rank), signal.SIGKILL)
        assert ended(process, tmp_path) == 0, said(tmp_path)
    output = said(tmp_path)
    sentence = r"microgpt: a process of this training ended before the others; .* is whole\."
    assert len(re.findall(sentence, output)) == 1, output
    assert "Going on after step " in output
    # To the last bit: the same ranks add up in the same order.
    made = tmp_path / "runs" / "names-1" / "checkpoint.safetensors"
    assert made.read_bytes() == (undisturbed / "checkpoint.safetensors").read_bytes()
    assert numbers(tmp_path / "runs" / "names-1") == numbers(undisturbed)


@pytest.mark.slow
def test_ctrl_c_on_the_launcher_saves_and_another_number_of_ranks_resumes(
    torch: Any, undisturbed: Path, tmp_path: Path
) -> None:
    with training(tmp_path, world=3) as process:
        wait_for(lambda: lines(tmp_path) > 2, process, tmp_path)
        process.send_signal(signal.SIGINT)
        process.wait(60)
    output = said(tmp_path)
    assert output.count("and saved. Go on with: microgpt train --resume runs/names-1") == 1, output
    assert "KeyboardInterrupt" not in output
    resume = ("-m", "microgpt", "train", "--resume", "runs/names-1")
    with training(tmp_path, words=resume) as process:
        assert ended(process, tmp_path) == 0, said(tmp_path)
    # Later on rounding has grown: so small a model at this rate is chaotic.
    found = log.read(tmp_path / "runs" / "names-1").lines[:6]
    whole = log.read(undisturbed).lines[:6]
    assert [line["step"] for line in found] == [line["step"] for line in whole]
    losses = [[line["loss"] for line in some] for some in (found, whole)]
    np.testing.assert_allclose(*losses, rtol=1e-6)


@pytest.mark.slow
def test_a_launcher_that_is_stopped_while_they_read_has_the_first_step_saved(
    torch: Any, tmp_path: Path
) -> None:
    (tmp_path / "main.py").write_text(
        "import os, pathlib, time\n"
        "from microgpt.data import corpus\n"
        "read = corpus.read\n"
        "def slowly(source):\n"
        "    pathlib.Path('reads' + os.environ['RANK']).touch()\n"
        "    until = time.monotonic() + 3\n"
        "    while time.monotonic() < until:\n"
        "        time.sleep(0.05)\n"
        "    return read(source)\n"
        "corpus.read = slowly\n"
        "from microgpt.cli.app import main\n"
        "main()\n"
    )
    with training(tmp_path, words=("main.py", *COMMAND[2:])) as process:
        reads = [tmp_path / f"reads{rank}" for rank in range(2)]
        wait_for(lambda: all(path.exists() for path in reads), process, tmp_path)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    assert said(tmp_path).count("Stopped after step 1 and saved.") == 1, said(tmp_path)
    assert updates(tmp_path) == 1


@pytest.mark.slow
def test_a_mistake_is_said_once_and_nothing_is_written(torch: Any, tmp_path: Path) -> None:
    words = (*COMMAND, "--n-head", "3")
    with training(tmp_path, words=words) as process:
        assert process.wait(60) == 1
    assert said(tmp_path).count("microgpt: n_embd must be a multiple of n_head") == 1, said(
        tmp_path
    )
    assert not (tmp_path / "runs").exists()


@contextmanager
def two_hosts() -> Iterator[tuple[str, str]]:
    """Make two network namespaces with a cable between them: 10.77.0.1 and 10.77.0.2."""
    if not shutil.which("ip"):
        required("ip", "iproute2 is not installed")
    hosts = (f"microgpt-a-{os.getpid()}", f"microgpt-b-{os.getpid()}")
    made = subprocess.run(["ip", "netns", "add", hosts[0]], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"network namespaces cannot be made here: {made.stderr.strip()}")
    try:
        script = f"""
            ip netns add {hosts[1]}
            ip link add cable netns {hosts[0]} type veth peer name cable netns {hosts[1]}
            for n in 1 2; do
                host=$([ $n = 1 ] && echo {hosts[0]} || echo {hosts[1]})
                ip -n $host addr add 10.77.0.$n/24 dev cable
                ip -n $host link set cable up
                ip -n $host link set lo up
            done"""
        subprocess.run(["sh", "-ec", script], check=True)
        yield hosts
    finally:
        for host in hosts:
            subprocess.run(["ip", "netns", "del", host], capture_output=True)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")
def test_two_hosts_meet_and_train(torch: Any, tmp_path: Path) -> None:
    train = ("-m", "microgpt", "train", "names.txt", "--steps", "10", "--log-every", "5")
    words = [*train, "--n-embd", "16", "--batch-size", "4", "--out", str(tmp_path / "run")]
    (tmp_path / "names.txt").write_text("\n".join(TINY))
    launcher = [
        sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1",
        "--master-addr", "10.77.0.1", "--master-port", "29400",
    ]  # fmt: skip
    with two_hosts() as hosts:
        processes = []
        for rank, host in enumerate(hosts):
            place = tmp_path / host
            place.mkdir()
            (place / "names.txt").write_text("\n".join(TINY))
            with (place / "output.txt").open("wb") as output:
                processes.append(
                    subprocess.Popen(
                        ["ip", "netns", "exec", host, *launcher, "--node-rank", str(rank), *words],
                        cwd=place,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "cable"},
                    )
                )
        try:
            for process, host in zip(processes, hosts):
                assert process.wait(120) == 0, said(tmp_path / host)
        finally:
            for process in processes:
                process.kill()
    assert [line["step"] for line in log.read(tmp_path / "run").lines] == [5, 10]
    outputs = [said(tmp_path / host) for host in hosts]
    assert ", 2 ranks" in outputs[0]
    assert "step 10" in outputs[0]
    assert "step 10" not in outputs[1]


@pytest.mark.slow
def test_a_rank_with_other_documents_is_named(torch: Any, tmp_path: Path) -> None:
    for rank in range(2):
        (tmp_path / f"{rank}.txt").write_text("\n".join(TINY[rank:]))
    script = (
        "import os, microgpt\n"
        "from microgpt.cli.app import main\n"
        "main(['train', os.environ['RANK'] + '.txt', '--steps', '2', '--out', 'run'])\n"
    )
    (tmp_path / "main.py").write_text(script)
    process = launch(2, "main.py", folder=tmp_path)
    assert process.wait(60) == 1
    sentence = "all ranks must read the same data; rank 1 on "
    assert said(tmp_path).count(sentence) == 1, said(tmp_path)
    assert not (tmp_path / "run").exists()
