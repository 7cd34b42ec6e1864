"""Further judges: their numbers, the label they look for, and that nobody judges what was trained against it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.evaluation.conftest import image_set, tinted
from translate.errors import UserError
from translate.evaluation import judges as module
from translate.evaluation.classifier import ClassifierConfig, DomainClassifier, load_classifier, save_classifier
from translate.evaluation.extractors import Extractor
from translate.evaluation.judges import Judge, Judges, know, open_judges, partial_judges
from translate.evaluation.measure import Measured, lower_is_better, measure
from translate.evaluation.result import Evaluation
from translate.features import Backbone, FeatureNetwork, load_features

RED, BLUE = (190, 70, 60), (60, 80, 190)
LABELS = ("red", "green", "blue", "dark", "light", "grey", "pale")


class Colours(Backbone):
    """Features are the three mean colours; the first three classes are those colours, and four more score less."""

    def __init__(self) -> None:
        super().__init__()
        self.channels = {1: 3}
        self.register_buffer("less", torch.full((4,), -9.0))

    def maps(self, images: Tensor, strides: object) -> list[Tensor]:
        return [images]

    def embedding(self, images: Tensor) -> Tensor:
        return images.mean(dim=(2, 3))

    def classify(self, embedding: Tensor) -> Tensor:
        return torch.cat([embedding, self.less.expand(len(embedding), -1)], dim=1)  # type: ignore[operator]


class Embedding(nn.Module):
    def __init__(self, features: FeatureNetwork) -> None:
        super().__init__()
        self.features = features

    def forward(self, images: Tensor) -> Tensor:
        return self.features.embed(images.float() / 127.5 - 1)


@pytest.fixture
def judge() -> Judge:
    network = FeatureNetwork(
        Colours(), name="timm/colours.v1", title="mean colours", licence="", source="", size=16, labels=LABELS
    )
    return Judge(
        Extractor("colours", "none", Embedding(network), torch.device("cpu"), None, network),
        network,
        network.label("blue"),
    )


@pytest.fixture
def panel(judge: Judge) -> Judges:
    return Judges(judge.extractor, None, None, [], [judge], "blue")


def test_shares_of_a_label(panel: Judges) -> None:
    red, blue = know(image_set(tinted(RED, 4)), "a", panel), know(image_set(tinted(BLUE, 4)), "b", panel)
    made = [*blue.images.images[:3], red.images.images[3]]
    values, rows = measure(made, red, blue, panel, paired=False)
    assert values["top1_colours-v1"] == 0.75
    assert (values["top1_colours-v1_source"], values["top1_colours-v1_real"]) == (0, 1)
    assert values["top5_colours-v1"] == values["top5_colours-v1_source"] == 1
    assert [row["rank_colours-v1"] for row in rows[:3]] == [1, 1, 1]
    assert rows[3]["rank_colours-v1"] in (2, 3)


def test_a_judges_distances_are_the_extractors_where_the_network_is_the_same(panel: Judges) -> None:
    red = know(image_set(tinted(RED, 6)), "a", panel, tinted(RED, 6, seed=3))
    blue = know(image_set(tinted(BLUE, 6)), "b", panel, tinted(BLUE, 6, seed=4))
    values, _ = measure(tinted((125, 75, 125), 6, seed=5), red, blue, panel, paired=False)
    for name in ("kid", "fid", "kid_error", "kid_untranslated", "fid_untranslated", "kid_real", "kid_improvement"):
        base, _, rest = name.partition("_")
        assert values[f"{base}_colours-v1{'_' + rest if rest else ''}"] == pytest.approx(values[name])
    assert values["kid_colours-v1"] < values["kid_colours-v1_untranslated"]


def test_without_a_label_there_are_distances_alone(panel: Judges, judge: Judge) -> None:
    mute = replace(panel, panel=[replace(judge, label=None)], label="")
    red, blue = know(image_set(tinted(RED, 4)), "a", mute), know(image_set(tinted(BLUE, 4)), "b", mute)
    values, rows = measure(blue.images.images, red, blue, mute, paired=False)
    assert "kid_colours-v1" in values
    assert not [name for name in values if name.startswith("top")] and "rank_colours-v1" not in rows[0]


def test_the_table_names_judge_and_label() -> None:
    values = {"kid_lite1": 0.044, "kid_lite1_error": 0.002, "top1_lite1": 0.77, "background_changed": 0.0195}
    result = Evaluation(
        checkpoint="c", title="", data="d", split="val", paired=False, swapped=False, extractor="", resize="",
        classifier="", lpips="", directions=[Measured("a2b", "horse", "zebra", values)], settings={}, environment={},
        judges={"lite1": "EfficientNet-Lite1"}, label="zebra",
    )  # fmt: skip
    rows = {row[0]: row[1] for row in result.table()[1]}
    assert rows == {
        "Called zebra by lite1": "77 %",
        "KID by lite1": "0.0440 ± 0.0020",
        "Background changed": "1.95 %",
    }
    assert result.as_dict()["judges"] == {"lite1": "EfficientNet-Lite1"}


@pytest.mark.parametrize(
    ("name", "lower"),
    [
        ("kid_lite1_a2b", True),
        ("fid_lite0", True),
        ("background_changed_b2a", True),
        ("kid_lite1_improvement_a2b", False),
        ("top1_lite1_a2b", False),
        ("ssim", False),
    ],
)
def test_which_way_is_better(name: str, lower: bool) -> None:
    assert lower_is_better(name) == lower


def test_nobody_judges_what_was_trained_against_it(panel: Judges) -> None:
    assert partial_judges(panel, ["lite0"], "zebras") == []
    with pytest.raises(UserError, match=r"zebras was trained against timm/colours\.v1.*--same-judge"):
        partial_judges(panel, ["lite0", "timm/colours.v1"], "zebras")
    (note,) = partial_judges(panel, ["timm/colours.v1"], "zebras", insist=True)
    assert "its numbers are too good" in note


def test_every_network_among_the_judges_is_asked(judge: Judge) -> None:
    network = judge.network
    assert Judges(judge.extractor, None, None, []).networks() == [network.name]
    assert Judges(None, None, None, [], [judge]).networks() == [network.name]
    assert Judges(None, None, None, [], structure=network).networks() == [network.name]
    with_lpips = Judges(None, None, object(), [])  # type: ignore[arg-type]
    assert with_lpips.networks() == ["alexnet"]
    with pytest.raises(UserError, match="--no-lpips"):
        partial_judges(with_lpips, ["alexnet"], "zebras")


def test_a_label_without_a_judge_is_asked_of_lite1(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def opened(name: str, **_: object) -> Extractor:
        asked.append(name)
        return judge.extractor

    monkeypatch.setattr(module, "open_extractor", opened)
    judges = open_judges("none", lpips=False, label="blue")
    assert asked == ["lite1"]
    assert (judges.panel[0].label, judges.label) == (2, "blue")
    assert open_judges("none", lpips=False, panel=["one", "two", "one"]).panel[0].label is None
    assert asked == ["lite1", "one", "two"]
    with pytest.raises(UserError, match="no class violet"):
        open_judges("none", lpips=False, label="violet")


def test_a_domain_classifier_is_a_feature_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = ClassifierConfig(domains={"a": "day", "b": "night"}, width=4, stages=2, size=32, dataset="days")
    folder = save_classifier(tmp_path / "judge", DomainClassifier(config), config)
    classifier, _ = load_classifier(folder)
    features = load_features(folder)
    x = torch.rand(2, 3, 32, 32) * 2 - 1
    first = classifier.stages[0](classifier.stem(x))
    torch.testing.assert_close(features(x, (8, 4)), [classifier.stages[1](first), first], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(features.embed(x), classifier.features(x), rtol=1e-4, atol=1e-5)
    assert [features.channels(stride) for stride in features.strides] == [4, 8]
    assert features.strides == (4, 8)
    assert "day, night" in features.name
    with pytest.raises(UserError, match="no classifier of ImageNet"):
        features.label("day")


def test_grey_images_of_many_channels_are_left_to_others(panel: Judges) -> None:
    many = [np.zeros((16, 16, 5), np.uint8)] * 2
    assert know(image_set(many), "a", Judges(None, None, None, [], panel.panel)).by_judge == {}
