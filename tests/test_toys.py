"""What nothing under translate/ knows is trained, killed, resumed, described, evaluated, reported, shown and exported.

The model, the generator and the discriminator of tests/toys.py come in as a plug-in does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from tests.conftest import REPOSITORY, picture, tiny_settings
from tests.studio.trained import note
from translate.checkpoints.folder import read_config
from translate.checkpoints.format import load_generator
from translate.config import TrainConfig
from translate.data.tensors import to_pixels, to_tensor
from translate.inference.translator import Translator
from translate.registry import PLUGINS
from translate.runs.listing import read_run
from translate.tracking.history import read_history
from translate.training.state import load_newest_state
from translate.training.trainer import train

ENVIRONMENT = os.environ | {PLUGINS: "tests.toys", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}


def command(*words: object) -> subprocess.CompletedProcess[str]:
    """`translate WORDS` in a process of its own."""
    line = [sys.executable, "-m", "translate", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, env=ENVIRONMENT, cwd=REPOSITORY)


def tree(toys: ModuleType, root: Path, run: Path, **overrides: Any) -> dict[str, Any]:
    """Settings of a run of toys alone."""
    made = tiny_settings("whisper", root, run, **overrides)
    made["model"] = dict(toys.TOYS)
    made["data"] |= {"domain_A": "dusk", "domain_B": "dawn"}
    made["dataset"] = "dusk2dawn"
    return made


@pytest.fixture
def run(toys_registered: ModuleType, unpaired: Path, tmp_path: Path) -> Path:
    """A finished run of toys alone."""
    return train(TrainConfig.build(tree(toys_registered, unpaired, tmp_path / "runs" / "toy")))


@pytest.mark.slow
def test_killed_and_resumed_is_the_run_never_stopped(
    toys_registered: ModuleType, unpaired: Path, tmp_path: Path
) -> None:
    length = {"run__steps": 60, "run__save_every": 7, "run__sample_every": 25}
    whole = train(TrainConfig.build(tree(toys_registered, unpaired, tmp_path / "whole", **length)))
    killed, history = tmp_path / "killed", tmp_path / "killed" / "history.jsonl"
    file = tmp_path / "train.yaml"
    file.write_text(yaml.safe_dump(tree(toys_registered, unpaired, killed, **length)))
    line = [sys.executable, "-m", "translate", "train", str(file)]
    process = subprocess.Popen(line, env=ENVIRONMENT, cwd=REPOSITORY, stderr=subprocess.DEVNULL)
    while process.poll() is None and not (history.exists() and len(history.read_bytes().splitlines()) >= 20):
        time.sleep(0.002)
    process.kill()
    process.wait()
    assert not (killed / "checkpoints" / "step-00000060").exists()
    resumed = command("train", file, "--resume")
    assert resumed.returncode == 0, resumed.stderr

    rows = [
        [[row[name] for name in toys_registered.LOSSES] for row in read_history(run / "history.jsonl")]
        for run in (whole, killed)
    ]
    assert len(rows[0]) == 60
    assert rows[0] == rows[1]
    first, second = (load_newest_state(run / "state") for run in (whole, killed))
    assert first is not None and second is not None
    assert {"model.ear.weight", "optimizer.listener.0.exp_avg", "ema.a2b.mix.weight"} <= first.tensors.keys()
    assert first.tensors.keys() == second.tensors.keys()
    assert all(torch.equal(value, second.tensors[name]) for name, value in first.tensors.items())


def test_the_run_and_its_checkpoint_say_what_they_are(run: Path) -> None:
    config = read_config(run / "checkpoints" / "step-00000006")
    assert (config.provenance.model, config.generators["a2b"].architecture) == ("whisper", "tint")
    assert list(config.generators) == ["a2b"]
    card = (run / "checkpoints" / "step-00000006" / "README.md").read_text()
    assert "Whisper" in card and "@misc{whisper" in card and "tint" in card
    assert "CycleGAN" not in card and "pix2pix" not in card.replace("pytorch-CycleGAN-and-pix2pix", "")
    told = read_run(run)
    assert {"charm", "mumble"} <= set(told.losses)
    assert [term.name for term in told.terms] == ["applause", "boos", "guess", "charm", "mumble", "G_total"]


def test_it_translates(run: Path) -> None:
    checkpoint = run / "checkpoints" / "step-00000006"
    translator, network = Translator(checkpoint, device="cpu", precision="float32"), load_generator(checkpoint, "a2b")
    for size in ((40, 40), (101, 37)):
        photo = picture(7, size)
        with torch.inference_mode():
            wanted = to_pixels(network(to_tensor(np.asarray(photo))[None])[0]).astype(int)
        assert np.abs(np.asarray(translator(photo, "a2b")) - wanted).max() <= 1


@pytest.mark.slow
def test_the_commands_take_it(run: Path, tmp_path: Path) -> None:
    picture(3).save(tmp_path / "in.png")
    done = command("run", run, tmp_path / "in.png", "-o", tmp_path / "out.png", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    done = command("runs", "--runs", run.parent, "--json")
    assert done.returncode == 0, done.stderr
    (listed,) = json.loads(done.stdout)
    assert (listed["model"], set(listed["losses"]) >= {"charm", "mumble"}) == ("whisper", True)
    done = command("compare", run, run, "--json")
    assert done.returncode == 0, done.stderr
    assert "mumble" in json.loads(done.stdout)["results"]
    done = command("report", run)
    assert done.returncode == 0, done.stderr
    page = next(run.glob("*.html")).read_text()
    assert "Whisper on dusk2dawn" in page and "Judges" in page and "mumble" in page
    done = command("settings", "whisper")
    assert "--model.loudness" in done.stdout and "generator.architecture tint" in " ".join(done.stdout.split())
    unpaired = run.parent.parent / "unpaired"
    evaluated = ("--extractor", "none", "--no-lpips", "--report", tmp_path / "page", "--record", "--size", 32)
    done = command("evaluate", run / "checkpoints" / "step-00000006", unpaired, *evaluated)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "page").rglob("*.html"))
    done = command("export", run, "-o", tmp_path / "exported", "--format", "torchscript")
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "exported").glob("*.pt"))


def test_other_models_take_the_toy_networks(toys_registered: ModuleType, paired: Path, tmp_path: Path) -> None:
    made = tiny_settings("pix2pix", paired, tmp_path / "run", run__steps=2)
    made["model"] = {"name": "pix2pix"} | {key: toys_registered.TOYS[key] for key in ("generator", "discriminators")}
    train(TrainConfig.build(made))
    assert len(read_history(tmp_path / "run" / "history.jsonl")) == 2


def test_the_studio_offers_trains_and_shows_it(run: Path, unpaired: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gradio", reason="the studio needs gradio")
    from tests.studio import test_train_tab as tab
    from translate.runs import processes
    from translate.studio.cards import run_comparison, run_progress
    from translate.studio.translating import library

    runs = run.parent
    monkeypatch.setenv("TRANSLATE_HOME", str(runs.parent / "home"))
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(runs.parent / "cache"))
    started: list[Path] = []

    def launch(folder: Path, *options: str) -> None:
        started.append(folder)
        note(folder)

    monkeypatch.setattr(processes, "_launch", launch)

    offered = tab.handler(runs, "look")(str(unpaired), None, tab.bar)["train-model"]["choices"]
    assert ("Whisper (hearsay)", "whisper") in offered
    further = "model.generator.architecture: tint\nmodel.discriminator.kind: glance\nmodel.loudness: 3"
    wishes = ("Mine", "dusk", "dawn", "quick", 128, "whisper", "a2b", False, further)
    tab.handler(runs, "begin")(tab.found_in(unpaired), "token", *wishes)
    config: Any = TrainConfig.load(started[0] / "config.yaml").model
    assert (config.generator.architecture, config.discriminators[0].kind, config.loudness) == ("tint", "glance", 3)

    told = read_run(run)
    curves = run_progress.live_curves(told)
    assert "The ear&#39;s guess" in curves and "The jury" in curves and "The mouth, before the judges" in curves
    assert run_progress.label(told, told.terms[4]) == "What the ear cannot understand of dusk"
    compared = run_comparison.comparison([told, told], smooth=False)
    assert "What the ear cannot understand of dusk" in compared
    entry = library.checkpoint(run.name, runs)
    assert library.translate(picture(7), entry, "a2b").size == (40, 40)
