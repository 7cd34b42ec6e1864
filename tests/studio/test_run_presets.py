"""Plain choices and what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.studio.trained import trained_run
from translate.errors import UserError
from translate.runs.listing import list_runs
from translate.studio.training import estimates, run_presets
from translate.studio.training.run_presets import Choices


def choices(**changes: Any) -> Choices:
    plain: dict[str, Any] = {
        "title": "Horses & Zebras",
        "dataset": "horse2zebra",
        "model": "cyclegan",
        "domain_A": "horse",
        "domain_B": "zebra",
        "quality": "good",
        "size": 256,
        "images": 1000,
    }
    return Choices(**(plain | changes))


def test_the_choices_are_in_the_settings(tmp_path: Path) -> None:
    config = run_presets.settings(choices(quality="quick", size=128), tmp_path / "pictures", tmp_path / "runs")
    assert config.run.dir == tmp_path / "runs" / "horses-zebras"
    assert (config.title, config.data.domain_A, config.data.domain_B) == ("Horses & Zebras", "horse", "zebra")
    assert (config.data.root, config.data.crop_size, config.data.load_size) == (tmp_path / "pictures", 128, 143)
    assert config.tracking.mode == "disabled"  # nothing is sent anywhere unless asked for
    pairs = run_presets.settings(choices(model="pix2pix", direction="b2a", elongated=True), tmp_path, tmp_path / "runs")
    assert (pairs.model.name, pairs.data.direction) == ("pix2pix", "b2a")
    assert pairs.data.preprocess == "scale_shorter_and_crop"


def test_better_takes_longer_and_more_pictures_do_too(tmp_path: Path) -> None:
    def steps(**changes: Any) -> int:
        config = run_presets.settings(choices(**changes), tmp_path, tmp_path)
        assert config.run.steps is not None
        return config.run.steps

    assert steps(quality="quick") < steps(quality="good") < steps(quality="best", images=10)
    assert steps(quality="best", images=10) < steps(quality="best", images=500) < steps(quality="best", images=10**6)
    assert steps(quality="best", images=10**6) <= 200_000


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    for name in ("mine", "mine-2"):
        (tmp_path / name).mkdir()
    assert run_presets.settings(choices(title=" Mine! "), tmp_path, tmp_path).run.dir == tmp_path / "mine-3"
    assert run_presets.settings(choices(title="../../etc"), tmp_path, tmp_path).run.dir.parent == tmp_path
    assert run_presets.settings(choices(title="画像"), tmp_path, tmp_path).run.dir == tmp_path / "画像"
    with pytest.raises(UserError, match="name"):
        run_presets.settings(choices(title="  "), tmp_path, tmp_path)


def test_further_settings_have_the_last_word(tmp_path: Path) -> None:
    config = run_presets.settings(choices(further="run.epochs: 3\nmodel.generator.width: 8"), tmp_path, tmp_path)
    assert (config.run.epochs, config.run.steps) == (3, None)
    assert config.model.generator.model_dump()["width"] == 8


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("width 8", "one a line"),
        ("- a\n- b", "one a line"),
        ("a: [", "one a line"),
        ("run: {dir: /}", "whole section"),
        ("data.root: /etc", "chosen above"),
        ("run.dir: /etc", "chosen above"),
        ("run.stepps: 3", "run.stepps: no such setting"),
    ],
)
def test_further_settings_that_are_not_right_are_a_sentence(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        run_presets.settings(choices(further=text), tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("folder", "names"),
    [("horse2zebra", ("horse", "zebra")), ("edges-to-shoes", ("edges", "shoes")), ("facades", ("A", "B"))],
)
def test_what_a_and_b_show_is_guessed_from_the_name(folder: str, names: tuple[str, str]) -> None:
    assert run_presets.domain_names(folder) == names


def test_an_estimate_is_the_pace_of_a_run_like_it_or_else_a_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimates, "_matrix_rate", lambda device, dtype: 1e11)
    trained_run(tmp_path, "before")  # at half a second a step
    like_it = list_runs(tmp_path)[0].config.model_copy(deep=True)
    like_it.run.steps = 1000
    measured = estimates.estimate(like_it, list_runs(tmp_path))
    assert measured.seconds == 500
    assert "Before" in measured.basis
    other = like_it.model_copy(deep=True)
    other.data.crop_size = 64
    assert "estimate" in estimates.estimate(other, list_runs(tmp_path)).basis


def test_the_rule_knows_larger_from_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates, "_matrix_rate", lambda device, dtype: 850e9)  # as in docs/performance.md

    def seconds(**changes: Any) -> float:
        return estimates.step_seconds(run_presets.settings(choices(**changes), tmp_path, tmp_path))

    assert seconds(quality="quick", size=128) < seconds(quality="quick") < seconds(quality="good")
    assert seconds(quality="best") == pytest.approx(2.77, rel=0.3)
    assert seconds(quality="best", model="pix2pix") == pytest.approx(0.293, rel=0.3)
