"""What the process does with memory that it frees."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

STEPS = """
import resource, sys, torch
from translate.memory import keep_freed_memory
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
from translate.memory import peak_memory, separate_large_blocks
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
