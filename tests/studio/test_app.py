"""The page as Gradio knows it, and the server's manners."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

gr = pytest.importorskip("gradio", reason="the studio needs gradio")
httpx = pytest.importorskip("httpx")

from gradio.route_utils import delete_files_created_by_app  # noqa: E402
from PIL import Image  # noqa: E402

from tests.conftest import picture  # noqa: E402
from tests.studio.tiny import tiny_run  # noqa: E402
from translate.checkpoints import zoo  # noqa: E402
from translate.errors import UserError  # noqa: E402
from translate.studio import app  # noqa: E402
from translate.studio.cards import messages  # noqa: E402
from translate.studio.events import delete_later  # noqa: E402
from translate.studio.translating import photos  # noqa: E402


@pytest.fixture
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A computer without any checkpoint; its (empty) folder of runs."""
    monkeypatch.setenv("TRANSLATE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(zoo, "BUILT_IN", tmp_path / "built-in")
    return tmp_path / "runs"


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """Launch the studio without waiting for Ctrl+C; gives the address that it prints."""
    monkeypatch.setattr(gr.Blocks, "block_thread", lambda self: None)
    monkeypatch.setattr(app, "_warm_up", lambda opened: None)

    def launched(**options: Any) -> str:
        app.launch(**options)
        return capsys.readouterr().out.split(" at ")[1].split(" ")[0].rstrip("/")

    yield launched
    gr.close_all()


def handlers(page: Any) -> dict[str, Any]:
    return {fn.name: fn for fn in page.fns.values() if fn.fn is not None}


def test_asking_for_options_does_not_load_gradio() -> None:
    script = "import sys, translate.studio, translate.cli; print('gradio' in sys.modules, 'torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", "False"]


def test_the_page_is_made_without_torch() -> None:
    script = "import sys; from translate.studio import build; build(); print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False"]


def test_analytics_are_off(nothing: Path) -> None:
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert not app.build(nothing).analytics_enabled


def test_the_api_has_two_documented_endpoints(nothing: Path) -> None:
    page = app.build(nothing)
    named = page.get_api_info()["named_endpoints"]
    assert set(named) == {"/translate", "/checkpoints"}
    assert [each["parameter_name"] for each in named["/translate"]["parameters"]] == [
        "image",
        "checkpoint",
        "direction",
    ]
    assert "a2b" in named["/translate"]["description"]
    assert named["/checkpoints"]["returns"][0]["type"]["type"] == "array"
    public = {fn.api_name for fn in page.fns.values() if fn.api_visibility != "private"}
    assert public == {"translate", "checkpoints"}


def test_one_translation_at_a_time_and_a_bounded_queue(nothing: Path) -> None:
    page = app.build(nothing)
    working = [handlers(page)[name] for name in ("show", "translate")]
    assert {(fn.concurrency_id, fn.concurrency_limit) for fn in working} == {("translate", 1)}
    assert 0 < page._queue.max_size < 100


def test_without_checkpoints_the_page_says_how_to_get_one(nothing: Path) -> None:
    page = app.build(nothing)
    told = handlers(page)["refresh"].fn()
    updates = {type(part).__name__: update for part, update in told.items()}
    assert updates["HTML"]["visible"]
    assert updates["Column"]["visible"] is False
    for way in ("translate pull model", "translate import", "translate train"):
        assert way in updates["HTML"]["value"]
    assert updates["HTML"]["value"] == messages.welcome()


def test_pictures_are_kept_where_other_users_cannot_look(nothing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    app.build(nothing)
    assert Path(os.environ["GRADIO_TEMP_DIR"]).stat().st_mode & 0o077 == 0


def test_a_taken_port_is_a_sentence(nothing: Path, address: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"{port} is taken"):
            address(port=port, runs=nothing)


def test_a_foreign_address_is_a_sentence(nothing: Path, address: Any) -> None:
    with pytest.raises(UserError, match=r"192\.0\.2\.1"):  # TEST-NET-1: nobody's (RFC 5737)
        address(host="192.0.2.1", runs=nothing)


@pytest.mark.parametrize("auth", ["ada", "ada:", ":secret"])
def test_auth_needs_both_parts(nothing: Path, address: Any, auth: str) -> None:
    with pytest.raises(UserError, match="colon"):
        address(auth=auth, runs=nothing)


def test_manners_of_the_server(nothing: Path, address: Any, tmp_path: Path) -> None:
    (tmp_path / "private.txt").write_text("private")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    where = address(port=port, auth="ada:se:cret", runs=nothing)
    assert where == f"http://127.0.0.1:{port}"
    for path in ("/config", "/gradio_api/info"):
        assert httpx.get(where + path).status_code == 401
    client = httpx.Client(base_url=where)
    assert client.post("/login", data={"username": "ada", "password": "wrong"}).status_code == 400
    assert client.post("/login", data={"username": "ada", "password": "se:cret"}).status_code == 200
    assert client.get("/gradio_api/info").status_code == 200
    for file in (tmp_path / "private.txt", Path(app.__file__), Path("pyproject.toml").resolve()):
        assert client.get(f"/gradio_api/file={file}").status_code in (403, 404)
    assert client.get("/monitoring").status_code >= 400


def test_the_next_port_is_taken_where_none_was_asked_for(nothing: Path, address: Any) -> None:
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # somebody else has it, which is as good
            stack.enter_context(socket.create_server(("127.0.0.1", 7860)))
        assert int(address(runs=nothing).rsplit(":", 1)[1]) > 7860


def test_too_large_an_upload_is_refused(nothing: Path, address: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "MAX_UPLOAD", "2kb")
    where = address(runs=nothing)

    def upload(size: int) -> int:
        return int(httpx.post(f"{where}/gradio_api/upload", files={"files": ("photo.jpg", b"x" * size)}).status_code)

    assert upload(1000) == 200
    assert upload(5000) == 413


def test_what_takes_minutes_does_not_keep_the_rest_waiting(nothing: Path) -> None:
    page = app.build(nothing)
    long = [fn for fn in page.fns.values() if fn.concurrency_id == "long"]
    assert len(long) == 2  # Batch and Video, one of them at a time
    assert {fn.concurrency_limit for fn in long} == {1}
    assert {fn.concurrency_id for fn in page.fns.values()} > {"long", "translate"}


def test_pytorch_waits_until_the_page_is_in_the_browser(nothing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "PAGE_TAKES", 0)
    monkeypatch.setattr(app, "WAIT_FOR_PAGE", 60)
    page = app.build(nothing)
    warming = threading.Thread(target=app._warm_up, args=(page.opened,), daemon=True)
    warming.start()
    warming.join(0.3)
    assert warming.is_alive()
    handlers(page)["set"].fn()  # which every load of the page calls
    warming.join(60)
    assert not warming.is_alive()


def test_files_are_deleted_when_they_are_an_hour_old(nothing: Path, tmp_path: Path) -> None:
    """Gradio looks every so often for what is too old: uploads, what components serve, and what tabs added to that."""
    assert app.CACHE_SECONDS == 3600
    page = app.build(nothing)
    assert page.delete_cache == (3600, 3600)
    young, old = tmp_path / "young.png", tmp_path / "old.png"
    (served,) = [block for block in page.blocks.values() if getattr(block, "elem_id", None) == "result"]
    for path in (young, old):
        path.touch()
        delete_later(served, path)
    page.upload_file_set.add(str(old))
    delete_files_created_by_app(page, age=3600)
    assert young.exists()
    delete_files_created_by_app(page, age=0)
    assert not old.exists()


def test_a_studio_with_a_password_serves_who_knows_it(nothing: Path, address: Any, tmp_path: Path) -> None:
    """As the API tab says: `Client(…, auth=("name", "password"))`; nobody else gets a picture."""
    gradio_client = pytest.importorskip("gradio_client")
    tiny_run(nothing, "tiny")
    picture(1, (48, 32)).save(tmp_path / "photo.png")
    where = address(auth="ada:secret", runs=nothing)
    options: dict[str, Any] = {"verbose": False, "analytics_enabled": False, "download_files": tmp_path / "got"}
    with pytest.raises(Exception, match=r"(?i)auth|login|credentials"):
        gradio_client.Client(where, **options)
    client = gradio_client.Client(where, auth=("ada", "secret"), **options)
    made = client.predict(gradio_client.handle_file(tmp_path / "photo.png"), "tiny", "", api_name="/translate")
    with Image.open(made) as image:
        assert image.size == (48, 32)


def test_too_many_pixels_are_a_sentence_of_the_api(
    nothing: Path, address: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gradio_client = pytest.importorskip("gradio_client")
    monkeypatch.setattr(photos, "MAX_MEGAPIXELS", 0.001)
    tiny_run(nothing, "tiny")
    picture(1, (48, 32)).save(tmp_path / "photo.png")
    client = gradio_client.Client(address(runs=nothing), verbose=False, analytics_enabled=False)
    with pytest.raises(gradio_client.exceptions.AppError, match=r"photo\.png has .* megapixels"):
        client.predict(gradio_client.handle_file(tmp_path / "photo.png"), "tiny", "", api_name="/translate")
