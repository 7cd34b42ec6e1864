"""HDR films: the network sees SDR, the result is SDR and says so; rotation, times and colour range are kept."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import translate
from tests.inference.conftest import MakeCheckpoint
from translate.inference.video.tone_mapping import HLG, PEAK, PQ, WHITE, compress, pq_light, pq_signal, to_sdr
from translate.inference.video.translation import VideoOutcome, translate_video

av = pytest.importorskip("av", reason="PyAV is not installed")

BT709, SDR, BT2020, P3 = 1, 1, 9, 12
LIMITED, FULL = 1, 2
SCENE = (0.0, 0.2, 0.42, 0.5806, 0.7)
"""PQ signals of bands from left to right: black, 2.4, 46, 203 and 620 cd/m²."""


def make_film(
    path: Path,
    *,
    transfer: int = PQ,
    primaries: int = BT2020,
    matrix: int = BT2020,
    color_range: int = LIMITED,
    codec: str = "libx265",
    rotation: int = 0,
    times: tuple[int, ...] = (0, 1, 2),
    scene: tuple[float, ...] = SCENE,
) -> Path:
    """A film with 10 bits a channel of grey bands 16 pixels wide, whose signals are `scene`."""
    full = color_range == FULL
    luma = [round(1023 * signal) if full else round(64 + 876 * signal) for signal in scene]
    row = np.repeat(np.array(luma, np.uint16), 16)
    y = np.tile(row, (48, 1))
    planes = np.concatenate([y.ravel(), np.full(y.size // 2, 512, np.uint16)]).reshape(72, len(row))
    with av.open(str(path), "w") as made:
        own = {"libx265": {"x265-params": "log-level=none"}}
        stream: Any = made.add_stream(codec, rate=10, options={"crf": "4"} | own.get(codec, {}))
        stream.width, stream.height, stream.pix_fmt = len(row), 48, "yuv420p10le"
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace = transfer, primaries, matrix
        context.color_range, context.time_base = color_range, Fraction(1, 10)
        if rotation:
            stream.set_display_rotation(rotation)
        for time in times:
            frame = av.VideoFrame.from_ndarray(planes, "yuv420p10le")
            frame.pts, frame.time_base = time, Fraction(1, 10)
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    return path


def translated(
    make_checkpoint: MakeCheckpoint, source: Path, channels: int = 3
) -> tuple[VideoOutcome, npt.NDArray[Any], list[Any]]:
    """The outcome, what the network saw of the first frame, and the frames of the result (that is what it saw)."""
    shape = {"in_channels": channels, "out_channels": channels}
    translator = translate.load(make_checkpoint(**shape), device="cpu", precision="float32")
    seen: list[npt.NDArray[Any]] = []

    def identity(images: npt.NDArray[Any], *arguments: Any, **settings: Any) -> npt.NDArray[Any]:
        seen.append(images)
        return images

    translator.translate_batch = identity  # type: ignore[method-assign]
    outcome = translate_video(translator, source, source.with_name("out.mp4"))
    with av.open(str(source.with_name("out.mp4"))) as film:
        return outcome, seen[0][0], list(film.decode(video=0))


def sdr(light: float) -> float:
    """The level of 255 that light in cd/m² should have, written out anew from BT.2390 and BT.1886."""
    return float(255 * (compress(light) / WHITE) ** (1 / 2.4))


MEMBERS: dict[str, dict[str, Any]] = {
    "PQ, HEVC": {},
    "PQ, full range": {"color_range": FULL},
    "PQ, Matroska": {},
    "PQ, AV1": {"codec": "libsvtav1"},
    "PQ, H.264": {"codec": "libx264"},
    "PQ with P3's primaries": {"primaries": P3},
    "PQ with BT.709's primaries": {"primaries": BT709, "matrix": BT709},
    "PQ, rotated": {"rotation": 90},
}


@pytest.mark.parametrize("member", MEMBERS)
def test_the_network_sees_sdr_and_the_result_is_tagged_so(
    member: str, make_checkpoint: MakeCheckpoint, tmp_path: Path
) -> None:
    suffix = ".mkv" if member == "PQ, Matroska" else ".mp4"
    source = make_film(tmp_path / f"film{suffix}", **MEMBERS[member])
    outcome, seen, made = translated(make_checkpoint, source)
    (note,) = outcome.notes
    assert "is in HDR (PQ): it was tone-mapped to SDR" in note
    upright = np.rot90(seen, -1) if member == "PQ, rotated" else seen
    assert (seen.shape[0] > seen.shape[1]) == (member == "PQ, rotated")
    middle = upright[24, 8::16].astype(float)
    wanted = np.array([sdr(float(pq_light(signal))) for signal in SCENE])
    assert np.abs(middle - wanted[:, None]).max() <= 3
    assert {(frame.color_trc, frame.color_primaries, frame.colorspace) for frame in made} == {(SDR, BT709, BT709)}
    assert [frame.time for frame in made] == [0, 0.1, 0.2]
    shown = made[0].to_ndarray(format="rgb24", src_colorspace=BT709)  # what a player shows is what the network made
    assert np.abs(shown[8:40, 8::16].astype(int) - seen[8:40, 8::16]).mean() < 4


@pytest.mark.parametrize("color_range", [LIMITED, FULL])
def test_hlg(make_checkpoint: MakeCheckpoint, tmp_path: Path, color_range: int) -> None:
    """The reference white of HLG is a signal of 0.75 (BT.2408), which is 203 cd/m² at the display."""
    source = make_film(tmp_path / "film.mov", transfer=HLG, color_range=color_range, scene=(0.0, 0.38, 0.75, 1.0))
    outcome, seen, _ = translated(make_checkpoint, source)
    assert "is in HDR (HLG)" in outcome.notes[0]
    levels = seen[24, 8::16].mean(axis=1)
    wanted = [0, sdr(26.0), sdr(203.0), 255]  # BT.2408: 38 % are 26 cd/m²
    assert np.abs(levels - wanted).max() <= 4


def test_grey_networks(make_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    _, seen, made = translated(make_checkpoint, make_film(tmp_path / "film.mkv"), channels=1)
    assert seen.shape[2] == 1
    assert np.abs(seen[24, 56] - sdr(203.0)).max() <= 3
    assert made[0].color_trc == SDR


def test_times_that_vary_are_kept(make_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    _, _, made = translated(make_checkpoint, make_film(tmp_path / "film.mkv", times=(0, 3, 4, 9)))
    assert [frame.time for frame in made] == [0, 0.3, 0.4, 0.9]


def test_sdr_films_stay_as_they_are(make_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    """SDR in BT.2020 is no HDR: its pixels and its tags are kept, of either range."""
    for color_range in (LIMITED, FULL):
        source = make_film(tmp_path / "film.mp4", transfer=14, color_range=color_range, scene=(0.0, 0.25, 0.75, 1.0))
        outcome, seen, made = translated(make_checkpoint, source)
        assert outcome.notes == []
        assert np.abs(seen[24, 8::16].mean(axis=1) - np.array([0, 64, 191, 255])).max() <= 2
        assert (made[0].color_trc, made[0].color_primaries, made[0].colorspace) == (14, BT2020, BT2020)


def test_the_curves_are_those_of_the_standards() -> None:
    """Points of BT.2100 and ST 2084, and what BT.2390's curve promises."""
    assert pq_light(np.array([0.0, 0.508078, 0.751827, 1.0])) == pytest.approx([0, 100, 1000, 10000], rel=1e-4)
    light = np.array([0.005, 1.0, 50, 203, 600, 1000])
    assert pq_light(pq_signal(light)) == pytest.approx(light, rel=1e-6)
    assert compress(50.0) == pytest.approx(50, rel=1e-6)  # below the knee nothing changes
    assert compress(PEAK) == pytest.approx(WHITE, rel=1e-6)
    assert (np.diff(compress(np.linspace(0, PEAK, 200))) > 0).all()


def test_saturated_colours_keep_their_hue() -> None:
    red = np.zeros((1, 1, 3), np.uint16)
    red[..., 0] = round(65535 * float(pq_signal(500.0)))
    assert to_sdr(red, PQ, BT2020)[0, 0].tolist() == [255, 0, 0]
    assert to_sdr(red, PQ, BT709)[0, 0].tolist() == [round(sdr(500.0)), 0, 0]
