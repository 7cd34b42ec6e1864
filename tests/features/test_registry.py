"""Which network a name means."""

from __future__ import annotations

from pathlib import Path

import pytest

from translate.errors import UserError
from translate.features import FeatureNetwork, feature_names, load_features, register_features, register_file_format
from translate.features import registry as module


@pytest.fixture(autouse=True)
def _registers_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOADERS", dict(module._LOADERS))
    monkeypatch.setattr(module, "_FORMATS", {})


def test_a_registered_name_gets_the_file_of_weights(tiny: FeatureNetwork) -> None:
    asked: list[Path | None] = []

    def loader(weights: Path | None, progress: object) -> FeatureNetwork:
        asked.append(weights)
        return tiny

    register_features("tiny", loader)
    assert load_features("tiny") is tiny
    assert load_features("tiny", "mine.pth") is tiny
    assert asked == [None, Path("mine.pth")]
    assert feature_names() == ["lite0", "lite1", "tiny"]


def test_a_folder_or_its_file_is_opened_by_what_knows_it(tiny: FeatureNetwork, tmp_path: Path) -> None:
    opened: list[Path] = []

    def opener(path: Path) -> FeatureNetwork:
        opened.append(path)
        return tiny

    register_file_format("judge.json", opener)
    (tmp_path / "judge.json").write_text("{}")
    (tmp_path / "judge.safetensors").write_text("")
    for path in (tmp_path, tmp_path / "judge.safetensors"):
        assert load_features(path) is tiny
        assert opened[-1] == path
    with pytest.raises(UserError, match="has its own weights"):
        load_features(tmp_path, "other.pth")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet19", "no feature network resnet19: it is lite0, lite1, .*a torchvision model"),
        ("no/such/folder", "no/such/folder is no domain classifier"),
        ("nothing.safetensors", "nothing.safetensors is no domain classifier"),
    ],
)
def test_names_that_mean_nothing(name: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        load_features(name)
