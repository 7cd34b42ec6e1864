"""Weights & Biases: training never fails because it is away, and nothing is sent without a login or the user's word."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

from translate.config import TrainConfig
from translate.errors import UserError

Mode = Literal["online", "offline", "disabled"]
log = logging.getLogger(__name__)


def choose_mode(wish: str) -> Mode:
    """online, offline or disabled. `auto` heeds WANDB_MODE, then is online where an account is logged in, else offline.

    Raises UserError where a mode that needs wandb was asked for and the package is missing.
    """
    if wish == "disabled":
        return "disabled"
    if importlib.util.find_spec("wandb") is None:
        if wish == "auto":
            return "disabled"
        raise UserError(f"--tracking.mode {wish} needs Weights & Biases: pip install 'translate-images[track]'.")
    if wish != "auto":
        return cast(Mode, wish)
    if os.environ.get("WANDB_MODE") in ("online", "offline", "disabled"):
        return cast(Mode, os.environ["WANDB_MODE"])
    import wandb

    return "online" if wandb.api.api_key else "offline"


class Tracker:
    """One run in W&B. Calls do nothing where tracking is disabled; a failing W&B is reported once and left alone."""

    def __init__(self, config: TrainConfig, folder: Path, run_id: str | None) -> None:
        """Start the run, or go on with `run_id`. Files of offline runs go to `folder`/wandb, for `wandb sync`."""
        self.run: Any = None
        self.run_id = run_id
        self.mode = choose_mode(config.tracking.mode)
        if self.mode == "disabled":
            return
        import wandb

        try:
            self.run = wandb.init(
                project=config.tracking.project,
                entity=config.tracking.entity,
                group=config.tracking.group,
                tags=config.tracking.tags,
                name=config.name or config.run.dir.name,
                id=run_id,
                resume="allow",
                mode=self.mode,
                dir=folder,
                config=config.dump(),
                settings=wandb.Settings(silent=True, init_timeout=30),
            )
            self.run_id = self.run.id
            if self.run.url:  # for the studio's link
                (folder / "wandb" / "url.txt").write_text(self.run.url, encoding="utf-8")
        except Exception as error:
            self._give_up(error)

    def log(self, row: Mapping[str, Any], step: int) -> None:
        """Log the numbers of one history row."""
        if self.run is not None:
            try:
                self.run.log(dict(row), step=step)
            except Exception as error:
                self._give_up(error)

    def log_samples(self, path: Path, step: int) -> None:
        """Log a sheet of samples."""
        if self.run is not None:
            import wandb

            try:
                self.run.log({"samples": wandb.Image(str(path))}, step=step)
            except Exception as error:
                self._give_up(error)

    def finish(self, exit_code: int = 0) -> None:
        """End the run; W&B marks it failed where exit_code is not 0."""
        if self.run is not None:
            try:
                self.run.finish(exit_code=exit_code)
            except Exception as error:
                self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        log.warning("Weights & Biases is not available (%s); the run goes on, its history is in history.jsonl.", error)
        self.run = None
