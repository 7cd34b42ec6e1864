"""What the process does with memory that it frees."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys
from pathlib import Path

import pytest

import translate
from tests.conftest import tiny_settings
from translate.cli import main
from translate.kernels import memory

STEPS = """
import resource, sys, torch
from translate.kernels.memory import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
image, weight = torch.rand(1, 3, 512, 512), torch.rand(16, 3, 3, 3, requires_grad=True)
def step():
    torch.relu(torch.conv2d(image, weight)).tanh().mean().backward()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    before = step()
print(sum(step() for _ in range(8)) - 8 * before)
"""

HOLES = """
import sys, psutil, torch
from translate.kernels.memory import separate_large_blocks
from translate.devices import peak_memory
if sys.argv[1] == "apart":
    assert separate_large_blocks()
def held():
    memory = psutil.Process().memory_info()
    return memory.rss - memory.shared  # pages of program files come and go as they please
torch.ones(30 * 2**18)  # from here on the library cuts what is smaller from its heap
before, stays = held(), []
for size in range(1, 29):
    goes = torch.ones(size * 2**18)  # a megabyte more each time, so that no hole is large enough for the next
    stays.append(torch.ones(2**18))
    del goes
assert psutil.Process().memory_info().rss <= peak_memory()
print(held() - before)
"""
needs_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is an option of the GNU C library")


def run(program: str, mode: str) -> int:
    words = [sys.executable, "-c", program, mode]
    return int(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


@needs_glibc
def test_what_stays_leaves_no_holes_where_its_blocks_are_apart() -> None:
    apart = run(HOLES, "apart")
    assert 28 * 2**20 <= apart < 40 * 2**20
    assert run(HOLES, "together") > 52 * 2**20


@needs_glibc
def test_a_step_asks_for_less_memory_where_it_is_kept() -> None:
    assert 10 * run(STEPS, "kept") < run(STEPS, "given back")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is set in any case")
@pytest.mark.parametrize("own_process", [False, True])
def test_only_a_process_of_its_own_has_its_allocator_set(
    monkeypatch: pytest.MonkeyPatch, unpaired: Path, tmp_path: Path, own_process: bool
) -> None:
    """`translate.train` as a library asks nothing of the C library's allocator; a command's training does."""
    asked: list[tuple[int, int]] = []

    class CLibrary:
        def mallopt(self, option: int, value: int) -> int:
            asked.append((option, value))
            return 1

    load = ctypes.CDLL
    monkeypatch.setattr(ctypes, "CDLL", lambda name, *rest: load(name, *rest) if name else CLibrary())
    tree = tiny_settings("cyclegan", unpaired, tmp_path / "run", run__steps=2, run__device="cpu")
    config = translate.TrainConfig.build(tree)
    if own_process:
        translate.train(config, own_process=True)
        options = [option for option, _ in asked]
        assert options == [memory.M_MMAP_THRESHOLD, memory.M_MMAP_THRESHOLD, memory.M_TRIM_THRESHOLD]
    else:
        translate.train(config)
        assert asked == []


def test_the_command_trains_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given: dict[str, object] = {}
    monkeypatch.setattr("translate.training.trainer.train", lambda _, **words: given.update(words))
    with pytest.raises(SystemExit) as left:
        main(["train", "cyclegan", "--run.dir", str(tmp_path / "run")])
    assert not left.value.code
    assert given["own_process"] is True
