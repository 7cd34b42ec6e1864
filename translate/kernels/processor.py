"""What the processor can do, as the capability rules of kernels ask it."""

from __future__ import annotations

import functools

import torch


@functools.cache
def has_avx2_alone() -> bool:
    """Whether the processor has AVX2 and not AVX-512; other architectures than x86 have neither.

    PyTorch answers, so its environment variable ATEN_CPU_CAPABILITY=avx2 makes a processor with AVX-512 one of these.
    """
    return torch.backends.cpu.get_cpu_capability() == "AVX2"
