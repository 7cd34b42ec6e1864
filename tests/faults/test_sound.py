"""Sound that a container does not take as it is: encoded anew, known before the first frame, and never lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import translate
from tests.inference.conftest import MakeCheckpoint
from translate.errors import UserError
from translate.inference.video.translation import translate_video

av = pytest.importorskip("av", reason="PyAV is not installed")

TONE, SECONDS = 440, 1.0

CASES = {  # encoder, layout, rate, target: what the issue names, then others of the kind
    "AC-3 5.1(side) in WebM": ("ac3", "5.1(side)", 48000, ".webm"),
    "FLAC in QuickTime": ("flac", "stereo", 48000, ".mov"),
    "PCM in Flash video": ("pcm_s16le", "stereo", 48000, ".flv"),
    "PCM in MPEG-TS": ("pcm_s16le", "stereo", 48000, ".ts"),
    "FLAC in MPEG-TS": ("flac", "stereo", 48000, ".ts"),
    "E-AC-3 5.1(side) in WebM": ("eac3", "5.1(side)", 48000, ".webm"),
    "FLAC 5.1 in MPEG-TS": ("flac", "5.1", 48000, ".m2ts"),
    "24-bit PCM in MPEG-PS": ("pcm_s24le", "mono", 44100, ".mpg"),
    "FLAC of 96 kHz in MPEG-PS": ("flac", "stereo", 96000, ".mpeg"),
    "float PCM of 96 kHz in WebM": ("pcm_f32le", "stereo", 96000, ".webm"),
    "Opus in AVI": ("libopus", "stereo", 48000, ".avi"),
    "Opus 5.1 in 3GP": ("libopus", "5.1", 48000, ".3gp"),
    "PCM of 32 kHz in Flash video": ("pcm_s24le", "mono", 32000, ".flv"),
    "ALAC in MPEG-TS": ("alac", "stereo", 44100, ".mts"),
    "MP3 in Ogg": ("libmp3lame", "stereo", 44100, ".ogv"),
}


def make_film(path: Path, sounds: list[tuple[str, str, int]], rate: int = 25) -> Path:
    """A grey film of a second with tracks of a sine tone: encoder, layout and samples a second of each."""
    with av.open(str(path), "w") as made:
        picture: Any = made.add_stream("libx264", rate=rate)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        tracks: list[Any] = [made.add_stream(encoder, rate=hertz, layout=layout) for encoder, layout, hertz in sounds]
        for index in range(round(SECONDS * rate)):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 4 * index, np.uint8), "rgb24")
            frame.pts = index
            made.mux(picture.encode(frame))
        made.mux(picture.encode(None))
        for track, (_, layout, hertz) in zip(tracks, sounds, strict=True):
            wave = np.sin(np.arange(round(SECONDS * hertz)) * (2 * np.pi * TONE / hertz)).astype(np.float32) / 2
            channels = av.AudioLayout(layout).nb_channels
            block = av.AudioFrame.from_ndarray(np.repeat(wave[None], channels, axis=0), "fltp", layout)
            block.rate, block.pts = hertz, 0
            made.mux(track.encode(block))
            made.mux(track.encode(None))
    return path


def heard(path: Path, track: int = 0) -> tuple[int, float, float]:
    """Channels, seconds and loudest frequency of a sound track."""
    with av.open(str(path)) as film:
        frames = list(film.decode(audio=track))
        stream = film.streams.audio[track]
        resampler = av.AudioResampler("fltp", "mono", stream.rate)
        wave = np.concatenate([part.to_ndarray()[0] for frame in frames for part in resampler.resample(frame)])
        spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
        loudest = float(np.argmax(spectrum) * stream.rate / len(wave))
        return stream.layout.nb_channels, len(wave) / stream.rate, loudest


@pytest.mark.parametrize("case", CASES)
def test_the_sound_is_there(case: str, make_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    encoder, layout, rate, suffix = CASES[case]
    source = make_film(tmp_path / "film.mkv", [(encoder, layout, rate)])
    translator = translate.load(make_checkpoint(), device="cpu", precision="float32")
    outcome = translate_video(translator, source, tmp_path / f"out{suffix}")
    (note,) = outcome.notes
    assert f"{suffix} files do not take" in note
    channels, seconds, loudest = heard(tmp_path / f"out{suffix}")
    assert channels == av.AudioLayout(layout).nb_channels
    assert seconds == pytest.approx(SECONDS, abs=0.15)
    assert loudest == pytest.approx(TONE, abs=5)


def test_every_track_of_several(make_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    source = make_film(tmp_path / "film.mkv", [("aac", "stereo", 48000), ("flac", "mono", 44100)])
    translator = translate.load(make_checkpoint(), device="cpu", precision="float32")
    outcome = translate_video(translator, source, tmp_path / "out.ts")
    assert len(outcome.notes) == 1  # AAC is copied
    assert [heard(tmp_path / "out.ts", track)[0] for track in (0, 1)] == [2, 1]


def test_what_is_refused_is_refused_before_the_work(
    make_checkpoint: MakeCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MPEG-1 has no films of seven frames a second: that is said before a frame is translated."""
    translator = translate.load(make_checkpoint(), device="cpu", precision="float32")
    source = make_film(tmp_path / "film.mkv", [("flac", "stereo", 48000)], rate=7)

    def no_work(*arguments: Any, **settings: Any) -> None:
        raise AssertionError("a frame was translated")

    monkeypatch.setattr(translator, "translate_batch", no_work)
    with pytest.raises(
        UserError, match=r"film\.mkv cannot become a \.mpg file: .* 7 frames a second; call the output NAME\.mp4"
    ):
        translate_video(translator, source, tmp_path / "out.mpg")
    assert not list(tmp_path.glob("*out*"))
