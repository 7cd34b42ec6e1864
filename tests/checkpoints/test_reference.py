"""The reference implementation's files, against its architectures restated here: names by hand, no layers of ours."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from translate.checkpoints.folder import read_config
from translate.checkpoints.format import load_generator, save_checkpoint
from translate.checkpoints.reference import (
    discriminator_from_reference,
    discriminator_to_reference,
    export_reference,
    from_reference,
    import_reference,
    to_reference,
)
from translate.checkpoints.settings import CheckpointConfig
from translate.errors import UserError
from translate.networks import (
    GeneratorConfig,
    build_discriminator,
    build_generator,
    discriminator_config,
    generator_config,
)

RESNETS = [
    generator_config(**({"width": 4, "blocks": blocks, "norm": norm, "dropout": dropout}))
    for blocks, norm, dropout in [
        (6, "batch", False),
        (9, "instance", False),
        (2, "none", False),
        (6, "batch", True),
        (2, "instance", True),
        (1, "none", True),
        (0, "instance", False),
    ]
]
UNETS = [
    generator_config(**({"architecture": "unet", "width": 4, "size": size, "norm": norm}))
    for size, norm in [(32, "batch"), (64, "instance"), (32, "none"), (256, "batch")]
]


UNET32_INNERMOST = "model.model.1.model.3.model.3.model.3.model.1.weight"


def name_of(config: GeneratorConfig) -> str:
    extent = f"unet{config.size}" if config.architecture == "unet" else f"resnet{config.blocks}"
    return f"{extent}-{config.norm}{'-dropout' if config.dropout else ''}"


def randomised(network: nn.Module, seed: int = 0) -> nn.Module:
    """Weights with which each layer shows in the output; also what training starts at 0 or 1 is something else."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2.0, generator=generator)
        elif tensor.is_floating_point():
            spread = 0.2 if tensor.ndim == 1 else (tensor[0].numel()) ** -0.5
            tensor.normal_(float(name.endswith("norm.weight")), spread, generator=generator)
    return network.eval()


def made_by(config: GeneratorConfig, seed: int = 0) -> tuple[nn.Module, dict[str, Tensor]]:
    """One of our generators with random weights, and its weights as the reference would hold them."""
    generator = randomised(build_generator(config), seed)
    return generator, to_reference(generator.state_dict(), config)


def image(config: GeneratorConfig, batch: int = 1) -> Tensor:
    side = max(16, config.multiple)
    return torch.rand(batch, config.in_channels, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1


class Reference:
    """What the reference's generators compute in eval mode from a state dict; `used` are the names it has read."""

    def __init__(self, state: dict[str, Tensor], norm: str) -> None:
        self.state, self.norm, self.used = state, norm, set[str]()

    def tensor(self, name: str) -> Tensor:
        self.used.add(name)
        return self.state[name]

    def bias(self, name: str, always: bool) -> Tensor | None:
        return self.tensor(f"{name}.bias") if always or self.norm == "instance" else None

    def conv(self, x: Tensor, name: str, stride: int = 1, padding: int = 0, always_bias: bool = False) -> Tensor:
        return F.conv2d(x, self.tensor(f"{name}.weight"), self.bias(name, always_bias), stride, padding)

    def grow(self, x: Tensor, name: str, padding: int, output_padding: int, always_bias: bool = False) -> Tensor:
        weight, bias = self.tensor(f"{name}.weight"), self.bias(name, always_bias)
        return F.conv_transpose2d(x, weight, bias, stride=2, padding=padding, output_padding=output_padding)

    def normed(self, x: Tensor, name: str) -> Tensor:
        if self.norm == "none":
            return x
        if self.norm == "instance":
            mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), correction=0, keepdim=True)
            return (x - mean) / (variance + 1e-5).sqrt()
        self.tensor(f"{name}.num_batches_tracked")
        leaves = ("running_mean", "running_var", "weight", "bias")
        mean, variance, weight, bias = (self.tensor(f"{name}.{leaf}")[:, None, None] for leaf in leaves)
        return (x - mean) / (variance + 1e-5).sqrt() * weight + bias

    def resnet(self, x: Tensor, blocks: int, dropout: bool) -> Tensor:
        x = F.relu(self.normed(self.conv(F.pad(x, [3] * 4, "reflect"), "model.1"), "model.2"))
        x = F.relu(self.normed(self.conv(x, "model.4", stride=2, padding=1), "model.5"))
        x = F.relu(self.normed(self.conv(x, "model.7", stride=2, padding=1), "model.8"))
        for index in range(10, 10 + blocks):
            block = f"model.{index}.conv_block"
            y = self.conv(F.pad(x, [1] * 4, "reflect"), f"{block}.1")
            y = F.pad(F.relu(self.normed(y, f"{block}.2")), [1] * 4, "reflect")
            x = x + self.normed(self.conv(y, f"{block}.{6 if dropout else 5}"), f"{block}.{7 if dropout else 6}")
        for index in (10 + blocks, 13 + blocks):
            x = F.relu(self.normed(self.grow(x, f"model.{index}", 1, 1), f"model.{index + 1}"))
        x = F.pad(x, [3] * 4, "reflect")
        return torch.tanh(self.conv(x, f"model.{17 + blocks}", always_bias=True))

    def unet(self, x: Tensor, levels: int) -> Tensor:
        outer = self.conv(x, "model.model.0", stride=2, padding=1)
        inner = self.unet_level(outer, "model.model.1.model", levels - 1)
        return torch.tanh(self.grow(F.relu(inner), "model.model.3", 1, 0, always_bias=True))

    def unet_level(self, x: Tensor, name: str, levels: int) -> Tensor:
        y = self.conv(F.leaky_relu(x, 0.2), f"{name}.1", stride=2, padding=1)
        if levels == 1:
            y = self.normed(self.grow(F.relu(y), f"{name}.3", 1, 0), f"{name}.4")
        else:
            y = self.unet_level(self.normed(y, f"{name}.2"), f"{name}.3.model", levels - 1)
            y = self.normed(self.grow(F.relu(y), f"{name}.5", 1, 0), f"{name}.6")
        return torch.cat([x, y], 1)

    def __call__(self, x: Tensor, config: GeneratorConfig) -> Tensor:
        if config.architecture == "unet":
            return self.unet(x, config.size.bit_length() - 1)
        return self.resnet(x, config.blocks, config.dropout)


# -------------------------------------------------------------------------------------------------------------- weights


@pytest.mark.parametrize("config", RESNETS + UNETS, ids=name_of)
def test_weights_mean_in_the_reference_what_they_mean_here(config: GeneratorConfig) -> None:
    generator, state = made_by(config)
    reference = Reference(state, config.norm)
    with torch.no_grad():
        theirs, ours = reference(image(config), config), generator(image(config))
    assert ours.std() > 0.05
    assert torch.allclose(theirs, ours, atol=1e-5)
    assert reference.used == set(state)


@pytest.mark.parametrize("config", RESNETS + UNETS, ids=name_of)
def test_architecture_and_weights_come_back_from_names_and_shapes(config: GeneratorConfig) -> None:
    generator, state = made_by(config)
    found, back = from_reference(state)
    assert found == config
    expected = generator.state_dict()
    assert list(back) == list(expected)
    assert all(torch.equal(back[name], tensor) for name, tensor in expected.items())


@pytest.mark.parametrize("architecture", ["resnet", "unet"])
def test_channels_and_width_come_from_the_shapes(architecture: str) -> None:
    settings = {"architecture": architecture, "in_channels": 1, "out_channels": 4, "width": 5, "size": 64, "blocks": 3}
    config = generator_config(**settings)
    found, _ = from_reference(made_by(config)[1])
    assert (found.in_channels, found.out_channels, found.width) == (1, 4, 5)


def test_a_unet_with_dropout_has_the_same_weights_file() -> None:
    config = UNETS[1].model_copy(update={"dropout": True})
    assert from_reference(made_by(config)[1])[0] == UNETS[1]


@pytest.mark.parametrize("config", [RESNETS[1], UNETS[1]], ids=name_of)
def test_files_from_before_torch_0_4_and_from_several_gpus_are_understood(config: GeneratorConfig) -> None:
    generator, state = made_by(config)
    after = {"model.1": "model.2", "model.7": "model.8", "model.10.conv_block.5": "model.10.conv_block.6"}
    after |= {"model.model.1.model.1": "model.model.1.model.2"}
    old = {}
    for name, tensor in state.items():
        old[f"module.{name}"] = tensor
        conv, _, leaf = name.rpartition(".")
        if conv in after and leaf == "bias":
            old[f"module.{after[conv]}.running_mean"] = torch.full_like(tensor, 5.0)
            old[f"module.{after[conv]}.running_var"] = torch.full_like(tensor, 7.0)
    assert len(old) > len(state)
    found, back = from_reference(old)
    assert found == config
    assert all(torch.equal(back[name], tensor) for name, tensor in generator.state_dict().items())


def test_batch_norm_from_before_it_counted_batches_is_understood() -> None:
    generator, state = made_by(UNETS[0])
    found, back = from_reference({name: tensor for name, tensor in state.items() if "num_batches" not in name})
    assert found == UNETS[0]
    generator.load_state_dict(back)


@pytest.mark.parametrize(
    ("config", "change", "words"),
    [
        (RESNETS[0], lambda state: state.pop("model.8.running_mean"), "it has no model.8.running_mean"),
        (RESNETS[1], lambda state: state.update({"model.99.weight": torch.zeros(1)}), "it has model.99.weight, which"),
        (RESNETS[1], lambda state: state.update({"model.4.weight": torch.zeros(1)}), "model.4.weight has the shape"),
        (RESNETS[1], lambda state: state.pop("model.26.weight"), "not one with two downsamplings"),
        (UNETS[0], lambda state: state.pop("model.model.3.weight"), "not one of at least five levels"),
        (UNETS[0], lambda state: state.pop(UNET32_INNERMOST), "not one of at least five levels"),
        (UNETS[0], lambda state: state.clear(), "it is empty"),
    ],
)
def test_what_does_not_fit_is_said(config: GeneratorConfig, change: Callable[[Any], object], words: str) -> None:
    _, state = made_by(config)
    change(state)
    with pytest.raises(ValueError, match=words):
        from_reference(state)


PATCH_KEYS = {
    1: ["model.0", "model.2", "model.5"],
    3: ["model.0", "model.2", "model.5", "model.8", "model.11"],
}
"""Convolutions by number of layers; the norm follows each but the first and the last."""


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("layers", [1, 3, 0], ids=["1 layer", "3 layers", "pixel"])
def test_discriminators_travel_both_ways(layers: int, norm: str) -> None:
    given = {"width": 4, "norm": norm, "init": "kaiming"}
    given |= {"layers": layers} if layers else {"kind": "pixel"}
    config = discriminator_config(**given)
    network = randomised(build_discriminator(config, 6))
    state = discriminator_to_reference(network.state_dict(), config)

    convs = PATCH_KEYS[layers] if layers else ["net.0", "net.2", "net.5"]
    biased = set(convs) if norm == "instance" else {convs[0]} if not layers else {convs[0], convs[-1]}
    expected = {f"{conv}.weight" for conv in convs} | {f"{conv}.bias" for conv in biased}
    if norm == "batch":
        leaves = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
        follows = [conv.replace(conv.rpartition(".")[2], str(int(conv.rpartition(".")[2]) + 1)) for conv in convs[1:-1]]
        expected |= {f"{place}.{leaf}" for place in follows for leaf in leaves}
    assert set(state) == expected
    shapes = [state[f"{conv}.weight"].shape for conv in convs]
    assert shapes[0][1] == 6 and shapes[-1][0] == 1
    assert all(before[0] == after[1] for before, after in pairwise(shapes))  # in the order of the layers

    found, back = discriminator_from_reference({f"module.{name}": tensor for name, tensor in state.items()})
    assert found == config.model_copy(update={"init": "normal"})
    assert all(torch.equal(back[name], tensor) for name, tensor in network.state_dict().items())


def test_no_generator_is_taken_for_a_discriminator() -> None:
    with pytest.raises(ValueError, match="not a discriminator"):
        discriminator_from_reference(made_by(RESNETS[0])[1])


# --------------------------------------------------------------------------------------------------------------- import


def saved(folder: Path, name: str, config: GeneratorConfig, seed: int = 0, legacy: bool = False) -> Path:
    torch.save(made_by(config, seed)[1], folder / name, _use_new_zipfile_serialization=not legacy)
    return folder / name


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "before torch 1.6"])
@pytest.mark.parametrize("config", [RESNETS[4], UNETS[1]], ids=name_of)
def test_a_file_becomes_a_checkpoint_that_translates_the_same(
    tmp_path: Path, config: GeneratorConfig, legacy: bool
) -> None:
    file = saved(tmp_path, "latest_net_G.pth", config, legacy=legacy)
    folder = import_reference([file], tmp_path / "shoes", domains=("edges", "shoe"))
    about = read_config(folder)
    assert (about.name, about.domains) == ("shoes", {"a": "edges", "b": "shoe"})
    assert about.generators == {"a2b": config}
    assert about.image_size == (64 if config.architecture == "unet" else 256)
    assert "latest_net_G.pth" in about.provenance.model
    with torch.no_grad():
        expected = Reference(torch.load(file, weights_only=True), config.norm)(image(config), config)
        assert torch.allclose(load_generator(folder, "a2b")(image(config)), expected, atol=1e-5)


def test_half_precision_weights_are_read(tmp_path: Path) -> None:
    generator, state = made_by(RESNETS[1])
    torch.save({name: tensor.half() for name, tensor in state.items()}, tmp_path / "latest_net_G.pth")
    _, adopted = from_reference(torch.load(tmp_path / "latest_net_G.pth", weights_only=True))
    assert {tensor.dtype for tensor in adopted.values()} == {torch.float32}
    loaded = load_generator(import_reference([tmp_path / "latest_net_G.pth"], tmp_path / "out"), "a2b")
    with torch.no_grad():
        assert torch.allclose(loaded(image(RESNETS[1])), generator(image(RESNETS[1])), atol=0.05)


def test_batch_norm_normalises_by_the_image_as_the_reference_does_at_test_time(tmp_path: Path) -> None:
    file = saved(tmp_path, "latest_net_G.pth", UNETS[0])
    by_image = import_reference([file], tmp_path / "by image")
    running = import_reference([file], tmp_path / "running", statistics="running")
    generator, _ = made_by(UNETS[0])
    assert (read_config(by_image).statistics, read_config(running).statistics) == ("image", "running")
    with torch.no_grad():
        in_eval = generator(image(UNETS[0]))
        in_training = generator.train()(image(UNETS[0]))
        assert torch.allclose(load_generator(by_image, "a2b")(image(UNETS[0])), in_training, atol=1e-5)
        assert torch.allclose(load_generator(running, "a2b")(image(UNETS[0])), in_eval, atol=1e-5)
    assert not torch.allclose(in_eval, in_training, atol=1e-2)


def test_instance_norm_needs_no_choice_of_statistics(tmp_path: Path) -> None:
    file = saved(tmp_path, "latest_net_G.pth", RESNETS[1])
    assert read_config(import_reference([file], tmp_path / "out")).statistics == "running"


@pytest.mark.parametrize(
    ("names", "a2b"),
    [
        (["latest_net_G_A.pth", "latest_net_G_B.pth"], 0),
        (["200_net_G_B.pth", "200_net_G_A.pth"], 1),
        (["zebra.pth", "horse.pth"], 0),
    ],
    ids=str,
)
def test_two_files_are_both_directions(tmp_path: Path, names: list[str], a2b: int) -> None:
    files = [saved(tmp_path, name, RESNETS[4], seed) for seed, name in enumerate(names)]
    folder = import_reference(files, tmp_path / "out", name="horses", domains=("horse", "zebra"))
    assert read_config(folder).name == "horses"
    for direction, seed in (("a2b", a2b), ("b2a", 1 - a2b)):
        loaded, expected = load_generator(folder, direction).state_dict(), made_by(RESNETS[4], seed)[0].state_dict()
        assert all(torch.equal(loaded[name], tensor) for name, tensor in expected.items())


def test_a_single_file_goes_the_way_its_name_says_or_one_asks(tmp_path: Path) -> None:
    file = saved(tmp_path, "latest_net_G_B.pth", RESNETS[4])
    assert list(read_config(import_reference([file], tmp_path / "named")).generators) == ["b2a"]
    assert list(read_config(import_reference([file], tmp_path / "asked", direction="a2b")).generators) == ["a2b"]


def test_the_wrong_number_of_files_is_refused(tmp_path: Path) -> None:
    file = saved(tmp_path, "latest_net_G.pth", RESNETS[4])
    for files, direction, words in (
        ([], None, "not of 0 files"),
        ([file] * 3, None, "not of 3"),
        ([file] * 2, "b2a", "single"),
    ):
        with pytest.raises(UserError, match=words):
            import_reference(files, tmp_path / "out", direction=direction)  # type: ignore[arg-type]


class Malicious:
    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.victim),))


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "before torch 1.6"])
def test_code_in_a_file_is_refused_and_not_run(tmp_path: Path, legacy: bool) -> None:
    file, victim = tmp_path / "latest_net_G.pth", tmp_path / "victim"
    content = made_by(RESNETS[4])[1] | {"model.1.weight": Malicious(victim)}
    torch.save(content, file, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(UserError, match=r"latest_net_G\.pth holds code \(posix.mkdir\)|\(nt.mkdir\)") as refusal:
        import_reference([file], tmp_path / "out")
    assert "\n" not in str(refusal.value)
    assert not victim.exists() and not (tmp_path / "out").exists()
    pickle.loads(pickle.dumps(Malicious(victim)))
    assert victim.exists()  # the file would have done it


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "before torch 1.6"])
@pytest.mark.parametrize(
    "damage",
    [cut, lambda data: data[:-20], lambda data: data[:40], lambda data: b"", lambda data: b"<html>404</html>"],
    ids=["half", "without its end", "forty bytes", "empty", "an error page"],
)
def test_a_damaged_file_is_named(tmp_path: Path, damage: Callable[[bytes], bytes], legacy: bool) -> None:
    file = saved(tmp_path, "latest_net_G.pth", RESNETS[4], legacy=legacy)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(UserError, match=r"latest_net_G\.pth is damaged or no \.pth file") as refusal:
        import_reference([file], tmp_path / "out")
    assert "\n" not in str(refusal.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"missing\.pth: No such file"):
        import_reference([tmp_path / "missing.pth"], tmp_path / "out")
    (tmp_path / "folder.pth").mkdir()
    with pytest.raises(UserError, match=r"folder\.pth: "):
        import_reference([tmp_path / "folder.pth"], tmp_path / "out")


def test_other_networks_are_told_apart(tmp_path: Path) -> None:
    def state_of(kind: str) -> dict[str, Tensor]:
        config = discriminator_config(kind, width=4)
        return discriminator_to_reference(build_discriminator(config, 3).state_dict(), config)

    weight = nn.Parameter(torch.zeros(1))
    cases: list[tuple[object, str]] = [
        (state_of("patch"), r"discriminator \(3 layers\)"),
        (state_of("pixel"), r"discriminator \(pixel\)"),
        (nn.Linear(2, 2).state_dict(), r"entries \(weight, bias, …\)"),
        ({"state_dict": made_by(RESNETS[4])[1]}, r"more than the weights of one generator \(state_dict"),
        (torch.optim.Adam([weight]).state_dict(), r"more than the weights of one generator \(state, param_groups"),
        (torch.zeros(3), "holds a Tensor"),
        ({}, "it is empty"),
    ]
    for content, words in cases:
        torch.save(content, tmp_path / "file.pth")
        with pytest.raises(UserError, match=words):
            import_reference([tmp_path / "file.pth"], tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_a_folder_of_other_things_is_not_overwritten(tmp_path: Path) -> None:
    file = saved(tmp_path, "latest_net_G.pth", RESNETS[4])
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_bytes(b"precious")
    with pytest.raises(UserError, match="photos exists and is not a checkpoint"):
        import_reference([file], tmp_path / "photos")
    assert (tmp_path / "photos" / "one.jpg").read_bytes() == b"precious"

    folder = import_reference([file], tmp_path / "out")
    file = file.rename(folder / file.name)
    with pytest.raises(UserError, match="holds the file to import"):
        import_reference([file], folder)
    assert file.is_file()


# --------------------------------------------------------------------------------------------------------------- export


def checkpoint(folder: Path, *configs: GeneratorConfig, dtype: torch.dtype = torch.float32) -> Path:
    directions = ("a2b", "b2a")[: len(configs)]
    about = CheckpointConfig.model_validate(
        {"name": "x", "domains": {"a": "A", "b": "B"}, "generators": dict(zip(directions, configs, strict=True))}
    )
    modules = {
        direction: made_by(config, seed)[0]
        for seed, (direction, config) in enumerate(zip(directions, configs, strict=True))
    }
    return save_checkpoint(folder, about, modules, dtype)


def same(file: Path, state: dict[str, Tensor]) -> bool:
    found = torch.load(file, weights_only=True)
    return found.keys() == state.keys() and all(torch.equal(found[name], tensor) for name, tensor in state.items())


def test_one_direction_is_exported_as_pix2pix_and_two_as_cyclegan(tmp_path: Path) -> None:
    one = export_reference(checkpoint(tmp_path / "one", UNETS[3]), tmp_path / "pix2pix")
    assert one == [tmp_path / "pix2pix" / "latest_net_G.pth"]
    assert same(one[0], made_by(UNETS[3])[1])

    two = export_reference(checkpoint(tmp_path / "two", RESNETS[1], RESNETS[0]), tmp_path / "cyclegan")
    assert [file.name for file in two] == ["latest_net_G_A.pth", "latest_net_G_B.pth"]
    assert same(two[0], made_by(RESNETS[1], 0)[1]) and same(two[1], made_by(RESNETS[0], 1)[1])
    assert sorted(tmp_path.glob("cyclegan/*")) == two


def test_what_was_imported_is_exported_unchanged(tmp_path: Path) -> None:
    file = saved(tmp_path, "latest_net_G.pth", RESNETS[3])  # batch norm, whose averages the Translator leaves aside
    folder = import_reference([file], tmp_path / "folder")
    assert same(export_reference(folder, tmp_path / "out")[0], torch.load(file, weights_only=True))


def test_names_for_data_parallel_are_given_on_demand(tmp_path: Path) -> None:
    (file,) = export_reference(checkpoint(tmp_path / "x", UNETS[3]), tmp_path / "out", module_prefix=True)
    assert same(file, {f"module.{name}": tensor for name, tensor in made_by(UNETS[3])[1].items()})


def test_weights_are_exported_in_full_precision(tmp_path: Path) -> None:
    (file,) = export_reference(checkpoint(tmp_path / "x", RESNETS[0], dtype=torch.bfloat16), tmp_path / "out")
    state = torch.load(file, weights_only=True)
    assert {tensor.dtype for tensor in state.values()} == {torch.float32, torch.int64}
    assert torch.equal(state["model.1.weight"], made_by(RESNETS[0])[1]["model.1.weight"].bfloat16().float())


def test_synchronised_batch_norm_is_exported_as_batch_norm(tmp_path: Path) -> None:
    shared = RESNETS[0].model_copy(update={"norm": "sync_batch"})
    (file,) = export_reference(checkpoint(tmp_path / "x", shared), tmp_path / "out")
    assert from_reference(torch.load(file, weights_only=True))[0] == RESNETS[0]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"spectral_norm": True}, "spectral normalisation"),
        ({"upsample": "resize"}, "upsampling by resizing"),
        ({"architecture": "unet", "size": 32, "upsample": "resize"}, "upsampling by resizing"),
        ({"separable": True}, "separable blocks"),
        ({"residual": True}, "a residual output"),
        ({"norm": "none", "bias": True}, "other biases"),
        ({"padding": "zeros"}, "other padding than reflection"),
        ({"downsamplings": 3}, "another number of downsamplings than two"),
    ],
    ids=str,
)
def test_what_the_reference_cannot_build_is_refused(tmp_path: Path, settings: dict[str, object], words: str) -> None:
    config = generator_config(**({"width": 4, "blocks": 6} | settings))
    about = CheckpointConfig.model_validate(
        {"name": "x", "domains": {"a": "A", "b": "B"}, "generators": {"a2b": config}}
    )
    folder = save_checkpoint(tmp_path / "x", about, {"a2b": build_generator(config)})
    with pytest.raises(UserError, match=f"has no generator with {words}"):
        export_reference(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("config", "words"), [(RESNETS[4], "ResNet with 2 blocks"), (UNETS[1], "U-Net of 6 levels")], ids=["resnet", "unet"]
)
def test_a_depth_that_its_command_line_lacks_is_exported_with_a_warning(
    tmp_path: Path, config: GeneratorConfig, words: str
) -> None:
    with pytest.warns(UserWarning, match=words):
        (file,) = export_reference(checkpoint(tmp_path / "x", config), tmp_path / "out")
    assert same(file, made_by(config)[1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export_reference(checkpoint(tmp_path / "y", RESNETS[1]), tmp_path / "known")


def test_export_needs_a_checkpoint_with_its_weights(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a checkpoint"):
        export_reference(tmp_path, tmp_path / "out")
    folder = checkpoint(tmp_path / "x", RESNETS[1])
    (folder / "a2b.safetensors").unlink()
    with pytest.raises(UserError, match=r"a2b\.safetensors is missing"):
        export_reference(folder, tmp_path / "out")


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="Cannot write"):
        export_reference(checkpoint(tmp_path / "x", RESNETS[1]), tmp_path / "file")


# ------------------------------------------------------------------------------------------------- the reference itself


def test_outputs_equal_those_of_a_checkout_of_the_reference() -> None:
    checkout = os.environ.get("TRANSLATE_REFERENCE")
    if not checkout:
        pytest.skip("TRANSLATE_REFERENCE names no checkout of pytorch-CycleGAN-and-pix2pix")
    root = Path(__file__).parents[2]
    script = root / "benchmarks" / "reference_generators.py"
    run = subprocess.run(
        [sys.executable, str(script), "--reference", checkout, "--quick"],
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
