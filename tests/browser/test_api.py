"""The studio's API over HTTP, with Gradio's own client, and the examples that its page shows, as they stand there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from tests.browser.conftest import PHONE, Studio, Visit

httpx = pytest.importorskip("httpx")
gradio_client = pytest.importorskip("gradio_client", reason="the studio needs gradio")


@pytest.fixture(scope="module")
def client(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("downloads")
    return gradio_client.Client(studio.url, download_files=folder, verbose=False, analytics_enabled=False)


def test_checkpoints_are_listed(client: Any) -> None:
    tiny = next(entry for entry in client.predict(api_name="/checkpoints") if entry["name"] == "tiny")
    assert tiny == {
        "name": "tiny",
        "title": "Tiny zebras",
        "summary": "Paints very small stripes.",
        "origin": "run",
        "directions": [
            {"direction": "a2b", "from": "horse", "to": "zebra"},
            {"direction": "b2a", "from": "zebra", "to": "horse"},
        ],
    }


def test_a_photo_goes_out_and_its_translations_come_back(client: Any, photo: Path) -> None:
    made = []
    for direction, name in (("a2b", "photo-zebra.png"), ("b2a", "photo-horse.png"), ("", "photo-zebra.png")):
        sent = gradio_client.handle_file(photo)
        path = Path(client.predict(sent, "tiny", direction, api_name="/translate"))
        assert path.name == name
        with Image.open(path) as image:
            assert (image.format, image.size) == ("PNG", (200, 300))
            made.append(image.tobytes())
    assert made[0] == made[2] != made[1]


@pytest.mark.parametrize(
    ("checkpoint", "direction", "words"),
    [
        ("nothing", "a2b", "tiny"),
        ("edges", "b2a", "edges has no direction b2a"),
        ("../runs/tiny", "a2b", "no checkpoint"),
    ],
)
def test_mistakes_are_sentences(client: Any, photo: Path, checkpoint: str, direction: str, words: str) -> None:
    with pytest.raises(gradio_client.exceptions.AppError, match=words):
        client.predict(gradio_client.handle_file(photo), checkpoint, direction, api_name="/translate")


def test_a_broken_file_is_a_sentence(client: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("this is text")
    with pytest.raises(gradio_client.exceptions.AppError, match=r"notes\.jpg") as caught:
        client.predict(gradio_client.handle_file(tmp_path / "notes.jpg"), "tiny", "", api_name="/translate")
    assert "Traceback" not in str(caught.value)


def test_files_of_the_server_are_no_uploads(studio: Studio) -> None:
    picture = studio.runs / "tiny" / "checkpoints" / "step-00000001" / "example.jpg"
    named = {"path": str(picture), "meta": {"_type": "gradio.FileData"}}
    endpoint = f"{studio.url}gradio_api/call/translate"
    event = httpx.post(endpoint, json={"data": [named, "tiny", ""]}).json()["event_id"]
    answer = httpx.get(f"{endpoint}/{event}").text
    assert picture.exists()
    assert "event: error" in answer
    assert "event: complete" not in answer


def test_the_events_of_the_page_are_not_part_of_the_api(client: Any) -> None:
    with pytest.raises(ValueError, match="/show"):
        client.predict(api_name="/show")


@pytest.mark.browser
def test_the_examples_of_the_page_run(visit: Visit, studio: Studio, photo: Path, tmp_path: Path) -> None:
    visit.open("API")
    visit.screenshot("desktop-api")
    python, curl = visit.page.locator(".docs pre").all_inner_texts()
    assert studio.url.rstrip("/") in python
    (tmp_path / "here").mkdir()
    shutil.copy(photo, tmp_path / "here" / "horse.jpg")
    for example, command in ((python, [sys.executable, "-c"]), (curl, ["bash", "-euo", "pipefail", "-c"])):
        if shutil.which(command[0]) is None or (example is curl and shutil.which("curl") is None):
            pytest.skip("the example needs bash and curl")
        words = [*command, example.replace("horse2zebra", "tiny")]
        answer = subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path / "here", timeout=120)
        if example is python:
            made = Path(answer.stdout.strip().splitlines()[-1].split()[-1])
            assert "tiny" in answer.stdout
        else:
            made = tmp_path / "here" / "zebra.png"
        with Image.open(made) as image:
            assert (image.format, image.size) == ("PNG", (200, 300))


@pytest.mark.browser
@pytest.mark.parametrize("visit", [PHONE], indirect=True)
def test_the_documentation_fits_a_phone(visit: Visit) -> None:
    visit.open("API")
    visit.page.locator(".docs pre").first.wait_for()
    assert visit.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]") == [390, 390]
    visit.screenshot("phone-api")


def test_twenty_at_once_are_all_served_their_own(client: Any, tmp_path: Path) -> None:
    jobs = []
    for number in range(20):
        path = tmp_path / f"photo{number}.png"
        Image.new("RGB", (40 + number, 32), (number * 12, 80, 200 - number * 8)).save(path)
        jobs.append(client.submit(gradio_client.handle_file(path), "tiny", "a2b", api_name="/translate"))
    for number, job in enumerate(jobs):
        made = Path(job.result(timeout=120))
        assert made.name == f"photo{number}-zebra.png"
        with Image.open(made) as image:
            assert image.size == (40 + number, 32)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' allocators are not held to it")
def test_memory_is_bounded_however_many_come(client: Any, studio: Studio, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1200, 1600, 3), dtype=np.uint8)
    sizes = [(1600, 1200), (300, 400), (640, 480), (1024, 768)] * 5
    photos = [tmp_path / f"{number}.jpg" for number in range(len(sizes))]
    for photo, size in zip(photos, sizes, strict=True):
        Image.fromarray(noise).resize(size).save(photo)

    def held_after_a_round() -> int:
        jobs = [client.submit(gradio_client.handle_file(photo), "tiny", "", api_name="/translate") for photo in photos]
        for job, size in zip(jobs, sizes, strict=True):
            with Image.open(job.result(timeout=180)) as image:
                assert image.size == size
        return int(psutil.Process(studio.process).memory_info().rss)

    first = held_after_a_round()
    again = [held_after_a_round() for _ in range(2)]
    assert max(again) < first + 150e6, (first, again)
