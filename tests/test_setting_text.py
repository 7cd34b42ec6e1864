"""Issue 19, number 2: a value is read by the type of its field, and what is printed can be typed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import picture, tiny_settings
from tests.test_cli import translate
from translate.commands.train import parse_overrides
from translate.config import TrainConfig, setting_rows
from translate.errors import UserError
from translate.runs.changes import setting

WORDS = [
    *("photos #2", "2024", "2024-05-01", "007", "on", "null", "cats: dogs", "[cats]"),  # named in the issue
    *(
        "{a}",
        "1e3",
        "~",
        "0x10",
        "12:30:00",
        "yes",
        "*x",
        "&y",
        "!z",
        "- a",
        "'q'",
        "%20",
        "@home",
        "`x`",
        "a\nb",
        "| a",
    ),
]


def typed(name: str, text: str, tree: dict[str, Any] | None = None) -> Any:
    """The value of a setting that was typed on the command line."""
    config = TrainConfig.build(tree or {}, parse_overrides([f"--{name}", text]))
    return setting(config.dump(), name.replace("discriminator.", "discriminators.0."))


@pytest.mark.parametrize("name", ["data.root", "run.dir", "name", "title", "limits", "run.device", "data.domain_A"])
@pytest.mark.parametrize("text", WORDS)
def test_text_and_paths_are_taken_as_they_are(name: str, text: str) -> None:
    assert typed(name, text) == text


@pytest.mark.parametrize("text", [word for word in WORDS if word not in ("null", "[cats]", "- a")])
def test_a_tag_is_a_list_of_one(text: str) -> None:
    assert typed("tracking.tags", text) == [text]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("tracking.tags", "[cats, 2024, on, 007]", ["cats", "2024", "on", "007"]),
        ("tracking.tags", "[]", []),
        ("tracking.entity", "null", None),
        ("tracking.entity", "none", "none"),
        ("data.mask_A", "007", "007"),
        ("data.crop_size", "064", 64),
        ("data.workers", "010", 10),
        ("data.workers", "null", None),
        ("optim.clip_norm", "none", None),
        ("optim.lr", "1e-4", 1e-4),
        ("data.strict", "on", True),
        ("data.flip", "No", False),
        ("run.compile", "off", "off"),
        ("run.compile", "true", "on"),
        ("data.augment", "HorizontalFlip", ["HorizontalFlip"]),
        ("data.augment", "{Rotate: {limit: 5}}", [{"Rotate": {"limit": 5}}]),
        ("data.augment", "[{Rotate: {limit: 5}}, Blur]", [{"Rotate": {"limit": 5}}, "Blur"]),
        ("data.object_crop.share", "[0.15, 0.8]", [0.15, 0.8]),
        ("model.style_strides", "4", [4]),
        ("model.style_of", "B", ["B"]),
        ("model.diff_augment", "color", ["color"]),
        ("model.generator.norm", "none", "none"),
        ("model.generator.bias", "no", False),
        ("model.discriminator.objective", "null", None),
        ("model.discriminators.0.width", "16", 16),
        ("model.discriminators.1.width", "16", 16),
        ("model.discriminators", "[{kind: pixel, width: 8}]", None),
        ("drawing.background", "#AABBCC", "#aabbcc"),
    ],
)
def test_other_values_are_read_by_the_type_of_their_field(name: str, text: str, value: Any) -> None:
    tree: dict[str, Any] = {"drawing": {"background": "#000000", "palette": {"pen": "#ffffff"}}}
    if name == "model.discriminators":
        config = TrainConfig.build(tree, parse_overrides([f"--{name}", text]))
        assert [(one.kind, one.width) for one in config.model.discriminators] == [("pixel", 8)]
    else:
        assert typed(name, text, tree) == value


def test_a_flag_belongs_to_the_network_that_other_flags_choose() -> None:
    flags = ["--model.generator.size", "064", "--model.generator.architecture", "unet", "--model.name", "pix2pix"]
    generator = TrainConfig.build({}, parse_overrides(flags)).model.generator
    assert (generator.architecture, generator.size) == ("unet", 64)


def test_a_discriminator_by_number_wins_over_the_presets_spelling_and_has_no_gap() -> None:
    preset: dict[str, Any] = {"model": {"discriminator": {"width": 32}}}
    config = TrainConfig.build(preset, parse_overrides(["--model.discriminators.0.width", "8"]))
    assert config.model.discriminators[0].width == 8
    with pytest.raises(UserError, match="the next one has number 1"):
        TrainConfig.build({}, parse_overrides(["--model.discriminators.5.width", "8"]))


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("data.corp_size", "data.crop_size"),
        ("crop_size", "data.crop_size"),
        ("data.lr", "optim.lr"),
        ("model.generator.widht", "model.generator.width"),
        ("model.discriminator.layer", "model.discriminator.layers"),
        ("run.step", "run.steps"),
        ("trackin.mode", "tracking"),
    ],
)
def test_a_wrong_name_suggests_the_nearest(wrong: str, near: str) -> None:
    with pytest.raises(UserError, match=f"no such setting; did you mean .*{near}"):
        TrainConfig.build({}, parse_overrides([f"--{wrong}", "3"]))


def test_every_setting_that_is_listed_takes_its_own_default_as_text() -> None:
    for row in setting_rows("pix2pix"):
        if "generator." in row.name or "discriminator." in row.name or row.default in ("", "[]", "()"):
            continue
        text = "null" if row.default == "None" else row.default.replace("(", "[").replace(")", "]")
        tree = {"model": {"name": "pix2pix"}} | ({"drawing": None} if row.name == "drawing" else {})
        before = setting(TrainConfig.build(dict(tree)).dump(), row.name)
        assert typed(row.name, text, {"model": {"name": "pix2pix"}}) == before, row.name


@pytest.mark.parametrize("name", ["photos #2", "2024", "it's", "a b", "$HOME", "über; rm", "[cats]"])
def test_the_printed_command_trains_on_the_folder(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for domain in ("trainA", "trainB"):
        (tmp_path / name / domain).mkdir(parents=True)
        for index in range(2):
            picture(index).save(tmp_path / name / domain / f"{index}.png")
    from translate.data.report import inspect_folder

    words = shlex.split(inspect_folder(Path(name)).command)
    assert words[:2] == ["translate", "train"]
    config = TrainConfig.build({"model": {"name": words[2]}}, parse_overrides(words[3:]))
    assert (config.data.root, config.run.dir) == (Path(name), Path("runs") / name)


def test_a_folder_called_like_a_year_is_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    monkeypatch.chdir(tmp_path)
    for domain in ("trainA", "trainB"):
        (tmp_path / "2024" / domain).mkdir(parents=True)
        picture(1).save(tmp_path / "2024" / domain / "1.png")
    Path("train.yaml").write_text(yaml.safe_dump(tiny_settings("cyclegan", Path("x"), Path("run"), run__steps=1)))
    result = translate("train", "train.yaml", "--data.root", "2024", "--run.dir", "007", "--title", "Horse: day")
    assert result.returncode == 0, result.stderr
    assert TrainConfig.load("007").title == "Horse: day"
