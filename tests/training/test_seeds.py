"""The same run with several seeds: what is in the summary, and that only what is unfinished is trained."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import tiny_settings
from translate.cli import main
from translate.config import TrainConfig
from translate.errors import UserError
from translate.tracking.history import read_history
from translate.training import seeds, trainer
from translate.training.seeds import summarise, table, train_seeds


def settings(root: Path, run: Path) -> TrainConfig:
    tree = tiny_settings("cyclegan", root, run, run__seed=5)
    tree["evaluation"] = {"every": 2, "extractor": "none", "size": 32}
    return TrainConfig.build(tree)


def test_a_run_is_repeated_and_its_metrics_summarised(
    unpaired: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings(unpaired, tmp_path / "runs")
    path = train_seeds(config, 2)
    written = json.loads(path.read_text())
    assert [run["seed"] for run in written["runs"].values()] == [5, 6]
    histories = [read_history(tmp_path / "runs" / f"seed-{number}" / "history.jsonl") for number in range(2)]
    assert histories[0][0]["G_total"] != histories[1][0]["G_total"]
    last = [history[-1]["val/cycle_l1_a2b"] for history in histories]
    final = written["summary"]["final"]["cycle_l1_a2b"]
    assert final["mean"] == pytest.approx(sum(last) / 2)
    assert final["deviation"] == pytest.approx(abs(last[0] - last[1]) / math.sqrt(2))
    assert (final["least"], final["most"], final["runs"]) == (min(last), max(last), 2)

    # A third seed is added, and the two that are finished are not trained again.
    trained: list[int] = []
    original = trainer.train_step

    def count(learner: Any, batch: Any, step: int, lr_factor: float = 1.0) -> Any:
        trained.append(learner.config.run.seed)
        return original(learner, batch, step, lr_factor)

    monkeypatch.setattr(trainer, "train_step", count)
    again = json.loads(train_seeds(config, 3, resume=True).read_text())
    assert set(trained) == {7}
    assert again["runs"]["seed-0"] == written["runs"]["seed-0"]
    assert again["summary"]["final"]["cycle_l1_a2b"]["runs"] == 3


def history(run: Path, rows: list[dict[str, float]]) -> Path:
    run.mkdir()
    (run / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return run


def test_mean_and_spread_by_hand(tmp_path: Path) -> None:
    runs = [
        history(tmp_path / f"seed-{n}", [{"step": 1, "val/kid_a2b": 9.0}, {"step": 2, "val/kid_a2b": v}, {"step": 3}])
        for n, v in enumerate((1.0, 2.0, 6.0))
    ]
    summary = summarise(runs)
    assert summary["final"]["kid_a2b"] == {
        "mean": 3.0,
        "deviation": pytest.approx(math.sqrt(7)),
        "least": 1.0,
        "most": 6.0,
        "runs": 3,
    }
    assert table(summary) == (["", "final", "best"], [["kid_a2b", *["3 ± 2.6 (1 to 6)"] * 2]])


def test_runs_that_measure_nothing_are_refused_before_they_are_trained(unpaired: Path, tmp_path: Path) -> None:
    config = settings(unpaired, tmp_path / "runs")
    config.evaluation.every = 0
    with pytest.raises(UserError, match=r"evaluation\.every"):
        train_seeds(config, 2)
    assert not (tmp_path / "runs").exists()


def test_the_command_shows_the_table(unpaired: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = settings(unpaired, tmp_path / "runs")
    config.run.steps = 2
    config.save(tmp_path / "train.yaml")
    with pytest.raises(SystemExit) as left:
        main(["train", str(tmp_path / "train.yaml"), "--seeds", "2"])
    assert not left.value.code
    shown = capsys.readouterr().out
    assert "cycle_l1_a2b" in shown
    assert "±" in shown
    assert (tmp_path / "runs" / seeds.SUMMARY_FILE).is_file()
