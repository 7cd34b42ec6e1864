"""Folders as large and as bad as people have them, and processes that are killed over them."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

import translate
from tests.conftest import REPOSITORY, picture
from tests.inference.conftest import MakeCheckpoint, make_checkpoint  # noqa: F401 (a fixture)
from tests.inference.mixed import make_folder
from translate.inference.jobs import files
from translate.inference.jobs.file_plan import RECORD, plan_files
from translate.inference.jobs.files import translate_files
from translate.inference.raster import read_raster, write_raster

GROWTH = 64 * 2**20
"""Bytes by which the second half of the files may need more memory than the first: the allocators' play."""


@pytest.mark.parametrize("slow", ["network", "disk"])
def test_few_files_are_on_their_way_at_a_time(
    make_checkpoint: MakeCheckpoint,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    slow: str,
) -> None:
    """However slow the network is, or the disk: else a large folder would fill the memory."""
    translator = translate.load(make_checkpoint(), device="cpu", precision="float32")
    (tmp_path / "in").mkdir()
    for index in range(80):
        picture(index, (40, 40 + index // 9)).save(tmp_path / "in" / f"{index:03}.png")
    whole, under_way, most = translator.translate_batch, 0, 0

    def reading(*arguments: Any) -> Any:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        return read_raster(*arguments)

    def translating(*arguments: Any) -> Any:
        time.sleep(0.01 * (slow == "network"))
        return whole(*arguments)

    def writing(*arguments: Any) -> None:
        nonlocal under_way
        time.sleep(0.01 * (slow == "disk"))
        write_raster(*arguments)
        under_way -= 1

    monkeypatch.setattr(files, "WAITING", 4 * 40 * 50)
    monkeypatch.setattr(files, "BATCH_PIXELS_ELSEWHERE", 2 * 40 * 50)
    monkeypatch.setattr(files, "THREADS", 1)  # so that `under_way` is exact
    monkeypatch.setattr(files, "read_raster", reading)
    monkeypatch.setattr(translator, "translate_batch", translating)
    monkeypatch.setattr(files, "write_raster", writing)
    assert len(translate_files(translator, plan_files([tmp_path / "in"], tmp_path / "out")).written) == 80
    assert 5 < most <= 24


@pytest.mark.alone
@pytest.mark.slow
def test_a_thousand_mixed_files_in_one_call(make_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:  # noqa: F811
    """Issue 4: every good one translated, every bad one named, memory flat."""
    root, out = tmp_path / "in", tmp_path / "out"
    good, bad = make_folder(root, 1000, large=True)
    translator = translate.load(make_checkpoint(), device="cpu", precision="float32")
    process, used = psutil.Process(), []
    gc.collect()
    outcome = translate_files(
        translator, plan_files([root], out), progress=lambda done, total: used.append(process.memory_info().rss)
    )
    assert {str(source.relative_to(root)) for source, _ in outcome.failed} == bad
    assert (len(good), len(bad)) == (900, 100)
    for source, sentence in outcome.failed:
        assert str(source) in sentence
    made = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert made == {f"{name}.png" if name.endswith(".gif") else name for name in good}
    print(f"\nMB at every hundredth file: {[round(value / 2**20) for value in used[99::100]]}")
    assert max(used[500:]) - max(used[:500]) < GROWTH


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_after_a_kill_only_what_is_missing_is_made(make_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:  # noqa: F811
    root, out = tmp_path / "in", tmp_path / "out"
    good, bad = make_folder(root, 600)
    words = [sys.executable, "-m", "translate", "run", str(make_checkpoint()), str(root), "-o", str(out)]

    def made() -> dict[str, int]:
        return {
            str(path.relative_to(out)): path.stat().st_mtime_ns
            for path in out.rglob("*")
            if path.is_file() and not path.name.startswith(".")
        }

    first = subprocess.Popen(words, cwd=REPOSITORY, stderr=subprocess.DEVNULL)
    while len(made()) < 100:
        assert first.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    before = made()
    assert 100 <= len(before) < len(good)
    second = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True)
    assert second.returncode == 1
    after = made()
    assert len(after) == len(good)
    assert {name: after[name] for name in before} == before
    assert f"{len(before)} of 600 were done already" in second.stderr
    assert second.stderr.count("Not translated: ") == len(bad)
    hidden = {path.name for path in out.rglob(".*")}
    assert hidden == {RECORD}  # nothing half written


@pytest.mark.slow
def test_two_processes_share_a_folder(make_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:  # noqa: F811
    """The one that finds a bad file at once does not end the other, as torchrun would have it."""
    root, out = tmp_path / "in", tmp_path / "out"
    root.mkdir()
    (root / "000.png").write_bytes(b"")
    for index in range(1, 40):
        picture(index, (64, 64 + index)).save(root / f"{index:03}.png")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "translate"]
    words = [*launch, "run", str(make_checkpoint()), str(root), "-o", str(out)]
    result = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.count("Not translated: ") == 1
    assert len(list(out.glob("*.png"))) == 39
