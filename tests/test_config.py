"""Settings: one tree behind the flags, the presets and config.json."""

from __future__ import annotations

from pathlib import Path

import pytest

from translate.checkpoints.settings import CheckpointConfig
from translate.commands.train import parse_overrides
from translate.config import TrainConfig
from translate.errors import UserError
from translate.models.cyclegan import CycleGANConfig
from translate.models.pix2pix import Pix2PixConfig
from translate.networks import generator_config


def test_defaults_are_the_papers() -> None:
    pix2pix, cyclegan = Pix2PixConfig(), CycleGANConfig()
    assert (pix2pix.generator.architecture, pix2pix.generator.size, pix2pix.generator.dropout) == ("unet", 256, True)
    assert (pix2pix.objective, pix2pix.lambda_L1, pix2pix.discriminators[0].norm) == ("bce", 100, "batch")
    assert (cyclegan.generator.architecture, cyclegan.generator.blocks, cyclegan.generator.norm) == (
        "resnet",
        9,
        "instance",
    )
    assert (cyclegan.objective, cyclegan.lambda_A, cyclegan.lambda_B) == ("lsgan", 10, 10)
    assert (cyclegan.lambda_identity, cyclegan.pool_size) == (0.5, 50)


def test_a_change_in_a_nested_section_keeps_the_models_other_defaults() -> None:
    config = TrainConfig.build({"model": {"name": "pix2pix", "generator": {"width": 32}}})
    assert config.model.generator == Pix2PixConfig().generator.model_copy(update={"width": 32})


def test_flags_override_the_file(tmp_path: Path) -> None:
    file = tmp_path / "train.yaml"
    file.write_text("model: {name: pix2pix}\nrun: {epochs: 3}\ndata: {crop_size: 128}\n")
    flags = ["--data.crop_size=64", "--run.steps", "7", "--data.strict", "--run.compile", "off", "--optim.lr", "1e-4"]
    config = TrainConfig.load(file, parse_overrides(flags))
    assert (config.data.crop_size, config.data.strict, config.optim.lr) == (64, True, 1e-4)
    assert (config.run.steps, config.run.epochs, config.run.compile) == (7, None, "off")


def test_settings_survive_the_file(tmp_path: Path) -> None:
    config = TrainConfig.build({"model": {"name": "pix2pix"}, "data": {"direction": "BtoA", "augment": [{"Blur": {}}]}})
    config.save(tmp_path / "config.yaml")
    assert TrainConfig.load(tmp_path / "config.yaml") == config
    assert config.data.direction == "b2a"


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        ({"optim": {"learning_rate": 1}}, r"optim\.learning_rate: no such setting"),
        ({"optim": {"lr": "fast"}}, r"optim\.lr: .*valid number"),
        (
            {"model": {"generator": {"architecture": "unet", "size": 48}}},
            r"model\.generator: size must be a power of two",
        ),
        ({"model": {"name": "cut", "lambda_perceptual": 1.0}}, r"model: lambda_perceptual compares reconstructions"),
        ({"run": {"steps": 3, "epochs": 3}}, r"run\.steps or run\.epochs, not both"),
        ({"model": {"generator": {"in_channels": 1}}}, r"identity loss needs as many channels"),
        ({"model": {"name": "stylegan"}}, r"model: .*stylegan"),
        ({"model": {"generator": {"attention": True}}}, r"model\.generator: attention is no longer supported"),
    ],
)
def test_a_wrong_setting_is_named(tree: dict[str, object], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        TrainConfig.build(tree)


def test_files_of_the_time_when_generators_could_have_attention_are_still_read() -> None:
    assert generator_config(attention=False, width=8) == generator_config(width=8)
    assert "attention" not in generator_config().model_dump()


def test_a_missing_or_broken_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Cannot read the settings .*nowhere\.yaml"):
        TrainConfig.load(tmp_path / "nowhere.yaml")
    (tmp_path / "broken.yaml").write_text("a: [1,")
    with pytest.raises(UserError, match="not valid YAML"):
        TrainConfig.load(tmp_path / "broken.yaml")


def test_words_that_are_no_settings_are_refused() -> None:
    with pytest.raises(UserError, match="crop_size"):
        parse_overrides(["crop_size", "3"])


def test_direction_names_its_ends() -> None:
    config = CheckpointConfig(name="x", domains={"a": "horse", "b": "zebra"}, generators={"a2b": generator_config()})
    assert config.ends("a2b") == ("horse", "zebra")
    assert config.ends("b2a") == ("zebra", "horse")
