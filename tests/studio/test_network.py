"""One network at a time, whichever tabs ask."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio", reason="the studio needs gradio")

from tests.conftest import picture
from tests.studio.tiny import tiny_run
from translate.inference.translator import Translator
from translate.studio import app
from translate.studio.cards.dataset_report import jpeg
from translate.studio.translating import network


def test_work_is_done_in_the_order_it_is_asked_for_and_errors_come_back() -> None:
    gate, done = threading.Event(), []
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(network.in_turn, gate.wait)
        others = []
        for number in range(2):
            time.sleep(0.05)  # for the one before to be in the queue
            others.append(pool.submit(network.in_turn, lambda number=number: done.append(number)))
        time.sleep(0.05)
        assert done == []
        gate.set()
        assert first.result() is True
        for other in others:
            other.result()
    assert done == [0, 1]
    with pytest.raises(ZeroDivisionError):
        network.in_turn(lambda: 1 // 0)
    assert network.in_turn(lambda: threading.current_thread().name) == "network"


class _Watch:
    """Counts who is in a network at the same time, and how many calls there were."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside, self.most, self.calls = 0, 0, 0

    def around(self, translate: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
        def watched(*arguments: Any, **options: Any) -> np.ndarray:
            with self.lock:
                self.inside += 1
                self.calls += 1
                self.most = max(self.most, self.inside)
            time.sleep(0.02)  # long enough for another tab to come in, if it could
            try:
                return translate(*arguments, **options)
            finally:
                with self.lock:
                    self.inside -= 1

        return watched


def film(path: Path, frames: int) -> Path:
    av = pytest.importorskip("av", reason="films need PyAV")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_image(Image.new("RGB", (64, 48), (number, 90, 200)))))
        container.mux(stream.encode())
    return path


def test_no_two_tabs_run_a_network_at_the_same_instant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLATE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    tiny_run(tmp_path / "runs", "tiny")
    page = app.build(tmp_path / "runs")
    tabs = {(fn.name, len(fn.inputs)): fn.fn for fn in page.fns.values()}
    watch = _Watch()
    monkeypatch.setattr(Translator, "translate_batch", watch.around(Translator.translate_batch))

    photo = tmp_path / "photo.png"
    picture(1, (64, 48)).save(photo)
    uploads = [{"path": str(photo), "orig_name": f"{number}.png"} for number in range(3)]
    moving = {"path": str(film(tmp_path / "film.mp4", 40)), "orig_name": "film.mp4"}
    frame = jpeg(picture(2, (64, 48)))

    def photos() -> list[str]:
        return [tabs["translate", 3](uploads[0], "tiny", "a2b") for _ in range(4)]

    def live() -> list[Any]:
        return [tabs["see", 2](frame, "b2a/tiny")["answer"] for _ in range(4)]

    def batch() -> list[dict[Any, Any]]:
        return list(tabs["run", 2](uploads, "a2b/tiny"))

    def video() -> list[dict[Any, Any]]:
        return list(tabs["run", 3](moving, "a2b/tiny", True))

    with ThreadPoolExecutor(4) as pool:
        made = {work.__name__: pool.submit(work) for work in (photos, live, batch, video)}
        results = {name: answer.result() for name, answer in made.items()}
    assert all(Path(path).is_file() for path in results["photos"])
    assert all("picture" in answer for answer in results["live"])
    for name, words in (("batch", "3 pictures in"), ("video", "40 frames in")):
        said = [str(value) for update in results[name] for value in update.values()]
        assert any(words in text for text in said), Counter(said)
    assert watch.calls >= 4 + 4 + 1 + 1  # pictures and frames of one size go through a network together
    assert watch.most == 1
