"""Issue 19, 11 and 14: the environment variables that W&B documents are honoured, and an empty one means none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import tiny_settings
from translate.config import TrainConfig
from translate.errors import UserError
from translate.tracking.weights_and_biases import choose_mode
from translate.training.trainer import train


@pytest.mark.parametrize("name", ["WANDB_MODE", "WANDB_CONSOLE", "WANDB_PROJECT", "WANDB_RESUME"])
def test_empty_variables_mean_none(name: str, home: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "")
    assert choose_mode("auto") == "offline"


def test_a_variable_that_is_refused_is_named(home: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "sometimes")
    with pytest.raises(UserError, match="WANDB_MODE"):
        choose_mode("auto")


VARIABLES = {
    "WANDB_PROJECT": "stripes",
    "WANDB_NAME": "night run",
    "WANDB_ENTITY": "zoo",
    "WANDB_TAGS": "a,b",
    "WANDB_RUN_GROUP": "sweep",
}


@pytest.mark.parametrize("given", [False, True])
def test_variables_are_honoured_and_settings_win(
    given: bool, home: None, unpaired: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    seen: list[tuple[Any, ...]] = []
    begin = wandb.init

    def init(**arguments: Any) -> Any:
        run = begin(**arguments)
        seen.append((run.project, run.name, run.entity, run.tags, run.group))
        return run

    monkeypatch.setattr(wandb, "init", init)
    tree = tiny_settings("cyclegan", unpaired, tmp_path / "run", run__steps=1)
    tree["tracking"] = {"mode": "offline"}
    if given:
        tree["tracking"] |= {"project": "mine", "entity": "me", "tags": ["c"], "group": "g"}
    train(TrainConfig.build(tree))
    expected = (
        ("mine", "night run", "me", ("c",), "g") if given else ("stripes", "night run", "zoo", ("a", "b"), "sweep")
    )
    assert seen == [expected]
