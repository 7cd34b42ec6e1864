"""The real client of W&B, in the test's own home, without an account."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tracking.service import Service


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody is logged in, whatever this machine knows; the client starts anew and is ended after."""
    wandb = pytest.importorskip("wandb")
    wandb.teardown()
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_MODE", "WANDB_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("HOME", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    yield
    wandb.teardown()


@pytest.fixture
def service(home: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A stand-in for the service, and an account that is logged in there."""
    with Service() as started:
        for name, value in started.environment().items():
            monkeypatch.setenv(name, value)
        yield started
        started.hangs = False
        started.shutdown()
