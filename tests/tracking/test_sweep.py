"""The sweep file, its four runs with the real client offline."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPOSITORY, tiny_settings
from translate.cli import main
from translate.runs.listing import differences, list_runs
from translate.tracking.offline import logged_rows, records

SWEEP = REPOSITORY / "datasets" / "horse2zebra" / "sweep.yaml"


def test_the_four_runs_of_the_sweep_are_tracked_offline(
    home: None, unpaired: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wandb.proto.wandb_internal_pb2 import Record

    sweep = yaml.safe_load(SWEEP.read_text(encoding="utf-8"))
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny_settings("cyclegan", unpaired, tmp_path, run__steps=2)))
    names = list(sweep["parameters"])
    grid = list(product(*(sweep["parameters"][name]["values"] for name in names)))
    monkeypatch.chdir(tmp_path)
    for number, values in enumerate(grid):
        monkeypatch.setenv("WANDB_RUN_ID", f"night{number}")  # as the agent does
        args = [f"--{name}={value}" for name, value in zip(names, values, strict=True)]
        words = [word for word in sweep["command"] if not word.startswith(("${", "--run.steps", "--evaluation"))]
        words[words.index("horse2zebra")] = "tiny.yaml"
        with pytest.raises(SystemExit) as left:
            main([*words, *args, "--tracking.mode=offline"])
        assert not left.value.code

    found = sorted(list_runs(tmp_path / "runs"), key=lambda run: run.name)
    assert [run.name for run in found] == [f"sweep-night{number}" for number in range(4)]
    columns = {name: [values[place] for values in grid] for place, name in enumerate(names)}
    assert dict(differences(found)) == columns
    for number, run in enumerate(found):
        (file,) = run.folder.glob(f"wandb/offline-run-*/run-night{number}.wandb")
        assert [row["_step"] for row in logged_rows(file)] == [1, 2]
        assert logged_rows(file)[0]["lr_discriminator"] == run.config.optim.lr_discriminator
        told = next(
            about for contents, _ in records(file.read_bytes()) if (about := Record.FromString(contents).run).run_id
        )
        assert told.run_group == "horse2zebra-sweep"


def test_every_parameter_of_the_sweep_is_a_setting() -> None:
    from translate.commands.train import parse_overrides
    from translate.config import TrainConfig

    sweep = yaml.safe_load(SWEEP.read_text(encoding="utf-8"))
    words = [word for word in sweep["command"] if word.startswith("--")]
    for name, parameter in sweep["parameters"].items():
        for value in parameter["values"]:
            TrainConfig.load(SWEEP.with_name("train.yaml"), parse_overrides([*words, f"--{name}={value}"]))
