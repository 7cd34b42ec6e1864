"""Reading and writing of films with PyAV (FFmpeg); `translation` says what is done with their frames and sound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from translate.data.formats import Pixels
from translate.errors import UserError
from translate.inference.video.temporal_smoothing import StillParts

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video import VideoFrame

BATCH_PIXELS = 2**19
"""Most pixels of the frames that go through the network together."""
SCENE_CHANGE = 27
"""A new scene begins where two frames differ by at least so many levels on average (PySceneDetect's threshold)."""
BITS_A_PIXEL = 0.3
"""Bit rate, in bits for each pixel, for encoders that have no setting of constant quality."""

_ENCODERS = {  # by codec; the first that a container takes
    "h264": ("libx264", {"crf": "18", "preset": "medium"}),
    "vp9": ("libvpx-vp9", {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}),
}
_SOUND_ENCODERS = {"opus": "libopus", "vorbis": "libvorbis", "mp3": "libmp3lame"}  # better than FFmpeg's own
_TAKES_ANY = frozenset({"mpegts"})  # formats that do not tell FFmpeg which codecs they take
_PROGRESSIVE = frozenset({"mp4", "mov", "ipod", "3gp"})  # can be written so that they play while they load
_UNKNOWN, _BT709, _BT601, _BT2020 = 2, 1, 6, 9  # colour spaces as ITU-T H.273 numbers them
_LIMITED = 1  # range of video levels: 16 to 235


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
        if not film.streams.video:
            raise UserError(f"{source} holds no moving pictures.")
        yield film


@contextmanager
def create_film(path: Path) -> Iterator[OutputContainer]:
    """Open a film for writing. Raises UserError where there is no container of this name, and OSError."""
    av = pyav()
    try:
        progressive = av.ContainerFormat(path.suffix.removeprefix("."), "w").name in _PROGRESSIVE
    except ValueError:
        progressive = False
    try:
        made = av.open(str(path), "w", options={"movflags": "+faststart"} if progressive else {})
    except ValueError as error:
        raise UserError(f"{path.suffix or 'No suffix'} is no kind of video; call the output NAME.mp4.") from error
    with made:
        yield made


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
        self.picture = film.streams.video[0]
        self.others: list[Stream] = [stream for stream in film.streams if stream.type in ("audio", "subtitle")]
        self.rate = self.picture.average_rate or Fraction(25)
        self.unit = self.picture.time_base or 1 / self.rate
        self.format = "rgb24" if channels == 3 else "gray"
        self.size: tuple[int, int] | None = None  # width and height before the rotation
        self.width = self.height = self.rotation = 0
        self.colorspace = _UNKNOWN
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
                cut = before is not None and _differ(before, pixels)
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
                self.colorspace = _BT709 if frame.height >= 720 else _BT601
        width, height = self.size
        space = _swscale(self.colorspace)
        array: Any = frame.to_ndarray(width=width, height=height, format=self.format, src_colorspace=space)
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


class Writer:
    """Encodes frames to a film, and copies what belongs to the other streams or encodes it anew."""

    def __init__(self, made: OutputContainer, reader: Reader, channels: int) -> None:
        self.made, self.reader = made, reader
        self.format = "rgb24" if channels == 3 else "gray"
        self.notes: list[str] = []
        self.timed = bool(made.format.flags & pyav().format.Flags.variable_fps.value)  # else it has but a rate
        self.numbered = 0
        self.picture = self._add_picture()
        self.copied: dict[int, Stream] = {}
        self.encoded: dict[int, Any] = {}  # sound
        for stream in reader.others:
            self._add(stream)

    def write(self, frames: Sequence[Pixels], batch: Batch) -> None:
        """Write the frames that a batch was translated to, (H, W, C) uint8 each."""
        for pixels, time in zip(frames, batch.times, strict=True):
            self.made.mux(self.picture.encode(self._frame(pixels, *time)))
        for packet in batch.others:
            index = packet.stream.index
            if index in self.encoded:
                self._encode_sound(index, packet)
            elif index in self.copied and packet.dts is not None:
                packet.stream = self.copied[index]
                self.made.mux(packet)

    def close(self) -> None:
        """Write what the encoders still hold."""
        for stream in (self.picture, *self.encoded.values()):
            self.made.mux(stream.encode(None))

    def _add_picture(self) -> Any:
        av, reader = pyav(), self.reader
        takes_any = self.made.format.name in _TAKES_ANY
        codec = next((name for name in _ENCODERS if takes_any or name in self.made.supported_codecs), None)
        encoder, options = _ENCODERS[codec] if codec else (self.made.default_video_codec, {})
        if encoder not in av.codecs_available:  # PyAV built without it
            encoder, options = self.made.default_video_codec, {}
        if options and not self.timed:
            options = options | {"bf": "0"}  # frames that are not in their order need timestamps
        stream: Any = self.made.add_stream(encoder, rate=reader.rate, options=options)
        context, source = stream.codec_context, reader.picture.codec_context
        context.width, context.height = reader.width, reader.height
        formats = [known.name for known in stream.codec.video_formats or ()]
        odd = encoder == "libx264" and (reader.width % 2 or reader.height % 2)
        wish = "yuv444p" if odd else "yuv420p"
        context.pix_fmt = wish if wish in formats or not formats else formats[0]
        if not options:
            context.bit_rate = int(BITS_A_PIXEL * reader.width * reader.height * reader.rate)
        context.time_base = reader.unit if self.timed else 1 / reader.rate
        context.colorspace, context.color_range = reader.colorspace, _LIMITED
        context.color_primaries, context.color_trc = source.color_primaries, source.color_trc
        if aspect := reader.picture.sample_aspect_ratio:
            context.sample_aspect_ratio = 1 / aspect if reader.rotation % 180 else aspect
        return stream

    def _add(self, stream: Stream) -> None:
        suffix = Path(self.made.name).suffix
        codec = stream.codec.canonical_name if stream.codec_context else None
        if codec and (codec in self.made.supported_codecs or self.made.format.name in _TAKES_ANY):
            made = self.made.add_stream_from_template(stream)
            self.copied[stream.index] = made
        elif codec and stream.type == "audio" and self.made.default_audio_codec != "none":
            wish = self.made.default_audio_codec
            made = self._add_sound(stream, _SOUND_ENCODERS.get(wish, wish))
            self.notes.append(f"The sound was encoded anew, as {wish}: {suffix} files do not take {codec}.")
        else:
            kind = "sound was" if stream.type == "audio" else "subtitles were"
            self.notes.append(f"The {kind} left out: {suffix} files do not take {codec or 'this kind'}.")
            return
        if stream.language:
            made.metadata["language"] = stream.language

    def _add_sound(self, stream: Any, encoder: str) -> Any:
        rates = pyav().Codec(encoder, "w").audio_rates
        rate = stream.rate if not rates or stream.rate in rates else max(rates)
        self.encoded[stream.index] = made = self.made.add_stream(encoder, rate=rate, layout=stream.layout.name)
        return made

    def _encode_sound(self, index: int, packet: Packet[Any]) -> None:
        try:
            frames = packet.decode()
        except pyav().error.InvalidDataError:
            self.reader.damaged += 1
            return
        for frame in frames:
            self.made.mux(self.encoded[index].encode(frame))

    def _frame(self, pixels: Pixels, time: int, length: int) -> VideoFrame:
        array: Any = pixels if self.format == "rgb24" else pixels[:, :, 0]
        space, format_ = _swscale(self.reader.colorspace), self.picture.codec_context.pix_fmt
        frame: VideoFrame = pyav().VideoFrame.from_ndarray(array, self.format)
        frame = frame.reformat(format=format_, dst_colorspace=space)
        if self.timed:
            frame.pts, frame.time_base, frame.duration = time, self.reader.unit, length
        else:
            frame.pts, frame.time_base = self.numbered, 1 / self.reader.rate
            self.numbered += 1
        return frame


def _differ(before: Pixels, after: Pixels) -> bool:
    """Whether two frames are of different scenes, judged by a grid of pixels."""
    grid = tuple(slice(None, None, side // 48 + 1) for side in before.shape[:2])
    return bool(np.abs(before[grid].astype(np.int16) - after[grid]).mean() > SCENE_CHANGE)


def _swscale(colorspace: int) -> int:
    """The number that swscale gives to a colour space; it has an older one for BT.601 and lacks some others."""
    return colorspace if colorspace in (_BT709, 4, 7, _BT2020) else 5
