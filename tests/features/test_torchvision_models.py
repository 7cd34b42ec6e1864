"""torchvision's classifiers cut into stages: nothing changes in what they compute."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch
import torchvision.models

from translate.errors import UserError
from translate.features import load_features
from translate.features.torchvision_models import TorchvisionBackbone

MAPS = {
    "vgg11": {1: 64, 2: 128, 4: 256, 8: 512, 16: 512, 32: 512},
    "alexnet": {4: 64, 8: 192, 16: 256, 32: 256},
    "resnet50": {2: 64, 4: 256, 8: 512, 16: 1024, 32: 2048},  # its bottlenecks begin a stage at the old size
    "mobilenet_v3_small": {2: 16, 4: 72, 8: 96, 16: 288, 32: 576},
    "convnext_tiny": {4: 96, 8: 192, 16: 384, 32: 768},  # its blocks are channels last inside
    "vit_b_16": {},
}


@pytest.mark.parametrize("name", MAPS)
def test_stages_compute_what_the_network_does(name: str) -> None:
    torch.manual_seed(0)
    network = torchvision.models.get_model(name, weights=None).eval()
    size = 224 if name == "vit_b_16" else 96
    x = torch.rand(1, 3, size, size)
    with torch.inference_mode():
        wanted = network(x)
        backbone = TorchvisionBackbone(network, 224).eval()
        torch.testing.assert_close(backbone.classify(backbone.embedding(x)), wanted, rtol=0, atol=0)
        maps = backbone.maps(x, list(backbone.channels)) if backbone.channels else []
    assert backbone.channels == MAPS[name]
    assert [made.shape[1] for made in maps] == list(MAPS[name].values())


def test_vgg_offers_the_layers_of_the_perceptual_loss() -> None:
    torch.manual_seed(0)
    network = torchvision.models.vgg16(weights=None).eval()
    x = torch.rand(1, 3, 48, 48)
    wanted, features = [], x
    for index, layer in enumerate(network.features[:23]):
        features = layer(features)
        if index in (3, 8, 15, 22):
            wanted.append(features)
    found = TorchvisionBackbone(network, 224).maps(x, (1, 2, 4, 8))
    torch.testing.assert_close(found, wanted, rtol=0, atol=0)


def test_weights_from_a_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = torchvision.models.resnet18(weights=None)
    safetensors.torch.save_file(network.state_dict(), tmp_path / "mine.safetensors")
    features = load_features("resnet18", tmp_path / "mine.safetensors")
    assert "mine.safetensors" in features.title
    assert (features.size, features.name, features.label("zebra")) == (224, "resnet18", 340)
    assert features.embed(torch.zeros(1, 3, 50, 60)).shape == (1, 512)
    with pytest.raises(UserError, match=r"mine\.safetensors does not hold the weights of resnet34"):
        load_features("resnet34", tmp_path / "mine.safetensors")
