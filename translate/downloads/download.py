"""Files from the web: resumed, checked, and there only when they are whole. The standard library is enough for it."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import socket
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import IO, BinaryIO

from translate._version import __version__
from translate.downloads.archives import disk_trouble, extract, readable_size
from translate.errors import UserError

if sys.platform != "win32":
    import fcntl

__all__ = ["Progress", "download", "extract"]

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there, and the bytes there will be, where the server tells."""

CHUNK = 1 << 20
TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as dead."""
ATTEMPTS = 6
"""Connections in a row that may bring nothing before we give up; each one that brings bytes starts the count again."""
PAUSE = 1.0
"""Seconds before the second attempt; doubled before each further one."""


def download(
    url: str, path: Path, *, max_bytes: int, sha256: str | None = None, progress: Progress | None = None
) -> Path:
    """Fetch a file; it appears under its name only when it is whole and has the right checksum.

    Bytes are collected in PATH.part, and a later call goes on from there where the server allows it (RFC 9110, Range
    and If-Range: a file that changed meanwhile is begun again). Broken connections and errors of the server (5xx) are
    tried again, with growing pauses.

    Args:
        url: http or https.
        path: the file to make. One that is already there is taken as it is, if the checksum is right or unknown.
        max_bytes: a larger file is refused, as soon as the server announces its size or sends more.
        sha256: the expected checksum, in hexadecimal.
        progress: called after every megabyte.
    Returns:
        `path`.
    Raises:
        UserError: the server cannot be reached or has no such file, the file is too large or has another checksum (it
            is deleted), the disk is full, or another process is downloading it.
    """
    path = Path(path)
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise UserError(f"{url} is no web address; it should begin with https://.")
    if path.exists():
        _check(path, sha256, url)
        return path
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as file, _only_one(file, path):
            try:
                _fetch(url, path, file, max_bytes, sha256, progress)
            except BaseException:
                if file.tell() == 0:
                    part.unlink()  # nothing has come
                raise
            file.flush()
            os.fsync(file.fileno())
        _tag_file(part).unlink(missing_ok=True)
        _check(part, sha256, url)
        part.replace(path)
    except _RefusedError as error:
        part.unlink(missing_ok=True)
        _tag_file(part).unlink(missing_ok=True)
        raise UserError(str(error)) from error.__cause__
    except OSError as error:
        raise UserError(disk_trouble(error, path)) from error
    return path


class _RefusedError(Exception):
    """There is no use in keeping what has been fetched so far."""


class _DroppedError(Exception):
    """The connection broke; trying again may help."""


class _WebOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https, and none from https back to http."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        scheme = urllib.parse.urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme == "http"):
            raise urllib.error.URLError(f"it redirects to {newurl}, which is not safe")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetch(url: str, path: Path, file: BinaryIO, max_bytes: int, sha256: str | None, progress: Progress | None) -> None:
    """Fill `file`, the open .part, over as many connections as it takes."""
    failures = 0
    while True:
        before = file.tell()
        try:
            return _one_connection(url, path, file, max_bytes, sha256 is not None, progress)
        except _DroppedError as error:
            failures = 0 if file.tell() > before else failures + 1
            if failures >= ATTEMPTS:
                host = urllib.parse.urlsplit(url).netloc
                raise UserError(
                    f"Cannot reach {host}: {error}; check the connection and try again (what has arrived is kept), "
                    f"or put the file at {path} yourself."
                ) from error
            time.sleep(PAUSE * 2 ** max(failures - 1, 0))


def _one_connection(
    url: str, path: Path, file: BinaryIO, max_bytes: int, verified: bool, progress: Progress | None
) -> None:
    """Ask for what is missing and append it. Raises _DroppedError, _RefusedError or UserError."""
    tag_file = _tag_file(Path(file.name))
    tag = _read_tag(tag_file, url)
    have = file.tell()
    if have and not tag and not verified:
        have = _restart(file)  # without validator and checksum nothing shows whether the rest belongs to it
    request = urllib.request.Request(
        url, headers={"User-Agent": f"translate/{__version__}", "Accept-Encoding": "identity"}
    )
    if have:
        request.add_header("Range", f"bytes={have}-")
        if tag:
            request.add_header("If-Range", tag)
    with _connect(request, path) as response:
        if response.status == 416:  # the range begins at the file's end, or behind it
            if (response.headers.get("Content-Range") or "").endswith(f"*/{have}"):
                return
            _restart(file)
            raise _DroppedError("the file there has changed")
        if response.status != 206 or not (response.headers.get("Content-Range") or "").startswith(f"bytes {have}-"):
            have = _restart(file)
        length = response.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else None
        if (total or 0) > max_bytes:
            raise _RefusedError(
                f"{url} is too large: {readable_size(total or 0)}, and at most {readable_size(max_bytes)} are allowed."
            )
        _make_sure_of_room(path, total, have)
        _write_tag(tag_file, url, response.headers)
        while True:
            try:
                chunk = response.read(CHUNK)
            except (OSError, http.client.HTTPException) as error:
                raise _DroppedError(_reason(error)) from error
            if not chunk:
                break
            have += len(chunk)
            if have > max_bytes:
                raise _RefusedError(
                    f"{url} is too large: more than the {readable_size(max_bytes)} that are allowed here."
                )
            file.write(chunk)
            if progress:
                progress(have, total)
    file.flush()
    if total is not None and have < total:
        raise _DroppedError("the connection broke off")


@contextmanager
def _connect(
    request: urllib.request.Request, path: Path
) -> Iterator[http.client.HTTPResponse | urllib.error.HTTPError]:
    """Open a connection. Its failures become _DroppedError where trying again may help, and else UserError."""
    host = urllib.parse.urlsplit(request.full_url).netloc
    by_hand = f"or put the file at {path} yourself"
    try:
        response = urllib.request.build_opener(_WebOnly).open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and request.has_header("Range"):
            yield error
            return
        if error.code >= 500 or error.code in (408, 429):
            raise _DroppedError(f"it answers {error.code} {error.reason}") from error
        if error.code in (404, 410):
            raise UserError(f"{host} has no file {request.full_url}; look for it elsewhere, {by_hand}.") from error
        raise UserError(f"{host} refuses {request.full_url}: {error.code} {error.reason}; {by_hand[3:]}.") from error
    except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(cause, (TimeoutError, ConnectionResetError, ConnectionAbortedError, http.client.HTTPException)):
            raise _DroppedError(_reason(cause)) from error
        raise UserError(f"Cannot reach {host}: {_reason(cause)}; check the connection, {by_hand}.") from error
    with response:
        yield response


def _restart(file: BinaryIO) -> int:
    file.seek(0)
    file.truncate()
    return 0


def _tag_file(part: Path) -> Path:
    """Where the validator (ETag or Last-Modified) of a .part is kept."""
    return part.with_name(part.name.removesuffix(".part") + ".tag.part")


def _read_tag(tag_file: Path, url: str) -> str | None:
    try:
        kept = json.loads(tag_file.read_text(encoding="utf-8"))
        return kept["tag"] if kept["url"] == url and isinstance(kept["tag"], str) else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _write_tag(tag_file: Path, url: str, headers: Message) -> None:
    etag = headers.get("ETag") or ""
    tag = etag if etag and not etag.startswith("W/") else headers.get("Last-Modified")  # If-Range takes no weak ETag
    if tag:
        tag_file.write_text(json.dumps({"url": url, "tag": tag}), encoding="utf-8")
    else:
        tag_file.unlink(missing_ok=True)


@contextmanager
def _only_one(file: BinaryIO, path: Path) -> Iterator[None]:
    """Keep a second process from writing into the same .part. (Windows itself refuses to rename an open file.)"""
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"{path.name} is being downloaded already; wait until that is done.") from error
    yield


def _check(path: Path, sha256: str | None, url: str) -> None:
    """Raise UserError, and delete a .part, if a file has another checksum."""
    if sha256 is None:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found == sha256.lower():
        return
    if path.suffix == ".part":
        path.unlink()
        raise UserError(
            f"What {url} sent has the checksum {found}, and {sha256.lower()} is expected; it was deleted. Try again, "
            "and if that does not help, the file there was replaced."
        )
    raise UserError(f"{path} has the checksum {found}, and {sha256.lower()} is expected; delete it and try again.")


def _make_sure_of_room(path: Path, total: int | None, have: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if total is not None and total - have > free:
        raise UserError(
            f"The disk of {path.parent} is too full for {path.name}: {readable_size(total - have)} are needed, "
            f"{readable_size(free)} are free; make room and try again."
        )


def _reason(error: object) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid ({error.verify_message})"
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT:g} seconds"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[:1].lower() + error.strerror[1:]
    return str(error) or type(error).__name__
