"""Feature extractors: by name, from files, and what happens without a network."""

from __future__ import annotations

import hashlib
import pickle
import socketserver
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
import torchvision.models

from tests.conftest import picture
from translate.errors import UserError
from translate.evaluation import extractors
from translate.evaluation.classifier import ClassifierConfig, DomainClassifier, save_classifier
from translate.evaluation.extractors import open_extractor
from translate.features.weights import published_weights, read_weights

CLOSED = "http://127.0.0.1:9/file-12345678.pth"
"""Port 9 is closed on any machine that does not discard on purpose."""


@pytest.fixture
def torch_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An address and the folder whose files are there."""
    folder = tmp_path / "served"
    folder.mkdir()
    httpd: socketserver.BaseServer = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_address[1]}", folder  # type: ignore[index]
    httpd.shutdown()
    httpd.server_close()


def pictures() -> list[np.ndarray]:
    return [np.asarray(picture(seed, size)) for seed, size in ((1, (40, 40)), (2, (40, 40)), (3, (64, 48)))]


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "mine.safetensors"
    safetensors.torch.save_file(torchvision.models.resnet18(weights=None).state_dict(), path)
    return path


def test_a_torchvision_model_with_weights_from_a_file(resnet: Path) -> None:
    extractor = open_extractor("resnet18", weights=resnet)
    features = extractor.features(pictures())
    assert features.shape == (3, 512)
    assert "resnet18" in extractor.name and "mine.safetensors" in extractor.name
    assert extractor.resize.startswith("224×224")
    # An image's features do not depend on its company, its depth, or whether its grey has one channel or three.
    for at, image in enumerate(pictures()):
        torch.testing.assert_close(extractor.features([image])[0], features[at], rtol=1e-4, atol=1e-5)
    deep = [pictures()[0].astype(np.uint16) * 257]
    torch.testing.assert_close(extractor.features(deep)[0], features[0], rtol=1e-4, atol=1e-5)
    grey = pictures()[0][:, :, :1]
    torch.testing.assert_close(extractor.features([grey]), extractor.features([np.repeat(grey, 3, axis=2)]))


def test_features_are_those_before_the_last_layer(resnet: Path) -> None:
    network = torchvision.models.resnet18(weights=None)
    network.load_state_dict(safetensors.torch.load_file(resnet))
    image = np.asarray(picture(4, (224, 224)))
    seen: list[torch.Tensor] = []
    network.fc.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    mean, deviation = (
        torch.tensor(values).view(1, 3, 1, 1) for values in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    )
    with torch.no_grad():
        network.eval()((torch.from_numpy(image.copy()).permute(2, 0, 1)[None] / 255 - mean) / deviation)
    found = open_extractor("resnet18", weights=resnet).features([image])
    torch.testing.assert_close(found, seen[0], rtol=1e-4, atol=1e-5)


def test_other_channels_than_grey_or_rgb_are_refused(resnet: Path) -> None:
    with pytest.raises(UserError, match="5 channels"):
        open_extractor("resnet18", weights=resnet).features([np.zeros((40, 40, 5), np.uint8)])


def test_a_domain_classifier_is_an_extractor_and_a_judge(tmp_path: Path) -> None:
    config = ClassifierConfig(domains={"a": "day", "b": "night"}, width=4, stages=2, size=32, dataset="days")
    classifier = DomainClassifier(config).eval()
    extractor = open_extractor(save_classifier(tmp_path / "judge", classifier, config))
    features = extractor.features(pictures())
    assert features.shape == (3, 8)
    assert extractor.classifier is not None
    assert "day, night" in extractor.name and "32×32" in extractor.resize


@pytest.mark.parametrize(
    ("name", "weights", "words"),
    [
        ("resnet19", None, "no feature network resnet19"),
        ("no/such/folder", None, "no domain classifier"),
        ("resnet34", "mine", "does not hold the weights of resnet34"),
    ],
)
def test_mistakes(name: str, weights: str | None, words: str, resnet: Path) -> None:
    with pytest.raises(UserError, match=words):
        open_extractor(name, weights=resnet if weights else None)


def test_without_a_network_inception_says_what_to_do_instead(torch_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extractors, "INCEPTION_URL", CLOSED)
    with pytest.raises(UserError, match=r"inception cannot get its weights.*put the file at.*translate classifier"):
        open_extractor("inception")
    assert not list(torch_home.glob("*.pth"))


class _Boom:
    def __reduce__(self) -> Any:
        return (pytest.fail, ("unpickled",))


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "evil.pth"
    with path.open("wb") as file:
        pickle.dump({"weight": _Boom()}, file)
    with pytest.raises(UserError, match=r"Cannot read the weights .*evil\.pth"):
        read_weights(path)
    with pytest.raises(UserError, match=r"Cannot read the weights .*evil\.pth"):
        open_extractor("inception", weights=path)


def test_published_weights_are_fetched_once_and_checked(torch_home: Path, server: tuple[str, Path]) -> None:
    address, folder = server
    digest = hashlib.sha256(b"weights").hexdigest()
    name = f"net-{digest[:8]}.pth"
    (folder / name).write_bytes(b"weights")
    assert published_weights(f"{address}/{name}") == torch_home / name
    (folder / name).unlink()
    assert published_weights(f"{address}/{name}").read_bytes() == b"weights"

    (folder / "net-00000000.pth").write_bytes(b"other")
    with pytest.raises(UserError, match="not the file that its name promises"):
        published_weights(f"{address}/net-00000000.pth")
    assert not (torch_home / "net-00000000.pth").exists()


def test_inception_from_a_server(torch_home: Path, server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """torch-fidelity's network with random weights, which are served as the published ones are."""
    package = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    torch.manual_seed(0)
    with monkeypatch.context() as patch:
        kind = package.FeatureExtractorInceptionV3
        patch.setattr(package, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(kind, "load_state_dict", lambda *_, **__: None)
        state = kind("any", ["2048"]).state_dict()
    address, folder = server
    torch.save(state, folder / "inception.pth")
    monkeypatch.setattr(extractors, "INCEPTION_URL", f"{address}/inception.pth")
    extractor = open_extractor("inception")
    assert extractor.features(pictures()).shape == (3, 2048)
    assert extractor.name == "inception"
