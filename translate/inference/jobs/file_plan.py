"""The plan of a translation job: which file becomes which, and which results exist already.

A folder that was interrupted is gone on with. A result counts as done when it is no older than its source and than the
record (RECORD) in the output folder, which says which weights and direction the results are made with; the record is
written anew only when one of them changes. So no list is kept that a kill could leave out of step with the files.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from translate.checkpoints.folder import CONFIG_FILE, weights_file
from translate.data.listing import composed, describe_others, list_images, survey
from translate.errors import UserError
from translate.inference.animation.reading import count_pictures
from translate.inference.raster import ON_REQUEST, WRITABLE
from translate.inference.translator import Translator
from translate.inference.video.translation import VIDEO_SUFFIXES

RECORD = ".translated.json"
"""Name of the output folder's record of what its results are made with."""
Pair = tuple[Path, Path]
"""A file, and the file that its translation is written to."""


def plan_files(inputs: Sequence[Path], out: Path, suffix: str | None = None) -> list[Pair]:
    """Plan which file the translation of each input is written to.

    One file goes to `out` itself where that has the suffix of an image or a video, else into the folder `out` under its
    own name. Folders are searched for images (not videos) and keep their inner structure; an output folder inside is
    left out.

    Args:
        inputs: images, videos, folders.
        out: a file or a folder; need not exist.
        suffix: of the images' results, e.g. ".png", put after the source's whole name where two would have one name;
            by default the source's where that can be written, else ".png" after the source's whole name.
    Raises:
        UserError: an input does not exist, a folder holds no images, several inputs are to become one file, a result
            would overwrite an input, or it cannot be written in this format.
    """
    if suffix is not None and suffix not in WRITABLE | ON_REQUEST:
        raise UserError(cannot_write(suffix))
    if not is_file_name(out) and not out.is_dir() and _is_file_type(out):
        raise UserError(f"{cannot_write(out.suffix)} (If {out} is to be a folder, make it first.)")
    pairs: list[Pair] = []
    for source in inputs:
        if source.is_dir():
            images = [image for image in list_images(source) if out not in image.parents or source.is_relative_to(out)]
            if not images:
                raise UserError(f"{source} holds no images.")
            pairs += [(image, out / result_name(image.relative_to(source), image, suffix)) for image in images]
        elif source.exists():
            pairs.append((source, out / result_name(Path(source.name), source, suffix)))
        else:
            raise UserError(f"{source} does not exist.")
    pairs = _tell_apart(pairs, suffix)
    if is_file_name(out):
        if len(pairs) != 1:
            raise UserError(f"{len(pairs)} images cannot all become {out}; give a folder as the output.")
        if suffix not in (None, out.suffix.lower()):
            raise UserError(f"{out} is not named as what it is to be written as: {suffix}.")
        if pairs[0][0].suffix.lower() in VIDEO_SUFFIXES and out.suffix.lower() not in VIDEO_SUFFIXES:
            raise UserError(f"{pairs[0][0]} becomes a video; call the output {out.stem}.mp4.")
        pairs = [(pairs[0][0], out)]
    targets = Counter(composed(str(target)) for _, target in pairs)
    sources = {composed(str(source.resolve())) for source, _ in pairs}
    for source, target in pairs:
        if (count := targets[composed(str(target))]) > 1:
            raise UserError(f"{count} inputs would become {target}; translate them one folder at a time.")
        if composed(str(target.resolve())) in sources:
            raise UserError(f"The translation of {source} would overwrite {target}; choose another output.")
    return pairs


def left_out(inputs: Sequence[Path], out: Path) -> list[str]:
    """A sentence for each folder among the inputs that holds files which are no images, films among them."""
    sentences = []
    for folder in (source for source in inputs if source.is_dir()):
        inside = out.relative_to(folder).parts if out != folder and out.is_relative_to(folder) else ()
        others = [name for name in survey(folder).others if not inside or Path(name).parts[: len(inside)] != inside]
        if others:
            films = any(Path(name).suffix.lower() in VIDEO_SUFFIXES for name in others)
            advice = " Films are translated where they are named one by one." if films else ""
            sentences.append(f"{describe_others(folder, others)}.{advice}")
    return sentences


def is_file_name(out: Path) -> bool:
    """Whether an output names a file, not a folder."""
    return out.suffix.lower() in WRITABLE | ON_REQUEST | VIDEO_SUFFIXES and not out.is_dir()


def cannot_write(suffix: str) -> str:
    """That results cannot be written with a suffix, and with which they can."""
    there = ", ".join(sorted(known.removeprefix(".") for known in WRITABLE | ON_REQUEST))
    what = suffix.removeprefix(".") or "a file without a suffix"
    return f"Results cannot be written as {what}; there are {there}, and for films the suffixes of films."


def _is_file_type(out: Path) -> bool:
    """Whether a name ends as those of files do: `made.txt` is no folder, and `results.v2` may be one."""
    suffix = out.suffix.lower()
    known = suffix in Image.registered_extensions() or suffix in (".heic", ".heif", ".hif")
    return bool(suffix) and (known or mimetypes.guess_type(out.name)[0] is not None)


def is_video(pair: Pair) -> bool:
    """Whether a pair of `plan_files` is for `translate_video`; by the names, so that a GIF may become a film."""
    return any(path.suffix.lower() in VIDEO_SUFFIXES for path in pair)


def unfinished(pairs: Sequence[Pair], folder: Path, translator: Translator, direction: str | None = None) -> list[Pair]:
    """The pairs whose results are not yet in an output folder, by the rule at the top; the record is kept up to date.

    Raises:
        UserError: the folder cannot be written.
    """
    made_with = json.dumps(_made_with(translator, direction))
    record = folder / RECORD
    try:
        if not record.exists() or record.read_text(encoding="utf-8") != made_with:
            folder.mkdir(parents=True, exist_ok=True)
            record.write_text(made_with, encoding="utf-8")
        begun = record.stat().st_mtime_ns
    except OSError as error:
        raise UserError(f"Cannot write to {folder}: {error.strerror or error}; choose another output.") from error

    def done(source: Path, target: Path) -> bool:
        try:
            return target.stat().st_mtime_ns >= max(source.stat().st_mtime_ns, begun)
        except OSError:
            return False

    in_place = [(source, _existing(target)) for source, target in pairs]
    return [pair for pair in in_place if not done(*pair)]


def _existing(target: Path) -> Path:
    """The file of the same name in Unicode's other form (NFC or NFD) where only that exists, else the target."""
    if str(target).isascii() or target.exists():
        return target
    for form in ("NFC", "NFD"):
        in_this_form = Path(unicodedata.normalize(form, str(target)))
        for spelling in (target.with_name(in_this_form.name), in_this_form):
            if spelling.exists():
                return spelling
    return target


def _tell_apart(pairs: list[Pair], suffix: str | None) -> list[Pair]:
    """Let `a.jpg` and `a.png`, which would both become `a.png`, become `a.jpg.png` and `a.png`."""
    if suffix is None:
        return pairs
    targets = Counter(target for _, target in pairs)
    return [
        (source, target.with_name(source.name + suffix))
        if targets[target] > 1 and source.suffix.lower() != suffix
        else (source, target)
        for source, target in pairs
    ]


def _made_with(translator: Translator, direction: str | None) -> dict[str, str]:
    chosen, digest = translator.direction(direction), hashlib.sha256()
    for path in (translator.folder / CONFIG_FILE, weights_file(translator.folder, chosen)):
        digest.update(path.read_bytes())
    return {"checkpoint": translator.config.name, "direction": chosen, "sha256": digest.hexdigest()}


def result_name(name: Path, source: Path, suffix: str | None = None) -> Path:
    """The name of a result.

    Args:
        name: of the source, relative to its folder.
        source: the file itself; whether it is an animation decides where its own format cannot be written.
        suffix: of the results of images, where one is asked for.
    """
    own = name.suffix.lower()
    if own in VIDEO_SUFFIXES:
        return name
    if suffix is not None:
        return name.with_suffix(suffix)
    if own in WRITABLE and own != ".gif":
        return name
    several = count_pictures(source, 0)[0] > 1
    if own == ".gif":  # a still picture in 256 colours would lose what is new in it
        return name if several else name.with_name(name.name + ".png")
    return name.with_name(name.name + (".webp" if several else ".png"))
