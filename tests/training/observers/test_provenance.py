"""What a checkpoint says about its run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import tiny_settings
from translate.checkpoints.card import model_card
from translate.config import TrainConfig
from translate.training.observers.provenance import describe_checkpoint


@pytest.mark.parametrize(("weight", "networks"), [(0.0, []), (1.0, ["vgg16"])])
def test_a_checkpoint_names_the_feature_networks_it_was_trained_against(
    weight: float, networks: list[str], tmp_path: Path
) -> None:
    tree = tiny_settings("pix2pix", tmp_path, tmp_path / "run")
    tree["model"]["lambda_perceptual"] = weight
    about = describe_checkpoint(TrainConfig.build(tree), 3, 0.5, 1, 1.0, "a processor")
    assert about.provenance.features == networks
    assert ("Trained against" in model_card(about)) == bool(networks)
