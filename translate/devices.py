"""Which device, precision and memory layout suit the machine, and the memory that the process took.

Training and translating ask the same functions.
"""

from __future__ import annotations

import platform
from pathlib import Path

import psutil
import torch

from translate.errors import UserError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(wish: str = "auto") -> torch.device:
    """The device asked for, or the best there is. Raises UserError where the machine lacks it."""
    if wish == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(wish)
    except RuntimeError as error:
        raise UserError(f"There is no device called {wish}; use auto, cpu, cuda or mps.") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"This machine has no {wish}: PyTorch sees {torch.cuda.device_count()} CUDA devices.")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError("This machine has no mps device.")
    return device


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 matrix products are faster than float32's: AVX512-BF16 or AMX, Ampere and later."""
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return False


def choose_precision(wish: str, device: torch.device) -> torch.dtype:
    """The precision asked for; `auto` is bfloat16 where it is fast, float16 on older GPUs, else float32."""
    if wish != "auto":
        return DTYPES[wish]
    if has_fast_bfloat16(device):
        return torch.bfloat16
    return torch.float16 if device.type == "cuda" else torch.float32


def describe(device: torch.device) -> str:
    """Name of the processor or GPU, as people know it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [
            line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        name = models[0] if models else name
    return f"{name}, {torch.get_num_threads()} threads" if device.type == "cpu" else f"{name} (mps)"


def peak_memory() -> int:
    """The most bytes that this process has held; not those of the one that started it, which getrusage may count."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    memory = psutil.Process().memory_info()
    return int(getattr(memory, "peak_wset", memory.rss))
