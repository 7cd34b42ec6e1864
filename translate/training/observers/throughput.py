"""How fast a run goes: images and floating-point operations a second, the wait for data, memory, hours so far."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from translate.devices import peak_memory
from translate.training.observers.flops import matrix_rate, step_flops
from translate.training.observers.protocol import RunFacts


class Stopwatch:
    """Times the steps between one row of the history and the next. It only measures.

    Args:
        facts: of the run.
        seconds: that the run took before this process.
        step: that the run begins at.
    """

    def __init__(self, facts: RunFacts, seconds: float, step: int) -> None:
        self.facts = facts
        self.flops, self.machine_rate = 0.0, math.inf  # measured with the first row
        now = time.perf_counter()
        self.begun = now - seconds
        self.since, self.since_step, self.waited = now, step, 0.0

    @property
    def seconds(self) -> float:
        """The time that the run has taken so far, including the time before it was resumed."""
        return time.perf_counter() - self.begun

    def start(self, step: int) -> None:
        """Time what comes after `step`."""
        self.since, self.since_step, self.waited = time.perf_counter(), step, 0.0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around waiting for data: the time is counted as such."""
        asked = time.perf_counter()
        yield
        self.waited += time.perf_counter() - asked

    def measure(self, step: int, batch: Mapping[str, Any]) -> dict[str, float]:
        """The figures of a row of the history, for the steps since `start`.

        Args:
            step: steps done.
            batch: of the newest step; its shapes tell how much arithmetic a step is.
        """
        steps = step - self.since_step
        step_seconds = (time.perf_counter() - self.since) / steps
        if not self.flops:
            self.flops = step_flops(self.facts.config, batch["A"].shape, batch["B"].shape)
            self.machine_rate = matrix_rate(self.facts.device, self.facts.dtype)
        on_gpu = self.facts.device.type == "cuda"
        memory = torch.cuda.max_memory_allocated(self.facts.device) if on_gpu else peak_memory()
        return {
            "images_per_second": self.facts.global_batch / step_seconds,
            "step_seconds": step_seconds,
            "data_seconds": self.waited / steps,
            "elapsed_seconds": self.seconds,
            "memory_gb": memory / 1e9,
            "tflops": self.flops / step_seconds / 1e12,
            "utilisation": self.flops / step_seconds / self.machine_rate,
        }
