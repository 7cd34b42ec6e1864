"""Weights & Biases: training never fails or waits because it is away, and nothing is sent without a login or the
user's word.

A thread of its own talks to W&B, so that a service that hangs costs the training nothing. Where the service does not
answer at the start, the run is tracked offline and `wandb sync` brings it there later.

W&B takes every step once and in order. A run that was killed goes on from a state before its last logged step, so
steps come again: those that W&B holds already are not sent again (an exact resume makes the same numbers), and rows
that got lost on the way are sent after, from history.jsonl.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import secrets
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, Literal, cast

import numpy as np
from PIL import Image

from translate.errors import UserError
from translate.tracking.environment import drop_empty_variables, project_name, refused_variables
from translate.tracking.history import read_history
from translate.tracking.offline import last_logged_step, mend, wait_for_end
from translate.tracking.settings import TrackedSettings

Mode = Literal["online", "offline", "disabled"]
Pair = tuple[np.ndarray, np.ndarray]


INIT_SECONDS = 30
"""How long the service may take to answer before the run is tracked offline."""
FINISH_SECONDS = 60
"""How long the end of a run may take to send what is left; what is not sent by then stays on disk for `wandb sync`."""
TABLE_ROWS, TABLE_SIDE = 16, 256
"""Bounds of a table of samples: images of a direction, and pixels of their longer side."""

log = logging.getLogger(__name__)


def choose_mode(wish: str) -> Mode:
    """online, offline or disabled. `auto` heeds WANDB_MODE, then is online where an account is logged in, else offline.

    Raises UserError where a mode that needs wandb was asked for and the package, or for `online` a login, is missing.
    """
    if wish == "disabled":
        return "disabled"
    if importlib.util.find_spec("wandb") is None:
        if wish == "auto":
            return "disabled"
        raise UserError(f"--tracking.mode {wish} needs Weights & Biases: pip install 'translate-images[track]'.")
    drop_empty_variables()
    if wish == "auto" and os.environ.get("WANDB_MODE") in ("online", "offline", "disabled"):
        wish = os.environ["WANDB_MODE"]
    if wish in ("offline", "disabled"):
        return cast(Mode, wish)
    try:
        logged_in = _client().login(prompt=False, verify=False)
    except ValueError as error:  # pydantic's, of the client's own settings
        raise refused_variables(error) from error
    if logged_in:
        return "online"
    if wish == "online":
        raise UserError("Tracking online needs a W&B account: run `wandb login`, or take --tracking.mode offline.")
    return "offline"


class Tracker:
    """One run in W&B. No call waits for it, but for the end; what fails is said once, and the training goes on.

    Args:
        config: all settings of the run; they are sent along.
        folder: of the run. What W&B writes goes to `folder`/wandb. The rows of its history.jsonl that W&B has not got
            are sent first.
        run_id: of the run that is continued; None for a new one.
    """

    def __init__(self, config: TrackedSettings, folder: Path, run_id: str | None) -> None:
        self.settings, self.config = config.tracking, config.dump()
        self.name = os.environ.get("WANDB_NAME") or config.name or folder.name
        self.folder = folder
        self.mode = choose_mode(config.tracking.mode)
        self.run_id = run_id
        if self.mode == "disabled":
            return
        self.run_id = run_id or os.environ.get("WANDB_RUN_ID") or secrets.token_hex(4)  # a sweep's agent gives the id
        artifacts = config.tracking.artifacts
        self.artifacts = self.mode == "online" if artifacts is None else artifacts
        self.held = -1
        """The last step that W&B has already."""
        self.exit_code = 0
        self.sent = False
        """Whether all of it has arrived at the service."""
        self.jobs: SimpleQueue[Callable[[Any], None] | None] = SimpleQueue()
        past = read_history(folder / "history.jsonl")
        self.thread = Thread(target=self._work, args=(past,), name="wandb", daemon=True)
        self.thread.start()

    # ------------------------------------------------------------------------------------------- called by the training

    def log(self, row: Mapping[str, Any]) -> None:
        """Log the numbers of one row of the history, which has a `step`."""
        self._do(lambda run: self._log(run, row["step"], _numbers(row)))

    def log_samples(self, sheet: Path, pairs: Mapping[str, Sequence[Pair]], step: int) -> None:
        """Log a sheet of samples as an image, and a table with a row for each validation image and direction.

        Args:
            sheet: the picture of all.
            pairs: for each direction, in words, input and output as (H, W, 3) uint8. The table holds at most
                `TABLE_ROWS` of each, reduced to `TABLE_SIDE` pixels.
            step: steps done.
        """

        def job(run: Any) -> None:
            wandb = _client()
            table = wandb.Table(["step", "direction", "image", "input", "output"])
            for direction, shown in pairs.items():
                for number, (source, made) in enumerate(shown[:TABLE_ROWS]):
                    table.add_data(step, direction, number, _thumbnail(source), _thumbnail(made))
            self._log(run, step, {"samples": wandb.Image(str(sheet)), "samples_table": table})

        self._do(job)

    def log_checkpoint(self, folder: Path, step: int, alias: Literal["latest", "best"]) -> None:
        """Keep a checkpoint as a version of the run's artifact. W&B calls the newest version `latest` in any case."""

        def job(run: Any) -> None:
            artifact = _client().Artifact(f"checkpoint-{self.run_id}", type="model", metadata={"step": step})
            try:
                artifact.add_dir(str(folder))
            except (FileNotFoundError, ValueError):
                return  # a newer one has taken its place already
            run.log_artifact(artifact, aliases=[alias, f"step-{step}"])

        if self.mode != "disabled" and self.artifacts:
            self._do(job)

    def warn(self, sentence: str) -> None:
        """Send a warning as an alert, which W&B may mail or post; offline there is nobody to send it to."""

        def job(run: Any) -> None:
            if not run.offline:
                run.alert(title=self.name, text=sentence, level=_client().AlertLevel.WARN)

        self._do(job)

    def finish(self, exit_code: int = 0) -> list[str]:
        """End the run, which W&B marks as failed where `exit_code` is not 0.

        Returns how to send what is not sent yet, in a sentence; empty where there is nothing to send.
        """
        if self.mode == "disabled":
            return []
        self.exit_code = exit_code
        self.jobs.put(None)
        self.thread.join(INIT_SECONDS + FINISH_SECONDS)
        if self.sent:
            return []
        offline = self.mode == "offline"
        sessions = f"{'offline-run' if offline else 'run'}-*-{self.run_id}"
        if not any((self.folder / "wandb").glob(sessions)):
            return []
        option = "" if offline else "--include-online "
        place = shlex.quote(str(self.folder / "wandb"))
        return [f"Tracked on this disk; to send it to Weights & Biases: wandb sync {option}{place}/{sessions}"]

    # --------------------------------------------------------------------------------------------- in W&B's own thread

    def _do(self, job: Callable[[Any], None]) -> None:
        if self.mode != "disabled":
            self.jobs.put(job)

    def _work(self, past: Sequence[Mapping[str, Any]]) -> None:
        run = self._begin()
        if run is None:
            return
        told = False
        jobs = iter(self.jobs.get, None)
        for job in chain([lambda run: self._catch_up(run, past)], jobs, [self._end]):
            try:
                job(run)
            except Exception as error:
                if not told:
                    _complain(error)
                told = True

    def _begin(self) -> Any:
        """The run at W&B; offline where the service does not answer, and None where not even that works."""
        try:
            if self.mode == "online":
                try:
                    return self._init("online")
                except Exception as error:
                    self.mode = "offline"
                    log.warning(
                        "Weights & Biases does not answer (%s); the run is tracked offline.", _first_line(error)
                    )
                    _client().teardown()  # the client's process would hold the run's id until it has an answer
            return self._init("offline")
        except Exception as error:
            _complain(error)
            return None

    def _init(self, mode: Mode) -> Any:
        wandb = _client()
        mend(self.folder / "wandb", str(self.run_id))
        tracking = self.settings
        run = wandb.init(
            project=project_name(tracking),
            entity=tracking.entity,  # what is None is what the client's environment says: WANDB_ENTITY, …
            group=tracking.group,
            tags=tracking.tags or None,
            name=self.name,
            id=self.run_id,
            resume="allow",
            mode=mode,
            dir=self.folder,
            config=self.config,
            settings=wandb.Settings(
                silent=True,
                reinit="create_new",  # whoever calls `train` may have a run of their own
                console="off",  # the progress bar is no log
                init_timeout=INIT_SECONDS,
                finish_timeout=FINISH_SECONDS,
                finish_timeout_raises=True,
            ),
        )
        if mode == "offline":
            self.held = last_logged_step(self.folder / "wandb", run.id)
        else:
            self.held = run.starting_step - 1
            (self.folder / "wandb" / "url.txt").write_text(run.url, encoding="utf-8")  # for the studio's link
        return run

    def _catch_up(self, run: Any, past: Sequence[Mapping[str, Any]]) -> None:
        """Send the rows and sheets of samples before this session that W&B has not got."""
        missing = [row for row in past if row["step"] > self.held]
        for row in missing:
            values = _numbers(row)
            sheet = self.folder / "samples" / f"step-{row['step']:08d}.png"
            if sheet.exists():
                values["samples"] = _client().Image(str(sheet))
            self._log(run, row["step"], values)

    def _end(self, run: Any) -> None:
        with suppress(TimeoutError):  # `finish` says what to do
            run.finish(exit_code=self.exit_code)
            self.sent = self.mode == "online"
        if self.mode == "offline":
            wait_for_end(Path(run.dir).parent / f"run-{self.run_id}.wandb")

    def _log(self, run: Any, step: int, values: dict[str, Any]) -> None:
        if step > self.held:
            run.log(values, step=step)


def _numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if isinstance(value, int | float) and name != "step"}


def _thumbnail(pixels: np.ndarray) -> Any:
    picture = Image.fromarray(pixels)
    picture.thumbnail((TABLE_SIDE, TABLE_SIDE))
    return _client().Image(picture, file_type="jpg")


def _client() -> Any:
    """The package wandb, told not to report its own errors home: nothing is sent that the user did not ask for."""
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    os.environ.setdefault("WANDB_SILENT", "true")
    import wandb

    return wandb


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _complain(error: Exception) -> None:
    log.warning(
        "Weights & Biases is not available (%s); the run goes on, its history is in history.jsonl.", _first_line(error)
    )
