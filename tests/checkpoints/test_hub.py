"""Checkpoints on the Hub: huggingface_hub's own client, talking to a stand-in on localhost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from tests.checkpoints import hub_server
from tests.checkpoints.hub_server import Hub, Repository
from tests.checkpoints.test_format import make_config, make_generator
from tests.conftest import picture
from translate.checkpoints import hub as module
from translate.checkpoints.folder import read_config
from translate.checkpoints.format import save_checkpoint
from translate.checkpoints.hub import pull_checkpoint, push_checkpoint
from translate.checkpoints.zoo import resolve
from translate.cli import main
from translate.commands.transfer import push
from translate.downloads.home import home
from translate.errors import UserError


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The stand-in, with somebody logged in who may write."""
    with hub_server.serve() as hub:
        monkeypatch.setenv("TRANSLATE_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("HF_TOKEN", hub_server.TOKEN)
        # What HF_ENDPOINT, HF_HUB_OFFLINE and HF_HUB_DISABLE_XET would have set before the client was imported.
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        yield hub


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint with a picture, and with what does not belong to it."""
    folder = save_checkpoint(tmp_path / "mine", make_config(name="mine", title="Mine"), {"a2b": make_generator()})
    (folder / "samples").mkdir()
    picture(0).save(folder / "samples" / "first.png")
    (folder / "notes.txt").write_text("private")
    (folder / ".hidden.png").write_text("private")
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_checkpoint_goes_up_and_comes_back(hub: Hub, folder: Path) -> None:
    page = push_checkpoint(folder, "alice/zebras")
    assert page == f"{hub.url}/alice/zebras"
    pulled = pull_checkpoint("alice/zebras")
    assert pulled == home() / "checkpoints" / "zebras"
    wanted = {name: data for name, data in files_of(folder).items() if name not in ("notes.txt", ".hidden.png")}
    assert set(wanted) == {"config.json", "a2b.safetensors", "README.md", "samples/first.png"}
    found = files_of(pulled)
    assert json.loads(found.pop("hub.json"))["repository"] == "alice/zebras"
    assert found == wanted
    assert resolve("zebras") == pulled
    assert [path.name for path in pulled.parent.iterdir()] == ["zebras"]


def test_the_commands(hub: Hub, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    push(str(folder), "alice/zebras")
    assert "translate pull model alice/zebras" in capsys.readouterr().out
    with pytest.raises(SystemExit) as left:
        main(["pull", "model", "alice/zebras", "--name", "stripes"])
    assert not left.value.code
    assert "translate run stripes IMAGE" in capsys.readouterr().out
    assert resolve("stripes") == home() / "checkpoints" / "stripes"


def test_private_stays_private(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    push_checkpoint(folder, "alice/secret", private=True)
    push_checkpoint(folder, "alice/open")
    assert hub.repositories["alice/secret"].private
    assert not hub.repositories["alice/open"].private
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(UserError, match=r"no model alice/secret on the Hub, or it is private.*hf auth login"):
        pull_checkpoint("alice/secret")
    pull_checkpoint("alice/open")


def test_a_newer_version_replaces_the_old_one_and_old_ones_can_be_had(hub: Hub, folder: Path, tmp_path: Path) -> None:
    push_checkpoint(folder, "alice/zebras")
    first = hub.repositories["alice/zebras"].branches["main"]
    pull_checkpoint("alice/zebras")
    newer = save_checkpoint(tmp_path / "newer", make_config(name="mine", title="Newer"), {"a2b": make_generator()})
    push_checkpoint(newer, "alice/zebras")
    assert read_config(pull_checkpoint("alice/zebras")).title == "Newer"
    assert read_config(pull_checkpoint(f"alice/zebras@{first}", name="older")).title == "Mine"
    with pytest.raises(UserError, match="alice/zebras has no revision nowhere"):
        pull_checkpoint("alice/zebras@nowhere")


def test_another_checkpoint_is_not_overwritten(hub: Hub, folder: Path) -> None:
    push_checkpoint(folder, "alice/zebras")
    push_checkpoint(folder, "bob/zebras")
    pull_checkpoint("alice/zebras")
    with pytest.raises(UserError, match=r"zebras holds another checkpoint.*--name"):
        pull_checkpoint("bob/zebras")
    assert pull_checkpoint("bob/zebras", name="bobs").name == "bobs"
    with pytest.raises(UserError, match=r"cannot be called \.\./up"):
        pull_checkpoint("bob/zebras", name="../up")


def test_only_a_checkpoints_own_files_are_fetched(hub: Hub, folder: Path) -> None:
    push_checkpoint(folder, "alice/zebras")
    strange = {"model.pkl": b"x", "run.py": b"x", "more/b2a.safetensors": b"x", "../../outside.png": b"x"}
    hub.repositories["alice/zebras"].commit(strange)
    assert set(files_of(pull_checkpoint("alice/zebras"))) == {
        *("config.json", "a2b.safetensors", "README.md", "samples/first.png", "hub.json")
    }
    assert not any(name in request for request in hub.requests for name in ("model.pkl", "run.py", "outside"))


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"model.safetensors": b""}, "alice/other on the Hub is no checkpoint of this program: it has no config.json"),
        ({"config.json": b"{}"}, "alice/other on the Hub/config.json does not belong to a checkpoint"),
        ({"config.json": b"<"}, "alice/other on the Hub/config.json is broken"),
        (None, r"alice/other on the Hub/a2b\.safetensors is missing"),
    ],
)
def test_what_is_no_checkpoint_does_not_appear(
    hub: Hub, folder: Path, files: dict[str, bytes] | None, sentence: str
) -> None:
    repository = hub.repositories["alice/other"] = Repository(private=False)
    repository.commit({"config.json": (folder / "config.json").read_bytes()} if files is None else files)
    with pytest.raises(UserError, match=sentence):
        pull_checkpoint("alice/other")
    assert not list((home() / "checkpoints").glob("*"))
    assert not list((home() / "checkpoints").glob(".*"))


def test_torn_weights_and_too_large_ones_do_not_appear(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    push_checkpoint(folder, "alice/zebras")
    whole = hub.repositories["alice/zebras"].branches["main"]
    hub.repositories["alice/zebras"].commit({"a2b.safetensors": b"torn"})
    with pytest.raises(UserError, match=r"alice/zebras on the Hub/a2b\.safetensors is damaged"):
        pull_checkpoint("alice/zebras")
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    with pytest.raises(UserError, match=r"alice/zebras has .*; at most .* are fetched"):
        pull_checkpoint(f"alice/zebras@{whole}")
    assert not (home() / "checkpoints" / "zebras").exists()


def test_pushing_needs_a_token_that_may(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for token, sentence in (
        (hub_server.READ_ONLY_TOKEN, "token may not write to alice/zebras"),
        ("hf_unknown", r"does not know your token.*hf auth login"),
    ):
        monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(UserError, match=sentence):
            push_checkpoint(folder, "alice/zebras")
    monkeypatch.delenv("HF_TOKEN")
    asked = len(hub.requests)
    with pytest.raises(UserError, match="hf auth login"):
        push_checkpoint(folder, "alice/zebras")
    assert len(hub.requests) == asked
    assert hub.repositories == {}


def test_mistakes_are_told(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"no name of a repository.*OWNER/NAME"):
        pull_checkpoint("alice/zebras/more")
    with pytest.raises(UserError, match="no model alice/nothing"):
        pull_checkpoint("alice/nothing")
    shutil.rmtree(folder / "samples")
    (folder / "a2b.safetensors").unlink()
    with pytest.raises(UserError, match="missing"):
        push_checkpoint(folder, "alice/zebras")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"Cannot reach the Hub at http://127\.0\.0\.1:9"):
        pull_checkpoint("alice/zebras")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="HF_HUB_OFFLINE"):
        pull_checkpoint("alice/zebras")
