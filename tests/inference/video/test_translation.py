"""Video: every frame, its time and the sound come back; a film that cannot be made leaves nothing behind."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import translate
from tests.conftest import picture
from tests.inference.conftest import MakeCheckpoint
from translate.cli import main
from translate.errors import UserError
from translate.inference.translator import Translator
from translate.inference.video.translation import VideoOutcome, translate_video

av = pytest.importorskip("av", reason="PyAV is not installed")

RATE = 25
SOUND_RATE = 44100


def make_clip(
    path: Path,
    frames: Sequence[npt.NDArray[np.uint8]],
    *,
    times: Sequence[int] | None = None,
    rate: int = RATE,
    sound: str | None = "aac",
    rotation: int = 0,
    **settings: Any,
) -> Path:
    """A film of RGB frames at `times` (in units of 1/rate) with a sine tone of its length."""
    with av.open(str(path), "w") as made:
        made.metadata["location"] = "+48.8577+002.295/"
        height, width = frames[0].shape[:2]
        codec = {".webm": "libvpx-vp9", ".avi": "mpeg4"}.get(path.suffix, "libx264")
        stream = made.add_stream(codec, rate=rate)
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuv444p" if (width % 2 or height % 2) and codec == "libx264" else "yuv420p"
        stream.codec_context.time_base = Fraction(1, rate)
        for name, value in settings.items():
            setattr(stream.codec_context, name, value)
        if rotation:
            stream.set_display_rotation(rotation)
        tone = (
            made.add_stream(sound, rate=48000 if sound == "libopus" else SOUND_RATE, layout="mono") if sound else None
        )
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts, frame.time_base = times[index] if times else index, Fraction(1, rate)
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
        if tone is not None:
            length = (times[-1] + 1 if times else len(frames)) / rate
            wave = np.sin(np.arange(round(length * tone.rate)) * (2 * np.pi * 440 / tone.rate)).astype(np.float32) / 2
            block = av.AudioFrame.from_ndarray(wave[None], "fltp", "mono")
            block.rate, block.pts = tone.rate, 0
            made.mux(tone.encode(block))
            made.mux(tone.encode(None))
    return path


def frames_of(path: Path) -> list[Any]:
    with av.open(str(path)) as film:
        return list(film.decode(video=0))


def sound_of(path: Path) -> list[bytes]:
    """The packets of the sound as they are in the file."""
    with av.open(str(path)) as film:
        return [bytes(packet) for packet in film.demux(audio=0) if packet.size]


def pixels_of(path: Path) -> npt.NDArray[np.uint8]:
    return np.stack([frame.to_ndarray(format="rgb24") for frame in frames_of(path)])


def rgb(frame: Any) -> npt.NDArray[np.uint8]:
    """A frame's colours by BT.601, which small films have."""
    return np.asarray(frame.to_ndarray(format="rgb24", src_colorspace=5))


def in_video(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """With colour at half resolution, as films have it."""
    return rgb(av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format="yuv420p", dst_colorspace=5))


def difference(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(int) - other).mean())


def moving(count: int, size: tuple[int, int] = (64, 48)) -> list[npt.NDArray[np.uint8]]:
    scene = np.asarray(picture(1, size))
    return [np.roll(scene, index, axis=1) for index in range(count)]


@pytest.fixture
def tiny(make_checkpoint: MakeCheckpoint) -> Translator:
    return translate.load(make_checkpoint(), device="cpu", precision="float32")


def test_ten_seconds_with_sound_come_back(tiny: Translator, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "clip.mp4", moving(10 * RATE))
    calls: list[tuple[int, int | None]] = []
    outcome = translate_video(tiny, source, tmp_path / "out.mp4", progress=lambda *call: calls.append(call))
    assert outcome == VideoOutcome(250, 10.0, 64, 48, [])
    before, after = frames_of(source), frames_of(tmp_path / "out.mp4")
    assert [frame.time for frame in after] == [frame.time for frame in before]
    assert sound_of(tmp_path / "out.mp4") == sound_of(source)
    assert len(sound_of(source)) > 400
    with av.open(str(tmp_path / "out.mp4")) as film:
        assert film.duration == pytest.approx(10e6, abs=1e5)
        assert film.streams.video[0].average_rate == RATE
        assert "location" not in film.metadata
    assert calls[-1] == (250, 250)
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})
    original = rgb(before[100])
    assert difference(rgb(after[100]), in_video(tiny(original))) < 10 < 40 < difference(rgb(after[100]), original)


def test_a_rate_that_varies_goes_on_varying(tiny: Translator, tmp_path: Path) -> None:
    times = [0, 1, 2, 10, 11, 30, 31, 32, 50]
    source = make_clip(tmp_path / "clip.mkv", moving(len(times)), times=times)
    totals: list[int | None] = []
    translate_video(tiny, source, tmp_path / "out.mkv", progress=lambda done, total: totals.append(total))
    assert totals[-1] is not None  # Matroska does not count frames; an estimate does
    assert [frame.time for frame in frames_of(tmp_path / "out.mkv")] == [frame.time for frame in frames_of(source)]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".webm", ".mkv", ".avi", ".ts"])
@pytest.mark.parametrize("size", [(64, 48), (51, 37)])
def test_containers_and_odd_sizes(tiny: Translator, tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    source = make_clip(tmp_path / "clip.mp4", moving(12, size))
    outcome = translate_video(tiny, source, tmp_path / f"out{suffix}")
    made = frames_of(tmp_path / f"out{suffix}")
    assert (len(made), outcome.frames) == (12, 12)
    assert {(frame.width, frame.height) for frame in made} == {size}
    assert np.abs(np.diff([frame.time for frame in made]) - 1 / RATE).max() < 0.002
    assert len(sound_of(tmp_path / f"out{suffix}")) > 5
    assert bool(outcome.notes) == (suffix == ".webm")  # which takes no AAC


@pytest.mark.parametrize("source", ["clip.webm", "clip.avi"])
def test_containers_to_read(tiny: Translator, tmp_path: Path, source: str) -> None:
    clip = make_clip(tmp_path / source, moving(12), sound="libopus" if source == "clip.webm" else "libmp3lame")
    outcome = translate_video(tiny, clip, tmp_path / "out.mp4")
    assert outcome.frames == len(frames_of(tmp_path / "out.mp4")) == 12
    assert sound_of(tmp_path / "out.mp4") == sound_of(clip)


@pytest.mark.skipif(
    not hasattr(av.video.stream.VideoStream, "set_display_rotation"), reason="this PyAV writes no rotations"
)
@pytest.mark.parametrize("rotation", [90, -90, 180])
def test_rotation_is_kept(tiny: Translator, tmp_path: Path, rotation: int) -> None:
    """What the eye sees of the source is what the network sees, and what the eye sees of the result."""
    scene = np.zeros((48, 64, 3), np.uint8)
    scene[:, :16] = 250  # on the left
    source = make_clip(tmp_path / "clip.mp4", [scene] * 3, rotation=rotation)
    assert (frames_of(source)[0].rotation - rotation) % 360 == 0
    outcome = translate_video(tiny, source, tmp_path / "out.mp4")
    first = frames_of(tmp_path / "out.mp4")[0]
    upright = (48, 64) if rotation % 180 else (64, 48)
    assert (first.rotation, first.width, first.height) == (0, *upright)
    assert (outcome.width, outcome.height) == upright
    wanted = in_video(tiny(np.ascontiguousarray(np.rot90(scene, rotation // 90))))
    assert difference(rgb(first), wanted) < 10 < 20 < difference(rgb(first)[::-1, ::-1], wanted)


def test_batches_are_bounded_and_change_nothing(
    tiny: Translator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from translate.inference.video import film

    source = make_clip(tmp_path / "clip.mp4", moving(20))
    made: list[npt.NDArray[Any]] = []  # not the films: a level in one pixel lets the encoder choose otherwise
    whole = tiny.translate_batch

    def watched(images: npt.NDArray[Any], *arguments: Any, **settings: Any) -> Any:
        made.append(whole(images, *arguments, **settings))
        return made[-1]

    monkeypatch.setattr(tiny, "translate_batch", watched)
    translate_video(tiny, source, tmp_path / "many.mp4")
    monkeypatch.setattr(film, "BATCH_PIXELS", 64 * 48)
    translate_video(tiny, source, tmp_path / "single.mp4")
    assert [len(images) for images in made] == [20, *[1] * 20]
    assert np.abs(made[0].astype(int) - np.concatenate(made[1:])).max() <= 1
    assert len(pixels_of(tmp_path / "many.mp4")) == len(pixels_of(tmp_path / "single.mp4")) == 20


def test_memory_does_not_grow_with_the_film(tiny: Translator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames that wait to be encoded or to be translated are a few, however slow either is."""
    import time

    from translate.inference.video import film

    source = make_clip(tmp_path / "clip.mp4", moving(60), sound=None)
    read, made = 0, 0
    pixels_of_frame = film.Reader._pixels

    def counted(self: film.Reader, frame: Any) -> Any:
        nonlocal read
        read += 1
        return pixels_of_frame(self, frame)

    def slow(images: npt.NDArray[Any], *arguments: Any, **settings: Any) -> Any:
        nonlocal made
        time.sleep(0.01)
        made += len(images)
        waiting.append(read - made)
        return images

    waiting: list[int] = []
    monkeypatch.setattr(film.Reader, "_pixels", counted)
    monkeypatch.setattr(film, "BATCH_PIXELS", 64 * 48)
    monkeypatch.setattr(tiny, "translate_batch", slow)
    translate_video(tiny, source, tmp_path / "out.mp4")
    assert made == 60
    assert max(waiting) <= 5


def test_a_cancelled_film_leaves_nothing(tiny: Translator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from translate.inference.video import film

    class Cancelled(Exception):
        pass

    def cancel(done: int, total: int | None) -> None:
        if done >= 5:
            raise Cancelled

    monkeypatch.setattr(film, "BATCH_PIXELS", 64 * 48)
    source = make_clip(tmp_path / "clip.mp4", moving(40))
    (tmp_path / "out").mkdir()
    with pytest.raises(Cancelled):
        translate_video(tiny, source, tmp_path / "out" / "out.mp4", progress=cancel)
    assert list((tmp_path / "out").iterdir()) == []
    assert translate_video(tiny, source, tmp_path / "out" / "out.mp4").frames == 40


def test_mistakes_are_sentences(tiny: Translator, tmp_path: Path, make_checkpoint: MakeCheckpoint) -> None:
    clip = make_clip(tmp_path / "clip.mp4", moving(5))
    (tmp_path / "text.mp4").write_text("no film")
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "cut.mp4").write_bytes(clip.read_bytes()[:2000])
    with av.open(str(tmp_path / "sound.mp4"), "w") as made:
        tone = made.add_stream("aac", rate=SOUND_RATE, layout="mono")
        block = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        block.rate = SOUND_RATE
        made.mux(tone.encode(block))
        made.mux(tone.encode(None))
    out = tmp_path / "out.mp4"
    for name in ("text.mp4", "empty.mp4", "cut.mp4", "none.mp4"):
        with pytest.raises(UserError, match=f"Cannot read .*{name}"):
            translate_video(tiny, tmp_path / name, out)
    with pytest.raises(UserError, match="holds no moving pictures"):
        translate_video(tiny, tmp_path / "sound.mp4", out)
    with pytest.raises(UserError, match="overwrite"):
        translate_video(tiny, clip, clip)
    with pytest.raises(UserError, match="no kind of video"):
        translate_video(tiny, clip, tmp_path / "out.film")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot write"):
        translate_video(tiny, clip, tmp_path / "file" / "out.mp4")
    five = translate.load(make_checkpoint("five", in_channels=5), device="cpu")
    with pytest.raises(UserError, match="other channels"):
        translate_video(five, clip, out)
    assert not list(tmp_path.glob("*out*"))


def test_damaged_pieces_are_left_out(tiny: Translator, tmp_path: Path) -> None:
    data = bytearray(make_clip(tmp_path / "clip.mkv", moving(50), gop_size=5).read_bytes())
    data[len(data) // 3 : len(data) // 3 + 400] = bytes(400)
    (tmp_path / "damaged.mkv").write_bytes(data)
    outcome = translate_video(tiny, tmp_path / "damaged.mkv", tmp_path / "out.mkv")
    assert 25 < outcome.frames == len(frames_of(tmp_path / "out.mkv"))


def test_grey_generators_make_grey_films(make_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    grey = translate.load(make_checkpoint(in_channels=1, out_channels=1), device="cpu")
    translate_video(grey, make_clip(tmp_path / "clip.mp4", moving(5)), tmp_path / "out.mp4")
    made = pixels_of(tmp_path / "out.mp4")
    assert made.std() > 5
    assert np.ptp(made, axis=3).max() <= 3


def test_without_pyav_a_sentence_says_how_to_install_it(
    tiny: Translator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError, match=r"pip install 'translate-images\[video\]'"):
        translate_video(tiny, tmp_path / "clip.mp4", tmp_path / "out.mp4")


def command(*words: object) -> int:
    with pytest.raises(SystemExit) as left:
        main(["run", *map(str, words)])
    return int(left.value.code or 0)


def test_the_command_line_takes_videos_and_images_together(
    tiny: Translator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", moving(5))
    (tmp_path / "bad.mp4").write_bytes(b"")
    picture(1).save(tmp_path / "a.jpg")
    words = [tiny.folder, clip, tmp_path / "bad.mp4", tmp_path / "a.jpg", "-o", tmp_path / "out", "--format", "png"]
    assert command(*words) == 1
    assert sorted(path.name for path in (tmp_path / "out").glob("[!.]*")) == ["a.png", "clip.mp4"]
    assert f"Not translated: Cannot read {tmp_path / 'bad.mp4'}" in capsys.readouterr().err
    made = (tmp_path / "out" / "clip.mp4").stat().st_mtime_ns
    assert command(*words) == 1
    assert "2 of 3 were done already" in capsys.readouterr().err
    assert (tmp_path / "out" / "clip.mp4").stat().st_mtime_ns == made
    assert command(*words, "--overwrite") == 1
    assert (tmp_path / "out" / "clip.mp4").stat().st_mtime_ns > made
    assert command(tiny.folder, clip, "-o", tmp_path / "steady.mkv", "--steady") == 0
    assert len(frames_of(tmp_path / "steady.mkv")) == 5


def flicker(path: Path) -> float:
    """Mean absolute difference from frame to frame, after a second."""
    return float(np.abs(np.diff(pixels_of(path)[RATE:].astype(int), axis=0)).mean())


def test_steady_flickers_less_on_a_still_scene_with_noise(tiny: Translator, tmp_path: Path) -> None:
    rng, scene = np.random.default_rng(0), np.asarray(picture(5, (32, 32))).astype(float)
    noisy = [np.clip(scene + rng.normal(0, 12, scene.shape), 0, 255).astype(np.uint8) for _ in range(3 * RATE)]
    source = make_clip(tmp_path / "clip.mkv", noisy, sound=None, options={"qp": "0"})
    translate_video(tiny, source, tmp_path / "plain.mkv")
    translate_video(tiny, source, tmp_path / "steady.mkv", steady=True)
    assert flicker(tmp_path / "steady.mkv") < 0.3 * flicker(tmp_path / "plain.mkv")


def test_steady_begins_anew_at_a_cut(tiny: Translator, tmp_path: Path) -> None:
    first, second = np.asarray(picture(5, (64, 48))), 255 - np.asarray(picture(6, (64, 48))) // 3
    lossless: dict[str, Any] = {"sound": None, "options": {"qp": "0"}}
    both = make_clip(tmp_path / "both.mkv", [first] * 10 + [second] * 10, **lossless)
    only = make_clip(tmp_path / "only.mkv", [second] * 10, **lossless)
    for clip in (both, only):
        translate_video(tiny, clip, tmp_path / f"{clip.stem}-out.mkv", steady=True)
    assert difference(pixels_of(tmp_path / "both-out.mkv")[10:], pixels_of(tmp_path / "only-out.mkv")) < 8
