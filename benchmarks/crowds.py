"""A studio in a process of its own, and crowds of users who come to it at once, for `studio.py` beside this."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import psutil
from PIL import Image

LARGE = (3000, 2000)
PATIENCE = 180.0
"""Seconds after which something has failed."""


@dataclass(frozen=True)
class Studio:
    """A studio that serves its first page."""

    url: str
    process: psutil.Process
    begun: float  # when its process was started, on `time.perf_counter`
    served: float  # seconds until it answered


@dataclass(frozen=True)
class Crowd:
    """A round of users at once."""

    waited: list[float]  # seconds of each who was served
    failed: list[str]  # what the others were told
    before: int  # bytes that the server held
    peak: int
    after: int


@contextlib.contextmanager
def studio(folder: Path) -> Iterator[Studio]:
    """`translate studio` at a free port, with `folder` for whatever it keeps, closed afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"TRANSLATE_HOME": str(folder / "home"), "TMPDIR": str(folder)}
    environment.pop("GRADIO_TEMP_DIR", None)
    command = [sys.executable, "-m", "translate", "studio", "--port", str(port), "--runs", str(folder / "runs")]
    url = f"http://127.0.0.1:{port}/"
    begun = time.perf_counter()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
    try:
        while not _listens(port):
            if process.poll() is not None or time.perf_counter() - begun > PATIENCE:
                raise RuntimeError(f"The studio did not open: {(folder / 'log').read_text()}")
            time.sleep(0.01)
        httpx.get(url, timeout=PATIENCE).raise_for_status()
        yield Studio(url, psutil.Process(process.pid), begun, time.perf_counter() - begun)
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    """Asked by a bare connection: HTTP clients take so much of a processor that the studio would start later."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
    except ConnectionError:
        return False
    return True


def visit(url: str, photo: bytes, size: tuple[int, int], checkpoint: str, ready: threading.Barrier) -> float:
    """One user of a crowd: upload, ask, wait, download. Gives seconds; raises whatever went wrong."""
    with httpx.Client(base_url=f"{url}gradio_api", timeout=PATIENCE) as client:
        ready.wait()
        begun = time.perf_counter()
        sent = client.post("/upload", files={"files": ("photo.jpg", photo)}).raise_for_status().json()[0]
        image = {"path": sent, "orig_name": "photo.jpg", "meta": {"_type": "gradio.FileData"}}
        asked = client.post("/call/translate", json={"data": [image, checkpoint, ""]}).raise_for_status().json()
        answer = client.get(f"/call/translate/{asked['event_id']}").raise_for_status().text
        if "event: complete" not in answer:
            raise RuntimeError(answer.strip().splitlines()[-1])
        address = answer.split('"url": "')[1].split('"')[0]
        made = client.get(address).raise_for_status().content
        waited = time.perf_counter() - begun
    with Image.open(io.BytesIO(made)) as picture:
        picture.load()
        if (picture.format, picture.size) != ("PNG", size):
            raise RuntimeError(f"a {picture.format} of {picture.size} came back, not a PNG of {size}")
    return waited


def crowd(at: Studio, photos: Sequence[tuple[bytes, tuple[int, int]]], checkpoint: str) -> Crowd:
    """Users with a photo each, all at once."""
    ready, over = threading.Barrier(len(photos)), threading.Event()
    held = [at.process.memory_info().rss]

    def look() -> None:
        while not over.wait(0.02):
            held.append(at.process.memory_info().rss)

    watcher = threading.Thread(target=look)
    watcher.start()
    waited, failed = [], []
    with ThreadPoolExecutor(len(photos)) as pool:
        users = [pool.submit(visit, at.url, photo, size, checkpoint, ready) for photo, size in photos]
        for user in users:
            try:
                waited.append(user.result())
            except Exception as error:
                failed.append(str(error))
    time.sleep(1)
    over.set()
    watcher.join()
    return Crowd(waited, failed, held[0], max(held), held[-1])


def photograph(seed: int, size: tuple[int, int]) -> bytes:
    """A JPEG with detail at several scales, as photographs have it, different for every seed."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", size)
    for number, cells in enumerate((4, 16, 64), start=1):
        noise = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        image = Image.blend(image, noise.resize(size, Image.Resampling.BICUBIC), 1 / number)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=92)
    return file.getvalue()


def mixture(users: int) -> list[tuple[int, int]]:
    """Sizes as a crowd has them: phones, screenshots, thumbnails, and one in seven of LARGE."""
    sizes = [LARGE, (512, 512), (1024, 768), (640, 480), (300, 400), (1600, 1200), (256, 256)]
    return [sizes[number % len(sizes)] for number in range(users)]
