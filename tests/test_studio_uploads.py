"""Files dropped on the studio's page: what is said of them, and what never reaches the disk."""

from __future__ import annotations

import asyncio
import errno
import gzip
import io
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from microgpt.data import corpus
from microgpt.data.corpus import Source
from microgpt.errors import DataError, MicroGPTError
from microgpt.studio import uploads as module
from microgpt.studio.guard import LIMITS
from microgpt.studio.server import Server
from microgpt.studio.uploads import KEPT, ReadAs, Uploads, suffix

from .studios import Answer, ask, request, serving, until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("runs")) as served:
        yield served


@pytest.fixture
def kept() -> Iterator[Uploads]:
    made = Uploads()
    yield made
    made.close()


def upload(server: Server, data: bytes, name: str = "names.txt", **headers: Any) -> Answer:
    return request(server, f"/api/upload?name={quote(name)}", data, **headers)


def dropped(server: Server, data: bytes, name: str = "names.txt", **read_as: Any) -> Any:
    """Upload a file, and return what is said of it."""
    return ask(server, "/api/look", id=upload(server, data, name).json()["id"], read_as=read_as)


def refused(server: Server, data: bytes, name: str = "names.txt", **read_as: Any) -> str:
    """Upload a file that cannot be read, and return the sentence."""
    question = {"id": upload(server, data, name).json()["id"], "read_as": read_as}
    answer = request(server, "/api/look", json.dumps(question).encode())
    assert answer.status == 400, answer.body
    return str(answer.json()["error"])


def received(kept: Uploads, data: bytes, name: str = "names.txt", at_once: int = 1000) -> Any:
    async def chunks() -> AsyncIterator[bytes]:
        for first in range(0, len(data), at_once):
            yield data[first : first + at_once]

    return asyncio.run(kept.receive(chunks(), name))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def on_disk(server: Server) -> list[str]:
    return names(server.uploads.folder)


JSON = b'{"n": 1, "word": "emma"}\n{"n": 2, "word": "ava"}\n'

FILES: dict[str, tuple[bytes, str, dict[str, Any]]] = {
    "plain": (b"emma\nava\n\nzo\xc3\xab\n", "a.txt", {"documents": 3, "blank": 1, "form": "text"}),
    "crlf": (b"emma\r\nava\r\n", "a.txt", {"documents": 2, "first": ["emma", "ava"]}),
    "no suffix": (b"emma\nava", "names", {"documents": 2, "name": "names", "size": 8}),
    "one column": (b"name\nemma\n", "a.csv", {"columns": ["name"], "column": "name"}),
    "two columns": (b"id,name\n1,emma\n2,ava\n", "a.csv", {"column": "name", "documents": 2}),
    "tabs": (b"id\tname\n1\temma\n", "a.tsv", {"columns": ["id", "name"], "column": "name"}),
    "semicolons": (b"id;name\n1;emma\n2;ava\n", "a.csv", {"column": "name", "documents": 2}),
    "lines of JSON": (JSON, "a.jsonl", {"columns": ["word"], "column": "word", "documents": 2}),
    "JSON": (b'["emma", "ava"]', "a.json", {"columns": [], "documents": 2}),
    "gzip": (gzip.compress(b"emma\nava\n"), "a.txt.gz", {"documents": 2, "characters": 7}),
    "gzip table": (gzip.compress(b"id,name\n1,emma\n"), "a.csv.gz", {"column": "name"}),
    "broken row": (b"a,b\nx,y\nz\n" + 9 * b"x,y\n", "a.csv", {"broken": 1, "documents": 10}),
}  # fmt: skip


@pytest.mark.parametrize("what", FILES)
def test_a_file_is_what_the_reader_says(server: Server, what: str, tmp_path: Path) -> None:
    data, name, expected = FILES[what]
    found = dropped(server, data, name)
    assert {key: found[key] for key in expected} == expected
    (tmp_path / name).write_bytes(data)
    of_json = found["form"] != "csv"
    asked = {"field" if of_json else "column": found["column"]}
    read = corpus.read(Source(files=(str(tmp_path / name),), **asked))
    assert (found["documents"], found["blank"]) == (len(read.documents), read.blank)
    assert (found["characters"], found["broken"]) == (read.characters, read.broken)
    assert found["notes"] == [note.replace(str(tmp_path / name), name) for note in read.notes]


@pytest.mark.parametrize(
    ("data", "name", "read_as", "sentence"),
    [
        (b"", "a.txt", {}, "a.txt: no documents. Expected text, one document a line."),
        (b" \n\n", "a.txt", {}, "a.txt: no documents but blank ones (2)."),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "a.png", {}, "a.png: a PNG picture"),
        (bytes(range(256)) * 99, "a.bin", {}, "a.bin: "),
        (b"\x1f\x8b\x08damaged", "a.gz", {}, "a.gz: damaged gzip data"),
        (b"id,name\n1,emma\n", "a.csv", {"column": "nme"}, 'a.csv: no column "nme".'),
        (b"a\n", "a.txt", {"encoding": "nonsense"}, "nonsense"),
        (b"a\n", "a.csv", {"delimiter": "long"}, "delimiter must be one character"),
        (b'{"n": 1}\n', "a.jsonl", {}, 'no field "text" but n.'),
        (b"not JSON", "<b>a</b>.json", {}, "<b>a</b>.json: "),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_a_sentence_without_our_paths(
    server: Server, data: bytes, name: str, read_as: dict[str, str], sentence: str
) -> None:
    said = refused(server, data, name, **read_as)
    assert sentence in said
    assert str(server.uploads.folder) not in said


def test_the_corpus_is_that_of_the_file(kept: Uploads, tmp_path: Path) -> None:
    data = b"id,name\n1,emma\n2,ava\n,\n"
    (tmp_path / "a.csv").write_bytes(data)
    expected = corpus.read(Source(files=(str(tmp_path / "a.csv"),), column="name"))
    made = received(kept, data, "a.csv", at_once=5)
    found = kept.corpus(made.id, ReadAs(column="name"))
    assert found.fingerprint == expected.fingerprint
    assert (found.blank, kept.path(made.id).read_bytes()) == (1, data)
    with pytest.raises(DataError, match=r"^a.csv: has columns id, name\."):
        kept.corpus(made.id)


def test_a_name_never_becomes_a_path(server: Server) -> None:
    tried = [
        "../../evil.txt", "/etc/passwd", "..\\x.csv", "a\x00b", "", "x" * 3000, "ü\n.txt", ".",
        "\ud800",
    ]  # fmt: skip
    before = on_disk(server)
    for name in tried:
        answer = request(
            server, f"/api/upload?name={quote(name.encode('utf-8', 'replace'))}", b"emma"
        )
        assert answer.status == 200
        assert len(answer.json()["id"]) == 32
        assert len(answer.json()["name"]) <= 60 * 6
    new = sorted(set(on_disk(server)) - set(before))
    assert all(Path(file).stem.removesuffix(".txt").isalnum() for file in new)
    assert len(on_disk(server)) <= KEPT
    assert not (server.uploads.folder.parent / "evil.txt").exists()
    assert suffix("x/../.csv") == ".txt"


@pytest.mark.parametrize(
    "key", ["", "0" * 32, "../x", "../../etc/passwd", "/etc/passwd", "..%2f..%2fetc%2fpasswd", "."]
)
def test_an_id_is_looked_up_and_never_joined(server: Server, key: str) -> None:
    answer = request(server, "/api/look", json.dumps({"id": key}).encode())
    assert answer.status == 400
    assert "not here any more" in answer.json()["error"]


def test_a_file_that_somebody_removed_is_asked_for_again(kept: Uploads) -> None:
    made = received(kept, b"emma\n")
    kept.path(made.id).unlink()
    with pytest.raises(DataError, match="Drop it on the page again"):
        kept.path(made.id)


def test_the_oldest_files_go_first(kept: Uploads) -> None:
    first, *others = [received(kept, b"emma\n") for _ in range(KEPT)]
    kept.path(first.id)  # used again
    received(kept, b"ava\n")
    assert kept.path(first.id).read_bytes() == b"emma\n"
    with pytest.raises(DataError):
        kept.path(others[0].id)
    assert len(names(kept.folder)) == KEPT


BAD = {
    "host": ["evil.example", "127.0.0.1", None],
    "origin": ["null", "http://evil.example", None],
    "cookie": [None, "microgpt-{port}=guess"],
    "sec_fetch_site": ["cross-site"],
    "content_length": [str(LIMITS[b"/api/upload"] + 1), "-1", "x", "1e3"],
}


def test_a_foreign_upload_never_reaches_the_disk(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: list[Any] = []

    async def receive(*words: Any) -> None:
        reached.append(words)

    monkeypatch.setattr(server.uploads, "receive", receive)
    before = on_disk(server)
    for header, values in BAD.items():
        for value in values:
            changed: dict[str, Any] = {header: value and value.format(port=server.port)}
            assert 400 <= upload(server, b"emma", **changed).status < 500, (header, value)
    for path in ("/api/upload/", "/api/upload%2f", "/API/upload", "/api//upload", "/api/./upload"):
        assert request(server, path, b"emma").status != 200
    for method in ("PUT", "GET", "DELETE", "OPTIONS"):
        assert upload(server, b"emma", method=method).status in (400, 405)
    assert (reached, on_disk(server)) == ([], before)


def test_the_large_limit_is_the_uploads_alone(server: Server) -> None:
    large = {"content_length": "400000000"}
    for path in ("/api/look", "/api/price", "/api/upload/", "/api/upload/x", "/api/uploads"):
        assert request(server, path, b"{}", **large).status == 413, path
    assert upload(server, 3_000_000 * b"x\n").status == 200


def head(server: Server, length: str) -> bytes:
    """The head of an upload whose body is sent by hand."""
    return (
        f"POST /api/upload?name=a.txt HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\n"
        f"{length}\r\nconnection: close\r\norigin: http://127.0.0.1:{server.port}\r\n"
        f"cookie: {server.keys.name}={server.keys.cookie}\r\n\r\n"
    ).encode()


def test_an_upload_that_breaks_off_leaves_nothing(server: Server) -> None:
    before = on_disk(server)
    for length, ending in itertools.product(
        ("content-length: 999", "transfer-encoding: chunked"), (b"", b"nonsense\r\n\r\n\x00")
    ):
        with socket.create_connection(("127.0.0.1", server.port)) as made:
            made.sendall(head(server, length) + b"4\r\nemma\r\n")
            until(lambda: len(on_disk(server)) == len(before) + 1)
            made.sendall(ending)
        until(lambda: on_disk(server) == before)
    assert ask(server, "/api/runs") == {"runs": []}


def test_a_slow_upload_keeps_nobody_waiting_and_arrives(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as made:
        made.sendall(head(server, "content-length: 9"))
        for byte in b"emma\nava":
            made.sendall(bytes([byte]))
            assert ask(server, "/api/runs") == {"runs": []}
        made.sendall(b"\n")
        answer = Answer(b"".join(iter(lambda: made.recv(1 << 16), b"")))
    assert ask(server, "/api/look", id=answer.json()["id"])["documents"] == 2


def test_an_upload_that_grows_past_its_limit_leaves_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LIMITS, b"/api/upload", 100_000)
    before = on_disk(server)
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as made:
        made.sendall(head(server, "transfer-encoding: chunked") + 4 * chunk)
        assert Answer(made.recv(1 << 16)).status == 413
    until(lambda: on_disk(server) == before)


class FullDisk(io.FileIO):
    """A file that has room for a thousand bytes."""

    def write(self, data: Any, /) -> int:
        if self.tell() >= 1000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data[: 1000 - self.tell()])


def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    kept: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(path: Path, mode: str, **_: Any) -> FullDisk:
        return FullDisk(path, mode)

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(MicroGPTError, match=r"^the file cannot be kept: No space left .* TMPDIR"):
        received(kept, 5000 * b"x")
    assert names(kept.folder) == []
    assert received(kept, 900 * b"x").size == 900


def test_what_unpacks_to_too_much_is_refused(
    kept: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UNPACKED", 5_000_000)
    monkeypatch.setattr(module, "_AT_ONCE", 1000)
    assert received(kept, gzip.compress(bytes(5_000_000))).name == "names.txt"
    with pytest.raises(DataError, match=r"^x.gz: more than 5,000,000 bytes when unpacked"):
        received(kept, gzip.compress(bytes(5_000_001)), "x.gz")
    assert len(names(kept.folder)) == 1


def test_the_files_go_when_the_server_ends(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        dropped(server, b"emma\n")
        folder = server.uploads.folder
        assert len(names(folder)) == 1
        if os.name == "posix":
            assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="there is no SIGTERM")
def test_a_server_that_is_killed_removes_them_too(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path\n"
        "from microgpt.studio.library import Library\n"
        "from microgpt.studio.server import Server\n"
        "server = Server(Library(Path('.')), 0)\n"
        "print(server.uploads.folder, flush=True)\n"
        "import threading, os, signal, time\n"
        "def kill():\n"
        "    while not server._uvicorn.started: time.sleep(0.01)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "threading.Thread(target=kill).start()\n"
        "server.run()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 128 + signal.SIGTERM
    assert not Path(done.stdout.strip()).exists()
