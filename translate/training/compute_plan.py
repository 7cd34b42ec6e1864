"""How a run computes: precision, memory layout, compiled or not. The fast way is the default, and resuming keeps it."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from typing import Any

import torch

from translate.config import RunConfig
from translate.devices import choose_precision

COMPILE_PAYS_FROM = {"cpu": 2000, "cuda": 1000}
"""Steps from which torch.compile's one or two minutes are won back; it is not used on other devices. On a CPU it wins
nothing in float32, where the convolutions are nearly all of the time: there only other precisions compile."""


ComputePlan = dict[str, Any]
"""{"device", "precision", "layout", "compile"}: what decides the last bits of every loss."""


def plan_compute(run: RunConfig, device: torch.device, steps: int, before: Mapping[str, Any]) -> ComputePlan:
    """Decide how a run computes.

    Args:
        run: settings; what is not «auto» there is taken.
        device: of the run.
        steps: of the whole run.
        before: the plan of the run so far, {} for a new one. They are kept, unless it was on another kind of device.
    """
    if before.get("device") != device.type:
        before = {}
    precision = str(choose_precision(run.precision, device)).removeprefix("torch.")
    layout = "channels_last" if device.type in ("cpu", "cuda") else "contiguous_format"
    if run.layout != "auto":
        layout = {"contiguous": "contiguous_format"}.get(run.layout, run.layout)
    compiled = run.compile == "on" if run.compile != "auto" else compile_pays(device, precision, steps)
    chosen = {"precision": precision, "layout": layout, "compile": compiled}
    kept = {name: before[name] for name in chosen if getattr(run, name) == "auto" and name in before}
    return {"device": device.type} | chosen | kept


def compile_pays(device: torch.device, precision: str, steps: int) -> bool:
    """Whether so many steps win back what compiling takes. Without a C++ compiler there is none on a CPU."""
    has_compiler = device.type == "cuda" or any(shutil.which(name) for name in ("g++", "clang++", "c++"))
    if device.type == "cpu" and precision == "float32":
        return False
    return has_compiler and steps >= COMPILE_PAYS_FROM.get(device.type, math.inf)
