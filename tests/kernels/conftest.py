"""Processors that this machine is taken for, and counts of the kernels' calls."""

from __future__ import annotations

import pytest
import torch

from translate.kernels import processor
from translate.kernels.mixed_layout import MixedLayout
from translate.kernels.winograd import WinogradConv


class Calls:
    """How often each of the kernels that are autograd functions was called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mixed_layout = self.winograd = 0
        self._watch(monkeypatch, MixedLayout, "mixed_layout")
        self._watch(monkeypatch, WinogradConv, "winograd")

    def _watch(self, monkeypatch: pytest.MonkeyPatch, function: type[torch.autograd.Function], name: str) -> None:
        apply = function.apply

        def counted(*arguments: object) -> object:
            setattr(self, name, getattr(self, name) + 1)
            return apply(*arguments)

        monkeypatch.setattr(function, "apply", counted)


@pytest.fixture
def avx2_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take this machine for one with AVX2 and without AVX-512."""
    monkeypatch.setattr(processor, "has_avx2_alone", lambda: True)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, avx2_alone: None) -> Calls:
    """Count the kernels' calls on a machine taken for one with AVX2 alone; random numbers begin at a fixed seed."""
    torch.manual_seed(0)
    return Calls(monkeypatch)
