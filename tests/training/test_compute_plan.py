"""How a run computes: what is chosen for the machine, and what a resumed run keeps."""

from __future__ import annotations

import shutil

import pytest
import torch

from translate.config import RunConfig
from translate.training.compute_plan import compile_pays, plan_compute

CPU, MPS = torch.device("cpu"), torch.device("mps")


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")


def test_compiling_has_to_pay_back(compiler: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compile_pays(CPU, "bfloat16", 2000)
    assert not compile_pays(CPU, "bfloat16", 1999)
    assert not compile_pays(CPU, "float32", 10**6)
    assert compile_pays(torch.device("cuda"), "float32", 1000)
    assert not compile_pays(MPS, "bfloat16", 10**6)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert not compile_pays(CPU, "bfloat16", 2000)


def test_what_is_asked_for_is_what_is_done(compiler: None) -> None:
    run = RunConfig(precision="bfloat16", layout="contiguous", compile="off")
    wished = {"device": "cpu", "precision": "bfloat16", "layout": "contiguous_format", "compile": False}
    assert plan_compute(run, CPU, 10**6, {}) == wished
    before = {"device": "cpu", "precision": "float32", "layout": "channels_last", "compile": True}
    assert plan_compute(run, CPU, 10**6, before) == wished


def test_a_resumed_run_keeps_what_it_began_with(compiler: None) -> None:
    before = {"device": "cpu", "precision": "bfloat16", "layout": "contiguous_format", "compile": False}
    assert plan_compute(RunConfig(), CPU, 10**6, before) == before


def test_on_another_device_it_chooses_anew(compiler: None) -> None:
    before = {"device": "cuda", "precision": "float16", "layout": "contiguous_format", "compile": False}
    chosen = plan_compute(RunConfig(), CPU, 2000, before)
    assert chosen["precision"] in ("float32", "bfloat16")
    assert (chosen["layout"], chosen["compile"]) == ("channels_last", chosen["precision"] == "bfloat16")
