"""Reading of films with PyAV (FFmpeg); `writing` writes them, `translation` says what is done with their frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from translate.data.colour import fit_channels
from translate.data.formats import Pixels
from translate.errors import UserError
from translate.inference.video.temporal_smoothing import StillParts
from translate.inference.video.tone_mapping import HLG, is_hdr, to_sdr

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video import VideoFrame
    from av.video.stream import VideoStream

BATCH_PIXELS = 2**19
"""Most pixels of the frames that go through the network together."""
SCENE_CHANGE = 27
"""A new scene begins where two frames differ by at least so many levels on average (PySceneDetect's threshold)."""

_DEFAULT = 1  # dispositions of streams, as FFmpeg numbers them
_PICTURES = 1 << 10 | 1 << 11 | 1 << 20  # attached picture, timed thumbnails, still image
_STILL_CODECS = frozenset({"mjpeg", "png", "bmp", "webp", "gif", "tiff"})
_UNKNOWN, BT709, _BT601, _BT2020, _BT2020_CONSTANT = 2, 1, 6, 9, 10  # colour spaces as ITU-T H.273 numbers them


def pyav() -> ModuleType:
    """The module `av`. Raises UserError where it is not installed."""
    try:
        import av
    except ImportError as error:
        raise UserError("Video needs PyAV; install it with: pip install 'translate-images[video]'") from error
    return av


@contextmanager
def open_film(source: Path) -> Iterator[InputContainer]:
    """Open a film for reading. Raises UserError where it is none, or cannot be read."""
    av = pyav()
    try:
        film = av.open(str(source))
    except (av.error.FFmpegError, OSError) as error:
        raise UserError(f"Cannot read {source}: {str(error.strerror or error).lower()}.") from error
    with film:
        if main_picture(film) is None:
            raise UserError(f"{source} holds no moving pictures.")
        yield film


def main_picture(film: InputContainer) -> VideoStream | None:
    """The video stream that people mean by the film; None where there is none.

    Cover art, thumbnails and still images are never it. Among several streams, one of more than a single picture goes
    before one of a single picture, a film's codec before a codec of still pictures (MJPEG thumbnails that are not
    marked as such), the stream that is marked as the default before others, and more pixels before fewer.
    """

    def rank(stream: VideoStream) -> tuple[bool, bool, bool, int, int]:
        context = stream.codec_context
        return (
            stream.frames != 1,
            context.name not in _STILL_CODECS,
            bool(int(stream.disposition) & _DEFAULT),
            context.width * context.height,
            -stream.index,
        )

    return max(_moving_pictures(film), key=rank, default=None)


def _moving_pictures(film: InputContainer) -> list[VideoStream]:
    """The video streams that can be decoded and are not marked as pictures that belong to something else."""
    return [stream for stream in film.streams.video if stream.codec_context and not int(stream.disposition) & _PICTURES]


@dataclass
class Batch:
    """Successive frames of one scene, and what belongs to the other streams in between."""

    pixels: list[Pixels] = field(default_factory=list)  # (H, W, C) each
    times: list[tuple[int, int]] = field(default_factory=list)  # timestamp and duration, in the stream's units
    others: list[Packet[Any]] = field(default_factory=list)
    new_scene: bool = False


class Reader:
    """Decodes a film to upright frames, through `still` if given; size and colour space are known with the first."""

    def __init__(self, film: InputContainer, channels: int, still: StillParts | None = None) -> None:
        self.film, self.still = film, still
        self.name = film.name
        picture = main_picture(film)
        assert picture is not None  # `open_film` sees to it
        self.picture = picture
        self.notes: list[str] = []
        if (others := len(_moving_pictures(film)) - 1) > 0:
            size = f"{picture.codec_context.width}×{picture.codec_context.height}"
            self.notes.append(f"{self.name} has {others + 1} video streams; the main one ({size}) was translated.")
        self.others: list[Stream] = [stream for stream in film.streams if stream.type in ("audio", "subtitle")]
        self.varies = False  # whether frames are shown for quite different times, as an animation's are
        self.aspect = self.picture.sample_aspect_ratio
        self.rate = self.picture.average_rate or Fraction(25)
        self.unit = self.picture.time_base or 1 / self.rate
        self.channels = channels
        self.format = "rgb24" if channels == 3 else "gray"
        self.size: tuple[int, int] | None = None  # width and height before the rotation
        self.width = self.height = self.rotation = 0
        self.colorspace = self.primaries = self.transfer = _UNKNOWN  # of the pixels that are given out
        self.hdr: tuple[int, int, int] | None = None  # colour space, transfer and primaries of an HDR film
        self.first, self.last, self.end = 0, -1, 0  # in units
        self.damaged = 0
        self.picture.thread_type = "AUTO"

    @property
    def total(self) -> int | None:
        """How many frames there are, as far as the file says; without an index it is an estimate."""
        if self.picture.frames:
            return self.picture.frames
        length = (
            self.picture.duration * self.unit if self.picture.duration else Fraction(self.film.duration or 0, 10**6)
        )
        return round(length * self.rate) or None

    @property
    def seconds(self) -> float:
        """Length in seconds of what was read so far."""
        return float((self.end - self.first) * self.unit)

    def batches(self) -> Iterator[Batch]:
        """Read the film in its order, in batches of one scene each and of as many frames as BATCH_PIXELS allows."""
        batch = Batch(new_scene=True)
        before: Pixels | None = None
        for packet in self.film.demux(self.picture, *self.others):
            if packet.stream.index != self.picture.index:
                batch.others.append(packet)
                continue
            for frame in self._decode(packet):
                pixels = self._pixels(frame)
                cut = before is not None and differ(before, pixels)
                if batch.pixels and (cut or (len(batch.pixels) + 1) * pixels[:, :, 0].size > BATCH_PIXELS):
                    yield batch
                    batch = Batch()
                batch.new_scene |= cut
                batch.times.append(self._time(frame))
                before = pixels
                if self.still is not None:
                    if cut:
                        self.still.begin_scene()
                    pixels = self.still(pixels)
                batch.pixels.append(pixels)
        yield batch

    def _decode(self, packet: Packet[Any]) -> Sequence[VideoFrame]:
        try:
            return packet.decode()
        except pyav().error.InvalidDataError:
            self.damaged += 1
            return []

    def _pixels(self, frame: VideoFrame) -> Pixels:
        if self.size is None:
            self.size, self.rotation = (frame.width, frame.height), frame.rotation
            self.colorspace = frame.colorspace
            if self.colorspace == _UNKNOWN:  # what players take it for
                self.colorspace = BT709 if frame.height >= 720 else _BT601
            self.primaries, self.transfer = frame.color_primaries, frame.color_trc
            if is_hdr(self.transfer):
                self.hdr = (self.colorspace, self.transfer, self.primaries)
                self.colorspace = self.primaries = self.transfer = BT709
                kind = "HLG" if self.hdr[1] == HLG else "PQ"
                self.notes.append(
                    f"{self.name} is in HDR ({kind}): it was tone-mapped to SDR (BT.709), which is what networks "
                    "know and what the result is."
                )
        width, height = self.size
        if self.hdr is not None:
            space, transfer, primaries = self.hdr
            levels: Any = frame.to_ndarray(width=width, height=height, format="rgb48le", src_colorspace=swscale(space))
            array: Any = fit_channels(to_sdr(levels, transfer, primaries), self.channels, self.name)
        else:
            space = swscale(self.colorspace)
            array = frame.to_ndarray(width=width, height=height, format=self.format, src_colorspace=space)
        array = np.rot90(array.reshape(height, width, -1), self.rotation // 90)  # counterclockwise
        self.height, self.width = array.shape[:2]
        return np.ascontiguousarray(array)

    def _time(self, frame: VideoFrame) -> tuple[int, int]:
        """The timestamp and duration of a frame, invented where the file has none; always later than the one before."""
        length = frame.duration or max(round(1 / self.rate / self.unit), 1)
        started = self.end > 0 or self.last >= 0
        time = (self.end if started else 0) if frame.pts is None else frame.pts
        if started:
            time = max(time, self.last + 1)
        else:
            self.first = time
        self.last, self.end = time, time + length
        return time, length


def differ(before: Pixels, after: Pixels) -> bool:
    """Whether two frames are of different scenes, judged by a grid of pixels."""
    grid = tuple(slice(None, None, side // 48 + 1) for side in before.shape[:2])
    return bool(np.abs(before[grid].astype(np.int16) - after[grid]).mean() > SCENE_CHANGE)


def swscale(colorspace: int) -> int:
    """The number that swscale gives to a colour space; it has an older one for BT.601 and lacks some others."""
    if colorspace == _BT2020_CONSTANT:
        return _BT2020
    return colorspace if colorspace in (BT709, 4, 7, _BT2020) else 5
