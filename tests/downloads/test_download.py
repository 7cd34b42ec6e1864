"""Downloads against a server on this machine, which breaks off, lies, forgets and refuses as asked."""

from __future__ import annotations

import hashlib
import random
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from translate.downloads import download as module
from translate.downloads.download import download
from translate.errors import UserError

CONTENT = random.Random(0).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `files`; the other attributes say how badly."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {"/file.zip": CONTENT}
        self.ranges = True
        self.validators = {"ETag": '"one"'}
        self.length = True
        self.drops: list[int] = []
        """Bytes after which each of the next connections breaks off."""
        self.statuses: list[int] = []
        """Errors that the next requests get."""
        self.requests: list[dict[str, str]] = []
        self.redirects: dict[str, str] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        server.requests.append(dict(self.headers))
        if self.path in server.redirects:
            self.send_response(302)
            self.send_header("Location", server.redirects[self.path])
            self.end_headers()
            return
        content = server.files.get(self.path)
        if server.statuses or content is None:
            self.send_error(server.statuses.pop(0) if server.statuses else 404)
            return
        start = 0
        wanted = self.headers.get("Range", "")
        same = self.headers.get("If-Range", next(iter(server.validators.values()), None)) in server.validators.values()
        if server.ranges and wanted and (same or "If-Range" not in self.headers):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        if server.length:
            self.send_header("Content-Length", str(len(content) - start))
        for name, value in server.validators.items():
            self.send_header(name, value)
        self.end_headers()
        body = content[start:]
        if server.drops:
            body = body[: server.drops.pop(0)]
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(module, "PAUSE", 0.0)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def fetch(server: Server, path: Path, *, max_bytes: int = 1_000_000, sha256: str | None = None) -> Path:
    return download(f"{server.address}/file.zip", path, max_bytes=max_bytes, sha256=sha256)


def starts(server: Server) -> list[str | None]:
    return [headers.get("Range") for headers in server.requests]


def test_a_file_arrives_whole_and_alone(server: Server, tmp_path: Path) -> None:
    calls: list[tuple[int, int | None]] = []
    path = tmp_path / "new" / "file.zip"
    url = f"{server.address}/file.zip"
    assert download(url, path, max_bytes=300_000, sha256=SHA256, progress=lambda *call: calls.append(call)) == path
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]
    assert calls[-1] == (300_000, 300_000)


def test_progress_works_without_a_known_length(server: Server, tmp_path: Path) -> None:
    server.length = False
    calls: list[tuple[int, int | None]] = []
    url = f"{server.address}/file.zip"
    download(url, tmp_path / "file.zip", max_bytes=300_000, progress=lambda *call: calls.append(call))
    assert calls[-1] == (300_000, None)


def test_a_file_that_is_there_is_not_fetched(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "file.zip"
    path.write_bytes(CONTENT)
    fetch(server, path, sha256=SHA256.upper())
    assert server.requests == []
    with pytest.raises(UserError, match=r"file\.zip has the checksum .* delete it"):
        fetch(server, path, sha256="0" * 64)
    assert path.exists(), "somebody put it there; it is theirs to delete"


def test_a_broken_connection_is_resumed_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.drops = [100_000, 50_000]
    path = fetch(server, tmp_path / "file.zip", sha256=SHA256)
    assert path.read_bytes() == CONTENT
    assert starts(server) == [None, "bytes=100000-", "bytes=150000-"]
    assert server.requests[1]["If-Range"] == '"one"'


def test_a_later_call_goes_on_from_the_part(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    server.drops = [100_000, 0]
    with pytest.raises(UserError, match=r"Cannot reach 127.*broke off.*what has arrived is kept"):
        fetch(server, tmp_path / "file.zip")
    assert (tmp_path / "file.zip.part").read_bytes() == CONTENT[:100_000]
    assert not (tmp_path / "file.zip").exists()
    server.requests.clear()
    assert fetch(server, tmp_path / "file.zip").read_bytes() == CONTENT
    assert starts(server) == ["bytes=100000-"]
    assert [path.name for path in tmp_path.iterdir()] == ["file.zip"]


def test_a_server_without_ranges_starts_again(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    server.drops = [100_000]
    assert fetch(server, tmp_path / "file.zip").read_bytes() == CONTENT
    assert starts(server) == [None, "bytes=100000-"]


@pytest.mark.parametrize("validators", [{}, {"ETag": 'W/"weak"'}])
def test_without_validator_or_checksum_the_rest_is_not_trusted(
    server: Server, tmp_path: Path, validators: dict[str, str]
) -> None:
    server.validators = validators
    server.drops = [100_000]
    assert fetch(server, tmp_path / "file.zip").read_bytes() == CONTENT
    assert starts(server) == [None, None]


def test_a_checksum_is_as_good_as_a_validator(server: Server, tmp_path: Path) -> None:
    server.validators = {}
    server.drops = [100_000]
    assert fetch(server, tmp_path / "file.zip", sha256=SHA256).read_bytes() == CONTENT
    assert starts(server) == [None, "bytes=100000-"]


@pytest.mark.parametrize("validator", ["ETag", "Last-Modified"])
def test_a_file_that_changed_meanwhile_is_begun_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, validator: str
) -> None:
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    server.validators = {validator: '"one"'}
    server.drops = [100_000, 0]
    with pytest.raises(UserError):
        fetch(server, tmp_path / "file.zip")
    server.validators = {validator: '"two"'}
    server.files["/file.zip"] = changed = CONTENT[::-1]
    assert fetch(server, tmp_path / "file.zip").read_bytes() == changed


def test_the_beginning_of_another_file_is_not_gone_on_with(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    server.drops = [100_000, 0]
    with pytest.raises(UserError):
        fetch(server, tmp_path / "file.zip")
    server.files["/other.zip"] = other = CONTENT[::-1]
    url = f"{server.address}/other.zip"
    assert download(url, tmp_path / "file.zip", max_bytes=1_000_000).read_bytes() == other


def test_a_part_that_is_whole_already_is_taken(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.zip.part").write_bytes(CONTENT)
    assert fetch(server, tmp_path / "file.zip", sha256=SHA256).read_bytes() == CONTENT
    assert starts(server) == ["bytes=300000-"]


def test_a_part_longer_than_the_file_is_begun_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.zip.part").write_bytes(CONTENT + b"more")
    assert fetch(server, tmp_path / "file.zip", sha256=SHA256).read_bytes() == CONTENT


def test_a_wrong_checksum_deletes_what_came(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"checksum {SHA256}, and {'0' * 64} is expected; it was deleted"):
        fetch(server, tmp_path / "file.zip", sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("length", "found"), [(True, r"0\.3 MB, and at most"), (False, "more than the")])
def test_a_file_too_large_is_refused_and_not_kept(server: Server, tmp_path: Path, length: bool, found: str) -> None:
    server.length = length  # announced: refused before a byte of it is read
    with pytest.raises(UserError, match=rf"file\.zip is too large: {found} (the )?0\.2 MB"):
        fetch(server, tmp_path / "file.zip", max_bytes=200_000)
    assert list(tmp_path.iterdir()) == []


def test_errors_of_the_server_are_tried_again(server: Server, tmp_path: Path) -> None:
    server.statuses = [503, 500, 429]
    assert fetch(server, tmp_path / "file.zip").read_bytes() == CONTENT
    assert len(server.requests) == 4


def test_a_server_that_stays_broken_is_given_up(server: Server, tmp_path: Path) -> None:
    server.statuses = [503] * 100
    with pytest.raises(UserError, match=r"Cannot reach 127.*503.*put the file at .*file\.zip yourself"):
        fetch(server, tmp_path / "file.zip")
    assert len(server.requests) == module.ATTEMPTS
    assert list(tmp_path.iterdir()) == []


def test_pauses_grow(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(module, "PAUSE", 1.0)
    monkeypatch.setattr(time, "sleep", pauses.append)
    server.statuses = [503] * 4
    fetch(server, tmp_path / "file.zip")
    assert pauses == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize(("status", "complaint"), [(404, "has no file"), (410, "has no file"), (403, "refuses .* 403")])
def test_a_refusal_is_final(server: Server, tmp_path: Path, status: int, complaint: str) -> None:
    server.statuses = [status]
    with pytest.raises(UserError, match=complaint) as caught:
        fetch(server, tmp_path / "file.zip")
    assert f"{server.address}/file.zip" in str(caught.value)
    assert len(server.requests) == 1
    assert list(tmp_path.iterdir()) == []


def test_nobody_listening_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/file.zip"
        with pytest.raises(UserError) as caught:
            download(url, tmp_path / "file.zip", max_bytes=1)
    host = url.split("/")[2]
    assert str(caught.value) == (
        f"Cannot reach {host}: connection refused; check the connection, or put the file at "
        f"{tmp_path / 'file.zip'} yourself."
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/file", "file.zip"])
def test_other_than_web_addresses_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(UserError, match="no web address"):
        download(url, tmp_path / "file.zip", max_bytes=1000)


def test_redirects_are_followed_on_the_web_alone(server: Server, tmp_path: Path) -> None:
    server.redirects = {"/moved": "/file.zip", "/out": "ftp://127.0.0.1/file.zip"}
    assert download(f"{server.address}/moved", tmp_path / "one", max_bytes=1_000_000).read_bytes() == CONTENT
    with pytest.raises(UserError, match=r"redirects to ftp://127\.0\.0\.1/file\.zip, which is not safe"):
        download(f"{server.address}/out", tmp_path / "two", max_bytes=1_000_000)


def test_two_processes_do_not_mix_their_bytes(server: Server, tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl", reason="Windows refuses by itself")
    with (tmp_path / "file.zip.part").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(UserError, match=r"file\.zip is being downloaded already"):
            fetch(server, tmp_path / "file.zip")
    assert fetch(server, tmp_path / "file.zip").read_bytes() == CONTENT


def test_a_full_disk_is_noticed_before_it_is_full(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100_000))
    with pytest.raises(UserError, match=r"too full for file\.zip: 0\.3 MB are needed, 0\.1 MB are free"):
        fetch(server, tmp_path / "file.zip")


def test_a_folder_that_cannot_be_made_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"Cannot write .*file/file\.zip"):
        fetch(server, tmp_path / "file" / "file.zip")
