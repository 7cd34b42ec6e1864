"""One thread in which every network of the studio computes, one call after the other, whichever tab asks.

So the memory holds the features of one picture. In any of Gradio's forty threads, each would keep a team of OpenMP's, a
cache of oneDNN's and a heap of its own. Whoever asks waits in a queue, and long work asks anew for every few pictures:
a film and a photo of somebody else take turns.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import lru_cache, partial
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np

from translate.inference.translator import Translator

Result = TypeVar("Result")

_starting = threading.Lock()


class QueuedTranslator(Translator):
    """A Translator whose network computes in the network thread, when it is its turn."""

    def translate_batch(
        self, images: np.ndarray, direction: str | None = None, bits: int | None = None, tile: int | None = None
    ) -> np.ndarray:
        """Wait for the turn of these images, and translate them as `Translator.translate_batch` does."""
        return in_turn(partial(super().translate_batch, images, direction, bits, tile))


def in_turn(work: Callable[[], Result]) -> Result:
    """Do the work in the network thread after all that was asked for before; returns and raises what it does.

    The work must not call `in_turn` itself: it would wait for its own end.
    """
    answer: Future[Result] = Future()
    with _starting:  # so that the first two who come make one thread
        queue = _queue()
    queue.put((work, answer))
    return answer.result()


@lru_cache(maxsize=1)
def _queue() -> SimpleQueue[tuple[Callable[[], Any], Future[Any]]]:
    """What waits for the network thread, which is started. An executor's thread would keep Python from ending."""
    waiting: SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = SimpleQueue()

    def serve() -> None:
        while True:
            work, answer = waiting.get()
            try:
                answer.set_result(work())
            except BaseException as error:
                answer.set_exception(error)
            del work, answer  # or the last pictures would stay in memory until the next ones come

    threading.Thread(target=serve, name="network", daemon=True).start()
    return waiting
