"""The public data sets and the published weights: what they are, where they lie, and how to get them."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

import yaml
from pydantic import Field, ValidationError

from translate.downloads.download import Progress, download, extract
from translate.downloads.home import home
from translate.errors import UserError
from translate.models import model_class, model_names
from translate.settings import Direction, Settings, explain

HOST = "https://efrosgans.eecs.berkeley.edu"
MIRROR = "TRANSLATE_MIRROR"
"""Environment variable: an address that stands in for HOST, e.g. of a copy in one's own network."""

CARD_FILE = "card.yaml"
PRESET_FILE = "train.yaml"
MODEL_BYTES = 400_000_000
"""More than the largest published weights: a U-Net-256 takes 218 MB."""
UNKNOWN_BYTES = 20_000_000_000
"""Limit for data sets whose size no card tells."""


class DatasetCard(Settings):
    """`datasets/NAME/card.yaml`: a data set that can be trained on."""

    name: str = Field(description="name of its folder, as in `translate pull dataset NAME`")
    title: str = Field(description="what people see, e.g. Horse ↔ Zebra")
    description: str = Field(description="what it shows and how it was made")
    domain_A: str = Field(description="what A shows, as it lies on disk")
    domain_B: str = Field(description="what B shows, as it lies on disk")
    layout: Literal["side_by_side", "two_folders", "unpaired"] = Field(description="as in `data.layout`")
    model: str = Field(description="the model of the preset beside the card")
    direction: Direction = Field("a2b", description="the preset's direction")
    url: str | None = Field(description="archive; null: it cannot be downloaded without more ado, `access` says how")
    access: str = Field("", description="how to get it where there is no url")
    homepage: str = Field("", description="page of its makers")
    size_bytes: int | None = Field(None, ge=1, description="of the archive")
    size_is_approximate: bool = Field(False, description="size_bytes is rounded")
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="checksum of the archive")
    sha256_note: str = Field(description="who says so, or why there is none")
    license: str = Field(description="in a few words, for a model card")
    license_note: str = Field(description="what is known about it")
    citation: str = Field(description="the paper to cite")
    splits: dict[str, int | None] = Field(description="folders and how many images are in them; null: not known")

    @property
    def archive_limit(self) -> int:
        """Bytes that a download of the archive may have."""
        if self.size_bytes is None:
            return UNKNOWN_BYTES
        return self.size_bytes * 3 // 2 if self.size_is_approximate else self.size_bytes


class PublishedModel(NamedTuple):
    """Weights that the papers' authors published: one generator in one .pth file."""

    trained_as: str
    """Name of the model."""
    folder: str
    """Below the authors' server."""
    file: str
    source: str
    """What it reads."""
    target: str
    """What it makes."""
    dataset: str

    @property
    def url(self) -> str:
        return f"{HOST}/{self.folder}/{self.file}.pth"


def published_models() -> dict[str, PublishedModel]:
    """The weights that the models' authors published, by name.

    Some names occur in two models. There the plain name is that of the model which learns from pairs, as it is the
    better of the two, and NAME_MODEL is the other.
    """
    models: dict[str, PublishedModel] = {}
    for name in sorted(model_names(), key=lambda name: not model_class(name).paired):
        published = model_class(name).published
        if published is not None:
            for file, words in published.files.items():
                known_as = f"{file}_{name}" if file in models else file
                models[known_as] = PublishedModel(name, published.folder, file, *words)
    return models


def find_datasets_folder() -> Path:
    """The folder of cards: `datasets` beside the package in a checkout of the project, inside it where installed."""
    package = Path(__file__).resolve().parent
    beside = package.parent / "datasets"
    return beside if any(beside.glob(f"*/{CARD_FILE}")) else package / "datasets"


def data_folder(name: str) -> Path:
    """Where the pictures of a data set are, or will be when it is pulled: `home()/datasets/NAME`.

    A checkout that has them beside their card, as earlier versions put them, keeps them there.
    """
    beside = find_datasets_folder() / name / "data"
    return beside if beside.is_dir() else home() / "datasets" / name


def locate_data(root: Path) -> Path:
    """The folder that a preset's `data.root` means, from whichever folder it is used.

    `datasets/NAME/data` that is not in the working directory is where the data set NAME is kept; all else is itself.
    """
    parts = root.parts
    is_preset = len(parts) == 3 and (parts[0], parts[2]) == ("datasets", "data") and parts[1] in dataset_names()
    return data_folder(parts[1]) if is_preset and not root.exists() else root


def dataset_cards() -> list[DatasetCard]:
    """All cards, sorted by name; none where there is no folder of them. Raises UserError for an invalid card."""
    return [_read_card(path) for path in sorted(find_datasets_folder().glob(f"*/{CARD_FILE}"))]


def dataset_names() -> list[str]:
    """The names of all cards, sorted."""
    return [path.parent.name for path in sorted(find_datasets_folder().glob(f"*/{CARD_FILE}"))]


def dataset_card(name: str) -> DatasetCard:
    """The card of a data set. Raises UserError with names that look alike where there is none."""
    path = find_datasets_folder() / name / CARD_FILE
    known = dataset_names()
    if name not in known:
        raise UserError(_unknown(f"There is no data set {name}.", name, known))
    return _read_card(path)


def preset(name: str) -> Path:
    """The settings that train a data set, for `TrainConfig.load`. Raises UserError as `dataset_card` does."""
    dataset_card(name)
    path = find_datasets_folder() / name / PRESET_FILE
    if not path.is_file():
        raise UserError(f"{path} is missing; the data set {name} comes without settings to train it.")
    return path


def pull_dataset(name: str, into: Path | None = None, progress: Progress | None = None) -> Path:
    """Download a public data set and unpack it.

    Args:
        name: as on its card.
        into: the folder to make; `data_folder(name)` if None, which is where the preset looks for it. The archive is
            kept beside it until it is unpacked, so that a download that breaks off can go on.
        progress: called with the bytes that are there and the bytes there will be.
    Returns:
        the folder, with e.g. trainA and trainB, or train. One that is there already is taken as it is.
    Raises:
        UserError: no such data set, it cannot be downloaded, or the download or the archive is not right.
    """
    card = dataset_card(name)
    folder = data_folder(name) if into is None else Path(into)
    if folder.is_dir() and any(folder.iterdir()):
        return folder
    if card.url is None:
        raise UserError(f"{card.title} cannot be downloaded from here: {card.access}")
    archive = folder.with_name(Path(card.url).name)
    download(_mirrored(card.url), archive, max_bytes=card.archive_limit, sha256=card.sha256, progress=progress)
    # Images are compressed already; what grows more than this is no archive of images.
    extract(archive, folder, max_bytes=4 * card.archive_limit, unwrap=True)
    archive.unlink()
    return folder


def pull_model(name: str, progress: Progress | None = None) -> Path:
    """Download weights that the papers' authors published and make a checkpoint of them.

    Args:
        name: out of `published_models()`.
        progress: called with the bytes that are there and the bytes there will be.
    Returns:
        the checkpoint folder, `home()/checkpoints/NAME`. One that is there already is taken as it is.
    Raises:
        UserError: no such model, the download failed, or the file is not the generator it should be.
    """
    # These import torch, and the cards do without.
    from translate.checkpoints.folder import check_checkpoint, read_config
    from translate.checkpoints.format import write_config
    from translate.checkpoints.reference import import_reference

    published = published_models()
    if name not in published:
        raise UserError(_unknown(f"There are no published weights {name}.", name, published))
    model = published[name]
    folder = home() / "checkpoints" / name
    with suppress(UserError):  # a broken one is downloaded again
        check_checkpoint(folder)
        return folder
    file = home() / "downloads" / f"{name}.pth"
    download(_mirrored(model.url), file, max_bytes=MODEL_BYTES, progress=progress)
    try:
        import_reference([file], folder, name=name, domains=(model.source, model.target), direction="a2b")
    finally:
        file.unlink()  # it is in the checkpoint now, or it is of no use
    config = read_config(folder)
    config.title = f"{model.source[:1].upper()}{model.source[1:]} → {model.target}"
    config.summary = f"The weights published with the paper, made on {model.dataset}."
    config.provenance.dataset = model.dataset
    config.provenance.model = f"{model.trained_as}, imported from {model.url}"
    write_config(folder, config)
    return folder


def _mirrored(url: str) -> str:
    mirror = os.environ.get(MIRROR, "").rstrip("/")
    return mirror + url.removeprefix(HOST) if mirror and url.startswith(f"{HOST}/") else url


def _read_card(path: Path) -> DatasetCard:
    try:
        card = DatasetCard.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {error}") from error
    except ValidationError as error:
        raise UserError(f"{path}: {explain(error)}.") from error
    if card.name != path.parent.name:
        raise UserError(f"{path}: its name is {card.name}, and its folder is called {path.parent.name}.")
    return card


def _unknown(sentence: str, wanted: str, known: Iterable[str]) -> str:
    lower = {name.lower(): name for name in known}
    near = [lower[name] for name in difflib.get_close_matches(wanted.lower(), lower, n=3)]
    if near:
        return f"{sentence} Did you mean {' or '.join(near)}?"
    return f"{sentence} There are: {', '.join(lower.values()) or 'none'}."
