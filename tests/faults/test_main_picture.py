"""Of a file with several video streams the film is translated, never its cover, and nothing is lost without a word."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import translate
from tests.inference.conftest import MakeCheckpoint
from translate.errors import UserError
from translate.inference.video.translation import translate_video

av = pytest.importorskip("av", reason="PyAV is not installed")

DEFAULT, COVER = 1, 1 << 10
"""Dispositions of a stream, as FFmpeg numbers them."""
FILM = (64, 48)


@dataclass(frozen=True)
class Stream:
    """A video stream to write: what it is encoded as, its size, how many frames, and FFmpeg's disposition."""

    codec: str
    size: tuple[int, int]
    frames: int
    disposition: int = 0


def make_film(path: Path, streams: list[Stream]) -> Path:
    with av.open(str(path), "w") as made:
        made_streams: list[Any] = []
        for wanted in streams:
            stream: Any = made.add_stream(wanted.codec, rate=10)
            stream.width, stream.height = wanted.size
            stream.pix_fmt = {"mjpeg": "yuvj420p", "png": "rgb24"}.get(wanted.codec, "yuv420p")
            stream.time_base = Fraction(1, 10)
            stream.disposition = wanted.disposition
            made_streams.append(stream)
        packets = []
        for wanted, stream in zip(streams, made_streams, strict=True):
            for index in range(wanted.frames):
                shade = np.full((wanted.size[1], wanted.size[0], 3), 20 + 10 * index, np.uint8)
                frame = av.VideoFrame.from_ndarray(shade, "rgb24")
                frame.pts, frame.time_base = index, Fraction(1, 10)
                packets += stream.encode(frame)
            packets += stream.encode(None)
        for packet in packets:
            made.mux(packet)
    return path


CASES = {
    "cover after": ("film.mp4", [Stream("libx264", FILM, 8), Stream("mjpeg", (200, 200), 1, COVER)]),
    "cover before": ("film.mp4", [Stream("mjpeg", (200, 200), 1, COVER), Stream("libx264", FILM, 8)]),
    "PNG cover in QuickTime": ("film.mov", [Stream("png", (200, 200), 1, COVER), Stream("libx264", FILM, 8)]),
    "Matroska, which marks no cover": ("film.mkv", [Stream("mjpeg", (200, 200), 1), Stream("libx264", FILM, 8)]),
    "two covers": (
        "film.mov",
        [Stream("mjpeg", (96, 96), 1, COVER), Stream("png", (200, 200), 1, COVER), Stream("libx264", FILM, 8)],
    ),
    "thumbnails first, not marked": ("film.mov", [Stream("mjpeg", (160, 120), 8), Stream("libx264", FILM, 8)]),
    "one large picture first": ("film.mp4", [Stream("libx264", (160, 120), 1), Stream("libx264", FILM, 8)]),
    "preview first": ("film.mp4", [Stream("libx264", (32, 32), 8), Stream("libx264", FILM, 8, DEFAULT)]),
    "larger but not the default": ("film.mkv", [Stream("libx264", (96, 96), 8), Stream("libx264", FILM, 8, DEFAULT)]),
    "small one first": ("film.ts", [Stream("libx264", (32, 32), 8), Stream("libx264", FILM, 8)]),
}


@pytest.mark.parametrize("case", CASES)
def test_the_film_is_translated(case: str, make_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    name, streams = CASES[case]
    translator = translate.load(make_checkpoint(), device="cpu", precision="float32")
    outcome = translate_video(translator, make_film(tmp_path / name, streams), tmp_path / "out.mp4")
    assert (outcome.frames, outcome.width, outcome.height) == (8, *FILM)
    unmarked = [stream for stream in streams if stream.disposition in (0, DEFAULT)]
    said = [note for note in outcome.notes if "video streams" in note]
    assert bool(said) == (len(unmarked) > 1)


def test_sound_with_a_cover_is_no_film(make_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as made:
        sound = made.add_stream("aac", rate=48000, layout="mono")
        cover: Any = made.add_stream("mjpeg", rate=10)
        cover.width, cover.height, cover.pix_fmt, cover.disposition = 64, 64, "yuvj420p", COVER
        frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 99, np.uint8), "rgb24")
        frame.pts = 0
        made.mux(cover.encode(frame))
        block = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        block.rate = 48000
        made.mux(sound.encode(block))
        made.mux(sound.encode(None))
        made.mux(cover.encode(None))
    translator = translate.load(make_checkpoint(), device="cpu", precision="float32")
    with pytest.raises(UserError, match="holds no moving pictures"):
        translate_video(translator, path, tmp_path / "out.mp4")
