"""The Train tab's handlers: who may do what, and that nothing of an upload stays behind."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

gr = pytest.importorskip("gradio", reason="the studio needs gradio")

from tests.studio.trained import note, trained_run  # noqa: E402
from translate.data.report import inspect_folder  # noqa: E402
from translate.runs import processes  # noqa: E402
from translate.studio import app, visitors  # noqa: E402
from translate.studio.cards import dataset_report, run_comparison, run_progress, sample_sheet  # noqa: E402
from translate.studio.training import pictures  # noqa: E402

WISHES = ("Mine", "horse", "zebra", "quick", 128, "cyclegan", "a2b", False, "")


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLATE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(processes, "_launch", lambda run, *options: note(run))


@pytest.fixture
def unrelated(unpaired: Path) -> Path:
    """Unpaired images whose names do not suggest otherwise."""
    for path in list(unpaired.rglob("*.png")):
        path.rename(path.with_name(f"{path.parent.name}-{path.name}"))
    return unpaired.rename(unpaired.with_name("unrelated"))


def handler(runs: Path, name: str, private: bool = True) -> Any:
    """A handler of the tab, whose answer is told by the labels and ids of what it changes."""
    (found,) = [fn for fn in app.build(runs, private=private).fns.values() if fn.name == name]

    def call(*arguments: Any) -> dict[str, Any]:
        answer = found.fn(*arguments)
        return {str(getattr(part, "elem_id", None) or part): update for part, update in answer.items()}

    return call


def bar(done: Any, desc: str = "") -> None:
    """Stands in for Gradio's progress."""


def found_in(root: Path) -> pictures.Found:
    return pictures.taken(inspect_folder(root), root, root.name, is_upload=False)


def zipped(root: Path, archive: Path) -> dict[str, str]:
    with zipfile.ZipFile(archive, "w") as file:
        for path in root.rglob("*.png"):
            file.write(path, Path("inside") / path.relative_to(root))
    return {"path": str(archive), "orig_name": "horse2zebra.zip"}


def test_a_folder_is_looked_at_and_offered(unrelated: Path, paired: Path, tmp_path: Path) -> None:
    told = handler(tmp_path / "runs", "look")(f'"{unrelated}"', None, bar)
    assert "6 in trainA and 5 in trainB" in told["train-report"]["value"]
    assert "CycleGAN" in told["train-report"]["value"]
    assert told["train-choices"]["visible"]
    assert told["train-name"] == "unrelated"
    assert told["train-model"]["value"] == "cyclegan"
    told = handler(tmp_path / "runs", "look")(str(paired), None, bar)
    assert "8 pairs" in told["train-report"]["value"]
    assert told["train-model"]["value"] == "pix2pix"


def test_pairs_that_do_not_match_are_offered_as_unpaired(unpaired: Path, tmp_path: Path) -> None:
    call = handler(tmp_path / "runs", "look")
    told = call(str(unpaired), None, bar)  # the same names in both folders, but one more in A
    assert "no partner" in told["train-report"]["value"]
    models = told["train-model"]
    expected = {("CycleGAN (unpaired images)", "cyclegan"), ("pix2pix (paired images)", "pix2pix")}
    assert expected <= set(models["choices"])
    assert (models["value"], models["visible"]) == ("cyclegan", True)
    refused = handler(tmp_path / "runs", "begin")(found_in(unpaired), "", *WISHES[:5], "pix2pix", *WISHES[6:])
    assert "no partner" in refused["estimate"]
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("wish", ["", "/nowhere/at/all", __file__])
def test_a_folder_that_is_none_is_a_sentence(tmp_path: Path, wish: str) -> None:
    told = handler(tmp_path / "runs", "look")(wish, None, bar)
    assert 'role="alert"' in told["train-report"]["value"]
    assert "Something went wrong" not in told["train-report"]["value"]
    assert told["train-choices"]["visible"] is False


def test_an_open_studio_reads_no_folders_of_its_computer(unpaired: Path, tmp_path: Path) -> None:
    told = handler(tmp_path / "runs", "look", private=False)(str(unpaired), None, bar)
    assert dataset_report.ZIP_ONLY in told["train-report"]["value"]
    further = (*WISHES[:-1], "model.perceptual_weights: /etc/passwd")
    handler(tmp_path / "runs", "begin", private=False)(found_in(unpaired), "token", *further)
    assert "passwd" not in (tmp_path / "runs" / "mine" / "config.yaml").read_text()


@pytest.mark.parametrize(
    ("host", "auth", "share", "private"),
    [
        ("127.0.0.1", None, False, True),
        ("[::1]", None, False, True),
        ("0.0.0.0", None, False, False),
        ("0.0.0.0", ("ada", "secret"), False, True),
        ("127.0.0.1", None, True, False),
        ("127.0.0.1", ("ada", "secret"), True, True),
    ],
)
def test_when_a_studio_is_private(host: str, auth: object, share: bool, private: bool) -> None:
    assert visitors.is_private(host, auth, share) is private


def test_an_upload_becomes_the_runs_own_and_nothing_else_stays(unrelated: Path, tmp_path: Path) -> None:
    cache, runs = tmp_path / "cache", tmp_path / "runs"
    upload = zipped(unrelated, tmp_path / "upload.zip")
    first = handler(runs, "unpack")(upload, None, bar)
    assert first["train-name"] == "horse2zebra"
    assert (first["train-a"], first["train-b"]) == ("horse", "zebra")
    (earlier,) = [value for value in first.values() if isinstance(value, pictures.Found)]
    second = handler(runs, "unpack")(upload, earlier, bar)
    (found,) = [value for value in second.values() if isinstance(value, pictures.Found)]
    assert not earlier.root.exists()
    handler(runs, "begin")(found, "", *WISHES)
    assert len(list((runs / "mine" / "data" / "trainA").iterdir())) == 6
    assert not list(cache.rglob("*.png"))


def test_an_upload_that_is_no_zip_or_of_no_use_is_a_sentence(tmp_path: Path) -> None:
    text = tmp_path / "text.zip"
    text.write_text("no zip")
    empty = tmp_path / "empty.zip"
    with zipfile.ZipFile(empty, "w") as file:
        file.writestr("notes.txt", "no picture")
    for archive in (text, empty):
        told = handler(tmp_path / "runs", "unpack")({"path": str(archive), "orig_name": "mine.zip"}, None, bar)
        words = told["train-report"]["value"]
        assert "mine.zip" in words
        assert str(tmp_path) not in words
    assert not list((tmp_path / "cache").glob("*"))


def test_one_training_at_a_time(unpaired: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    first = handler(runs, "begin")(found_in(unpaired), "", *WISHES)
    assert first["train-watch"]["visible"]
    second = handler(runs, "begin")(found_in(unpaired), "", "Other", *WISHES[1:])
    assert "Another training is running" in second["estimate"]
    assert [run.name for run in runs.iterdir()] == ["mine"]


def test_visitors_of_an_open_studio_see_and_steer_their_own_only(unpaired: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    handler(runs, "begin", private=False)(found_in(unpaired), "ada", *WISHES)
    mine = handler(runs, "come_back", private=False)("ada")
    assert mine["train-watch"]["visible"]
    others = handler(runs, "come_back", private=False)("bob")
    assert "train-watch" not in others
    assert visitors.visible_runs(runs, "bob", private=False) == []
    assert visitors.visible_runs(runs, "", private=False) == []
    handler(runs, "pause", private=False)("mine", "bob", {})  # which must not stop this very process
    assert processes.read_note(runs / "mine") == processes.running(runs / "mine")
    assert "ada" not in (runs / "mine" / visitors.OWNER_FILE).read_text()


def test_only_what_changed_is_sent(tmp_path: Path) -> None:
    run = trained_run(tmp_path, "mine", run__steps=100)
    note(run)
    call = handler(tmp_path, "tick")
    first = call("mine", "", {})
    (sent,) = [value for value in first.values() if isinstance(value, dict) and "charts" in value]
    again = call("mine", "", sent)
    skipped = [part for part, value in again.items() if value == gr.skip()]
    assert len(skipped) == 3
    note(run, outcome="finished")
    ended = call("mine", "", sent)
    assert any("Use it in Translate" in str(value) for value in ended.values())


def test_words_of_others_are_escaped(tmp_path: Path) -> None:
    from translate.runs.listing import read_run

    evil = "<script>alert()</script>"
    run = read_run(trained_run(tmp_path, "mine", title=evil, data__domain_A=evil, dataset=evil))
    note(run.folder, outcome="failed", reason=evil)
    run = read_run(run.folder)
    for made in (
        run_progress.progress(run),
        run_progress.live_curves(run),
        sample_sheet.sheet(run),
        run_comparison.listing([run], []),
        run_comparison.about(run),
        run_comparison.comparison([run], True),
        run_comparison.sure(run),
    ):
        assert "<script" not in made
