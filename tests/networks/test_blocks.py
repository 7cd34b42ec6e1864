from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from translate.networks import (
    build_discriminator,
    build_generator,
    discriminator_config,
    generator_config,
    synchronise,
    use_image_statistics,
)

SMALL = {
    "resnet": generator_config(width=4, blocks=2, init="kaiming"),
    "compact": generator_config(width=4, blocks=2, separable=True, upsample="resize", norm="batch", init="kaiming"),
    "unet": generator_config("unet", size=32, width=4, norm="batch", init="kaiming"),
}


def image(batch: int = 1, channels: int = 3, side: int = 64) -> Tensor:
    return torch.rand(batch, channels, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1


def kernel(init: str, gain: float = 0.02) -> Tensor:
    config = generator_config(**({"width": 16, "blocks": 2, "init": init, "init_gain": gain}))
    return build_generator(config).get_parameter("blocks.0.conv1.weight").detach()  # 64 to 64 channels, 3×3


@pytest.mark.parametrize(
    ("init", "deviation"),
    [("normal", 0.02), ("xavier", 0.02 * (2 / (64 * 9 + 64 * 9)) ** 0.5), ("kaiming", (2 / (64 * 9)) ** 0.5)],
)
def test_weights_are_drawn_with_the_deviation_of_the_initialisation(init: str, deviation: float) -> None:
    torch.manual_seed(0)
    weight = kernel(init)
    assert float(weight.std()) == pytest.approx(deviation, rel=0.02)
    assert abs(float(weight.mean())) < 0.05 * deviation


def test_orthogonal_filters_are_orthogonal() -> None:
    rows = kernel("orthogonal", gain=0.5).flatten(1)
    assert torch.allclose(rows @ rows.T, 0.25 * torch.eye(64), atol=1e-5)


def test_biases_start_at_zero_and_batch_norm_around_one() -> None:
    torch.manual_seed(0)
    generator = build_generator(generator_config(norm="batch", blocks=1, init_gain=0.1))
    norm = generator.state_dict()["blocks.0.norm1.weight"]
    assert float(norm.mean()) == pytest.approx(1.0, abs=0.05)
    assert float(norm.std()) == pytest.approx(0.1, rel=0.2)
    for network in (generator, build_generator(generator_config(width=4, blocks=1))):
        assert all(not tensor.any() for name, tensor in network.named_parameters() if name.endswith("bias"))


def test_the_same_seed_gives_the_same_weights() -> None:
    states = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        states.append(build_generator(SMALL["unet"]).state_dict()["down.1.conv.weight"])
    assert torch.equal(states[0], states[1]) and not torch.equal(states[0], states[2])


@pytest.mark.parametrize("name", ["unet", "compact"])
def test_image_statistics_are_those_of_batch_norm_training_on_one_image(name: str) -> None:
    generator = build_generator(SMALL[name])
    images = image(batch=3)
    with torch.no_grad():
        for norm in generator.modules():
            if isinstance(norm, nn.BatchNorm2d):
                nn.init.normal_(norm.weight, 1.0, 0.3)
                nn.init.normal_(norm.bias, 0.0, 0.3)
        one_by_one = torch.cat([generator(single[None]) for single in images])
        running = generator.eval()(images)
        by_image = use_image_statistics(generator)(images)
    assert torch.allclose(by_image, one_by_one, atol=1e-5)
    assert not torch.allclose(by_image, running, atol=1e-2)
    assert not any("running" in key for key in generator.state_dict())


def test_image_statistics_change_nothing_where_there_is_no_batch_norm() -> None:
    generator = build_generator(SMALL["resnet"]).eval()
    before = generator(image())
    assert torch.equal(use_image_statistics(generator)(image()), before)


def test_synchronised_batch_norm_trains_as_batch_norm_in_one_process() -> None:
    torch.manual_seed(0)
    plain = build_generator(SMALL["unet"])
    shared = build_generator(SMALL["unet"].model_copy(update={"norm": "sync_batch"}))
    shared.load_state_dict(plain.state_dict())
    assert torch.equal(plain(image(2)), shared(image(2)))
    assert torch.equal(plain.state_dict()["down.1.norm.running_var"], shared.state_dict()["down.1.norm.running_var"])


def test_synchronise_touches_only_networks_that_ask_for_it() -> None:
    for norm, expected in (("sync_batch", True), ("batch", False)):
        network = build_discriminator(discriminator_config(**({"width": 4, "norm": norm})), 3)
        keys, weight = list(network.state_dict()), network.get_parameter("layers.1.norm.weight").clone()
        assert synchronise(network) is network
        assert any(isinstance(layer, nn.SyncBatchNorm) for layer in network.modules()) is expected
        assert any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules()) is not expected
        assert list(network.state_dict()) == keys
        assert torch.equal(network.get_parameter("layers.1.norm.weight"), weight)


def test_image_statistics_replace_synchronised_batch_norm_too() -> None:
    network = synchronise(build_generator(SMALL["unet"].model_copy(update={"norm": "sync_batch"})))
    use_image_statistics(network)
    assert not any(isinstance(layer, nn.SyncBatchNorm) for layer in network.modules())
    assert network.eval()(image()).isfinite().all()


def test_spectral_norm_bounds_every_convolution() -> None:
    torch.manual_seed(0)
    networks = [
        build_generator(SMALL["compact"].model_copy(update={"spectral_norm": True})),
        build_generator(SMALL["unet"].model_copy(update={"spectral_norm": True})),
        build_discriminator(discriminator_config(width=4, spectral_norm=True, init_gain=1.0), 3),
    ]
    for network in networks:
        with torch.no_grad():
            for _ in range(30):
                network(image())  # one power iteration each
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                rows = layer.weight.detach()
                rows = rows.transpose(0, 1).flatten(1) if isinstance(layer, nn.ConvTranspose2d) else rows.flatten(1)
                assert float(torch.linalg.matrix_norm(rows, 2)) == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize("name", SMALL)
def test_channels_last_gives_the_same_image(name: str) -> None:
    generator = build_generator(SMALL[name]).eval()
    with torch.no_grad():
        expected = generator(image())
        generator.to(memory_format=torch.channels_last)
        made = generator(image().to(memory_format=torch.channels_last))
    assert made.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(made, expected, atol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_export_keeps_height_and_width_free(name: str) -> None:
    config = SMALL[name]
    generator = build_generator(config).eval()
    sides = {
        2: config.multiple * torch.export.Dim("rows", min=2),
        3: config.multiple * torch.export.Dim("columns", min=2),
    }
    program = torch.export.export(generator, (image(side=3 * config.multiple),), dynamic_shapes=(sides,))
    other = torch.rand(1, 3, 2 * config.multiple, 4 * config.multiple)
    assert torch.allclose(program.module()(other), generator(other), atol=1e-5)


@pytest.mark.parametrize("name", [*SMALL, "patch"])
def test_compile_finds_one_graph(name: str) -> None:
    config = SMALL.get(name)
    network = build_generator(config) if config else build_discriminator(discriminator_config(width=4), 3)
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True)
    with torch.no_grad():
        assert torch.allclose(compiled(image()), network(image()), atol=1e-5)
