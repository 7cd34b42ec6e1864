"""From files to files: one picture, many, or a folder tree whose names are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from translate.data.images import list_images
from translate.errors import UserError
from translate.inference.translator import Translator

WRITABLE = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""Suffixes that results are written with; anything else becomes PNG."""
OPAQUE = frozenset({".bmp", ".jpeg", ".jpg"})
"""Of these, the ones without transparency."""


@dataclass
class Outcome:
    """What became of the inputs."""

    written: list[Path] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)


def plan(inputs: Sequence[Path], out: Path) -> list[tuple[Path, Path]]:
    """Each input file with the file its translation goes to.

    One file goes to `out` itself where that has an image suffix, else into the folder `out` under its own name; folders
    are searched for images and keep their inner structure.

    Raises:
        UserError: an input does not exist, a folder holds no images, several inputs are to become one file, or a result
            would overwrite its own input.
    """
    pairs: list[tuple[Path, Path]] = []
    for source in inputs:
        if source.is_dir():
            images = list_images(source)
            if not images:
                raise UserError(f"{source} holds no images.")
            pairs += [(image, out / _result_name(image.relative_to(source))) for image in images]
        elif source.exists():
            pairs.append((source, out / _result_name(Path(source.name))))
        else:
            raise UserError(f"{source} does not exist.")
    if out.suffix.lower() in WRITABLE and not out.is_dir():
        if len(pairs) != 1:
            raise UserError(f"{len(pairs)} images cannot all become {out}; give a folder as the output.")
        pairs = [(pairs[0][0], out)]
    targets = Counter(target for _, target in pairs)
    for source, target in pairs:
        if targets[target] > 1:
            raise UserError(f"{targets[target]} inputs would become {target}; translate them one folder at a time.")
        if target.exists() and target.samefile(source):
            raise UserError(f"The translation of {source} would overwrite it; choose another output.")
    return pairs


def translate_files(
    translator: Translator,
    pairs: Sequence[tuple[Path, Path]],
    direction: str | None = None,
    tile: int | None = None,
    progress: Callable[[Sequence[tuple[Path, Path]]], Iterator[tuple[Path, Path]]] = iter,
) -> Outcome:
    """Translate every pair of input and output file; a bad file does not stop the rest.

    Args:
        translator: the checkpoint.
        pairs: as `plan` gives them.
        direction: a2b or b2a.
        tile: as the Translator takes it.
        progress: wraps the pairs, to show how far it is.
    """
    outcome = Outcome()
    for source, target in progress(pairs):
        try:
            result = translator(source, direction, tile)
            target.parent.mkdir(parents=True, exist_ok=True)
            write_image(result, target)
        except UserError as error:
            outcome.failed.append((source, str(error)))
        except OSError as error:
            outcome.failed.append((source, f"Cannot write {target}: {error.strerror or error}."))
        else:
            outcome.written.append(target)
    return outcome


def write_image(image: Image.Image, path: Path) -> None:
    """Write an image in the format its suffix names; whole or not at all. JPEG shows transparency as white."""
    if image.mode == "RGBA" and path.suffix.lower() in OPAQUE:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    draft = path.with_name(f".{path.name}.part")
    image.save(draft, format=Image.registered_extensions()[path.suffix.lower()], quality=95)
    draft.replace(path)


def _result_name(path: Path) -> Path:
    return path if path.suffix.lower() in WRITABLE else path.with_name(path.name + ".png")
