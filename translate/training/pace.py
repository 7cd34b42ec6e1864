"""How fast a run goes: images and floating-point operations a second, the wait for data, memory, hours so far."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import torch

from translate.config import TrainConfig
from translate.memory import peak_memory
from translate.training.arithmetic import matrix_rate, step_flops


class Pace:
    """Times the steps between one row of the history and the next.

    Args:
        config: of the run, for the arithmetic of a step.
        device, dtype: what the machine's own rate is measured with.
        images: a step takes in, over all processes.
        seconds: that the run took before this process.
    """

    def __init__(
        self, config: TrainConfig, device: torch.device, dtype: torch.dtype, *, images: int, seconds: float
    ) -> None:
        self.config, self.device, self.dtype, self.images = config, device, dtype, images
        self.flops, self.machine_rate = 0.0, math.inf  # not known before the first batch
        self.begun = time.perf_counter() - seconds
        self.start(0)

    @property
    def seconds(self) -> float:
        """That the run has taken so far, the time before it was resumed included."""
        return time.perf_counter() - self.begun

    def start(self, step: int) -> None:
        """Time what comes after `step`."""
        self.since, self.since_step, self.waited = time.perf_counter(), step, 0.0

    def fetch(self, batches: Iterator[dict[str, Any]]) -> dict[str, Any]:
        """The next batch; its wait is counted. The first one tells how much arithmetic a step is."""
        asked = time.perf_counter()
        batch = next(batches)
        self.waited += time.perf_counter() - asked
        if not self.flops:
            self.flops = step_flops(self.config, batch["A"].shape, batch["B"].shape)
            self.machine_rate = matrix_rate(self.device, self.dtype)
        return batch

    def measure(self, step: int) -> dict[str, float]:
        """What a row of the history says of the steps since `start`."""
        steps = step - self.since_step
        step_seconds = (time.perf_counter() - self.since) / steps
        on_gpu = self.device.type == "cuda"
        memory = torch.cuda.max_memory_allocated(self.device) if on_gpu else peak_memory()
        return {
            "images_per_second": self.images / step_seconds,
            "step_seconds": step_seconds,
            "data_seconds": self.waited / steps,
            "elapsed_seconds": self.seconds,
            "memory_gb": memory / 1e9,
            "tflops": self.flops / step_seconds / 1e12,
            "utilisation": self.flops / step_seconds / self.machine_rate,
        }
