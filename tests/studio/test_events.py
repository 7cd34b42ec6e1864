"""Long work behind the page."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from uuid import uuid4

import pytest

pytest.importorskip("gradio", reason="the studio needs gradio")

from translate.studio import events


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LOOK", 0.01)


def counting(ended: threading.Event, steps: int = 10_000) -> Callable[[events.Progress], int]:
    def work(progress: events.Progress) -> int:
        try:
            for step in range(steps):
                progress(step, steps)
                time.sleep(0.001)
            return steps
        finally:
            ended.set()

    return work


def test_it_tells_how_far_it_is_and_returns_what_was_made() -> None:
    going, told = events.in_background(uuid4().hex, counting(threading.Event(), 60)), []
    with pytest.raises(StopIteration) as finished:
        while True:
            told.append(next(going))
    assert finished.value.value == 60
    assert told == sorted(told, key=lambda progress: progress[0])
    assert told[-1][1] == 60


def test_a_stop_ends_it() -> None:
    name, ended = uuid4().hex, threading.Event()
    going = events.in_background(name, counting(ended))
    next(going)
    events.stop(name)
    with pytest.raises(events.Stopped):
        for _ in going:
            pass
    assert ended.is_set()


def test_leaving_the_page_ends_it() -> None:
    ended = threading.Event()
    going = events.in_background(uuid4().hex, counting(ended))
    next(going)
    going.close()
    assert ended.is_set()


def test_nobody_else_can_stop_it() -> None:
    going = events.in_background(uuid4().hex, counting(threading.Event(), 30))
    next(going)
    events.stop(uuid4().hex)
    with pytest.raises(StopIteration):
        while True:
            next(going)


def test_errors_come_through() -> None:
    def work(progress: events.Progress) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        list(events.in_background(uuid4().hex, work))
