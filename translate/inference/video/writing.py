"""Writing of films with PyAV (FFmpeg): frames are encoded; sound and subtitles are copied where that is possible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from translate.data.formats import Pixels
from translate.errors import UserError
from translate.inference.video.film import Batch, Reader, pyav, swscale
from translate.inference.video.pictures import PictureReader
from translate.inference.video.sound import TAKES_ANY, Encoding, can_copy, choose_encoding

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video import VideoFrame

BITS_A_PIXEL = 0.3
"""Bit rate, in bits for each pixel, for encoders that have no setting of constant quality."""

_ENCODERS = {  # by codec; the first that a container takes
    "h264": ("libx264", {"crf": "18", "preset": "medium"}),
    "vp9": ("libvpx-vp9", {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}),
}
_PROGRESSIVE = frozenset({"mp4", "mov", "ipod", "3gp"})  # can be written so that they play while they load
_LIMITED = 1  # range of video levels: 16 to 235


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


class Writer:
    """Encodes frames to a film, and copies what belongs to the other streams or encodes it anew."""

    def __init__(self, made: OutputContainer, reader: Reader | PictureReader, channels: int) -> None:
        self.made, self.reader = made, reader
        self.format = "rgb24" if channels == 3 else "gray"
        self.notes = list(reader.notes)
        self.timed = bool(made.format.flags & pyav().format.Flags.variable_fps.value)  # else it has but a rate
        self.numbered = 0
        self.lengths: dict[int, int] = {}  # of the frames in the encoder, by their timestamps
        self.picture = self._add_picture()
        self.copied: dict[int, Stream] = {}
        self.to_copy: list[Stream] = []
        self.encoded: dict[int, Any] = {}  # sound
        for stream in reader.others:
            self._add(stream)
        try:
            made.start_encoding()  # what the container refuses, it refuses before the work
        except pyav().error.FFmpegError as error:
            suffix, codec = Path(made.name).suffix, self.picture.codec_context.name
            raise UserError(
                f"{reader.name} cannot become a {suffix} file: with {codec}, these take no film of "
                f"{reader.width}×{reader.height} pixels and {float(reader.rate):g} frames a second; "
                "call the output NAME.mp4 or NAME.mkv."
            ) from error

    def write(self, frames: Sequence[Pixels], batch: Batch) -> None:
        """Write the frames that a batch was translated to, (H, W, C) uint8 each."""
        for pixels, time in zip(frames, batch.times, strict=True):
            self._mux(self.picture.encode(self._frame(pixels, *time)))
        for packet in batch.others:
            index = packet.stream.index
            if index in self.encoded:
                self._encode_sound(index, packet)
            elif index in self.copied and packet.dts is not None:
                packet.stream = self.copied[index]
                self.made.mux(packet)

    def close(self) -> None:
        """Write what the encoders still hold."""
        self._mux(self.picture.encode(None))
        for stream in self.encoded.values():
            self.made.mux(stream.encode(None))

    def _mux(self, packets: Sequence[Packet[Any]]) -> None:
        """Write packets of the picture; encoders forget for how long each frame of an animation is shown."""
        for packet in packets:
            if self.timed and packet.pts in self.lengths:
                packet.duration = self.lengths.pop(packet.pts)
            self.made.mux(packet)

    def _add_picture(self) -> Any:
        av, reader = pyav(), self.reader
        takes_any = self.made.format.name in TAKES_ANY
        codec = next((name for name in _ENCODERS if takes_any or name in self.made.supported_codecs), None)
        encoder, options = _ENCODERS[codec] if codec else (self.made.default_video_codec, {})
        if encoder not in av.codecs_available:  # PyAV built without it
            encoder, options = self.made.default_video_codec, {}
        if options and (reader.varies or not self.timed):
            # Frames that are not in their order need timestamps, and take on each other's durations.
            options = options | {"bf": "0"}
        stream: Any = self.made.add_stream(encoder, rate=reader.rate, options=options)
        context = stream.codec_context
        context.width, context.height = reader.width, reader.height
        formats = [known.name for known in stream.codec.video_formats or ()]
        odd = encoder == "libx264" and (reader.width % 2 or reader.height % 2)
        wish = "yuv444p" if odd else "yuv420p"
        context.pix_fmt = wish if wish in formats or not formats else formats[0]
        if not options:
            context.bit_rate = int(BITS_A_PIXEL * reader.width * reader.height * reader.rate)
        context.time_base = reader.unit if self.timed else 1 / reader.rate
        context.colorspace, context.color_range = reader.colorspace, _LIMITED
        context.color_primaries, context.color_trc = reader.primaries, reader.transfer
        if aspect := reader.aspect:
            context.sample_aspect_ratio = 1 / aspect if reader.rotation % 180 else aspect
        return stream

    def _add(self, stream: Stream) -> None:
        """Add a stream of sound or subtitles; what is not as in the source becomes a note."""
        suffix = Path(self.made.name).suffix
        codec = stream.codec.canonical_name if stream.codec_context else None
        if can_copy(self.made, stream, self.to_copy):
            made = self.made.add_stream_from_template(stream)
            self.copied[stream.index] = made
            self.to_copy.append(stream)
        elif codec and stream.type == "audio" and (wish := choose_encoding(self.made, stream)) is not None:
            made = self._add_sound(stream, wish)
        else:
            kind = "sound was" if stream.type == "audio" else "subtitles were"
            self.notes.append(f"The {kind} left out: {suffix} files do not take {codec or 'this kind'}.")
            return
        if stream.language:
            made.metadata["language"] = stream.language

    def _add_sound(self, stream: Any, wish: Encoding) -> Any:
        suffix, codec = Path(self.made.name).suffix, stream.codec.canonical_name
        before, after = stream.layout.nb_channels, pyav().AudioLayout(wish.layout).nb_channels
        fewer = f" with {wish.layout} instead of {before} channels" if after < before else ""
        self.notes.append(
            f"The sound was encoded anew, as {wish.codec}{fewer}: {suffix} files do not take {codec} as it is here."
        )
        self.encoded[stream.index] = made = self.made.add_stream(wish.encoder, rate=wish.rate, layout=wish.layout)
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
        space, format_ = swscale(self.reader.colorspace), self.picture.codec_context.pix_fmt
        frame: VideoFrame = pyav().VideoFrame.from_ndarray(array, self.format)
        frame = frame.reformat(format=format_, dst_colorspace=space)
        if self.timed:
            frame.pts, frame.time_base, frame.duration = time, self.reader.unit, length
            if self.reader.varies:
                self.lengths[time] = length
        else:
            frame.pts, frame.time_base = self.numbered, 1 / self.reader.rate
            self.numbered += 1
        return frame
