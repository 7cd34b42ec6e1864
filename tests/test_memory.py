"""What the process does with memory that it frees."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is an option of the GNU C library")
def test_a_step_asks_for_less_memory_where_it_is_kept() -> None:
    def faults(mode: str) -> int:
        words = [sys.executable, "-c", PROGRAM, mode]
        return int(subprocess.run(words, capture_output=True, text=True, check=True).stdout)

    assert 10 * faults("kept") < faults("given back")
