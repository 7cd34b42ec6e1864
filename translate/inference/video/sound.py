"""What becomes of a film's sound in another container: copied, encoded anew, or left out.

FFmpeg tells some of it only when a file is begun (Matroska's AC-3 with side speakers as Opus, FLAC in QuickTime, PCM of
48 kHz in Flash video), and of MPEG-TS not even then: it writes what it does not know as private data, which nothing
plays. So each choice is tried on a file in memory, header and encoder, before the first frame is translated.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from translate.inference.video.film import pyav

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.stream import Stream

TAKES_ANY = frozenset({"mpegts"})
"""Formats that do not tell FFmpeg which codecs they take."""
_IN_MPEG_TS = frozenset(
    "mp1 mp2 mp3 aac aac_latm ac3 eac3 dts truehd opus dvb_subtitle dvb_teletext hdmv_pgs_subtitle".split()  # noqa: SIM905
)
"""Codecs of sound and subtitles that an MPEG-TS names, so that they are found again (ISO/IEC 13818-1, TS 101 154)."""
_ENCODERS = {"opus": "libopus", "vorbis": "libvorbis", "mp3": "libmp3lame"}
"""Encoders that are better than FFmpeg's own of the same codec."""
_CODECS = ("aac", "opus", "mp3", "ac3", "flac", "mp2")
"""Codecs to encode with where the container's own choice is none; the first that container and layout suit."""
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""The usual loudspeakers for a number of channels: encoders know these, where not every other arrangement."""
_OF_TELEPHONES = frozenset({"amr_nb"})
"""Codecs of 8 kHz, which 3GP asks for; it takes AAC too."""


@dataclass(frozen=True)
class Encoding:
    """How sound is encoded: FFmpeg's names of codec, encoder and loudspeakers, and samples a second."""

    codec: str
    encoder: str
    rate: int
    layout: str


def can_copy(made: OutputContainer, stream: Stream, beside: Sequence[Stream]) -> bool:
    """Whether a container takes a stream of sound or subtitles as it is, beside others that are copied.

    Args:
        made: the container to write to; it is not touched.
        stream: to copy.
        beside: streams that are copied too: Flash video, for one, takes a single one in older versions of FFmpeg.
    """
    if not stream.codec_context:
        return False
    codec, name = stream.codec.canonical_name, made.format.name
    if codec not in (_IN_MPEG_TS if name in TAKES_ANY else made.supported_codecs):
        return False
    trial = _trial(made)
    try:
        for each in (*beside, stream):
            trial.add_stream_from_template(each)
        trial.start_encoding()
    except (pyav().error.FFmpegError, ValueError):
        return False
    finally:
        _discard(trial)
    return True


def choose_encoding(made: OutputContainer, stream: Any) -> Encoding | None:
    """How to encode a stream of sound for a container; None where there is no way.

    As many channels as possible are kept: in the source's arrangement, else in the usual one of the same number, else
    in stereo. Among codecs the container's own goes first, then the order of _CODECS.
    """
    wishes = [made.default_audio_codec, *_CODECS]
    codecs = [codec for codec in dict.fromkeys(wishes) if codec not in (*_OF_TELEPHONES, "none")]
    layouts = dict.fromkeys((stream.layout.name, _LAYOUTS.get(stream.layout.nb_channels, "stereo"), "stereo", "mono"))
    for layout in layouts:
        for codec in codecs:
            for encoder in dict.fromkeys((_ENCODERS.get(codec, codec), codec)):
                for rate in _rates(encoder, stream.rate):
                    if _suits(made, codec, encoder, rate, layout):
                        return Encoding(codec, encoder, rate, layout)
    return None


def _rates(encoder: str, wish: int) -> Iterator[int]:
    """The rate to encode with: the wish where the encoder takes it, else its highest. Nothing for unknown encoders."""
    av = pyav()
    if encoder in av.codecs_available:
        try:
            rates = av.Codec(encoder, "w").audio_rates
        except ValueError:  # a decoder alone
            return
        yield wish if not rates or wish in rates else max(rates)


def _suits(made: OutputContainer, codec: str, encoder: str, rate: int, layout: str) -> bool:
    """Whether the encoder can be opened, and the container's header written, with these settings."""
    name = made.format.name
    if name in TAKES_ANY and codec not in _IN_MPEG_TS:
        return False
    trial = _trial(made)
    try:
        trial.add_stream(encoder, rate=rate, layout=layout)
        trial.start_encoding()
    except (pyav().error.FFmpegError, ValueError):
        return False
    finally:
        _discard(trial)
    return True


def _trial(made: OutputContainer) -> OutputContainer:
    trial: OutputContainer = pyav().open(io.BytesIO(), "w", format=made.format.name)
    return trial


def _discard(trial: OutputContainer) -> None:
    """Close a file of no packets, which some formats complain of."""
    try:
        trial.close()
    except (pyav().error.FFmpegError, ValueError):
        pass
