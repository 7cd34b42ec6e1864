"""The cards and presets that ship, and pulling data sets and weights from a server on this machine."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest
import torch
import yaml

from tests.checkpoints.test_format import make_generator, make_image
from tests.downloads.test_archives import contents, make_tar, make_zip
from tests.downloads.test_download import Server, server
from translate import catalogue
from translate.catalogue import (
    HOST,
    data_folder,
    dataset_card,
    dataset_cards,
    find_datasets_folder,
    preset,
    published_models,
    pull_dataset,
    pull_model,
)
from translate.checkpoints.folder import read_config, weights_file
from translate.checkpoints.format import load_generator
from translate.checkpoints.reference import to_reference
from translate.checkpoints.zoo import available
from translate.config import TrainConfig
from translate.errors import UserError
from translate.models.cyclegan import CycleGANConfig
from translate.models.pix2pix import Pix2PixConfig
from translate.networks import GeneratorConfig, generator_config

__all__ = ["server"]  # a fixture

CARDS = dataset_cards()
NAMES = [card.name for card in CARDS]


@pytest.fixture
def mirror(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("TRANSLATE_MIRROR", f"{server.address}/copy/")
    monkeypatch.setenv("TRANSLATE_HOME", str(tmp_path / "home"))
    return server


@pytest.fixture
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of cards of our own, empty."""
    folder = tmp_path / "datasets"
    folder.mkdir()
    monkeypatch.setattr(catalogue, "find_datasets_folder", lambda: folder)
    return folder


def write_card(folder: Path, **changes: object) -> Path:
    card = CARDS[NAMES.index("horse2zebra")].model_dump(mode="json") | changes
    (folder / str(card["name"])).mkdir()
    path = folder / str(card["name"]) / "card.yaml"
    path.write_text(yaml.safe_dump(card), encoding="utf-8")
    return path


# ----------------------------------------------------------------------------------------------- what the project ships


def test_the_data_sets_of_both_papers_are_there() -> None:
    assert find_datasets_folder().parent == Path(catalogue.__file__).resolve().parents[1]
    assert set(NAMES) >= {"horse2zebra", "monet2photo", "facades", "edges2shoes", "maps"}


@pytest.mark.parametrize("card", CARDS, ids=NAMES)
def test_each_preset_is_valid_and_agrees_with_its_card(card: catalogue.DatasetCard) -> None:
    settings = TrainConfig.load(preset(card.name))
    assert settings.name == card.name
    assert settings.model.name == card.model
    assert settings.license == card.license
    assert (settings.data.domain_A, settings.data.domain_B) == (card.domain_A, card.domain_B)
    assert settings.data.direction == card.direction
    assert settings.data.root == data_folder(card.name)
    assert settings.run.dir == Path("runs") / card.name
    assert settings.run.epochs
    assert settings.dataset
    assert settings.limits
    folders = {settings.data.split, settings.data.val_split} & set(card.splits)
    folders |= {name[:-1] for name in card.splits} & {settings.data.split, settings.data.val_split}
    assert settings.data.split in folders
    assert len(folders) == 2 or card.name == "night2day", "samples come from images that are not trained on"


@pytest.mark.parametrize("card", CARDS, ids=NAMES)
def test_each_card_says_where_the_data_are_and_whose(card: catalogue.DatasetCard) -> None:
    assert card.url is not None or card.access
    assert card.url is None or card.url.startswith(f"{HOST}/")
    assert card.license_note
    assert card.sha256 is None or card.size_bytes
    assert not card.size_is_approximate or card.sha256 is None
    assert card.layout == ("unpaired" if card.model == "cyclegan" else "side_by_side")


def test_presets_hold_the_papers_settings() -> None:
    facades = TrainConfig.load(preset("facades"))
    assert isinstance(facades.model, Pix2PixConfig)
    generator = facades.model.generator
    assert (generator.architecture, generator.size, generator.norm, generator.dropout) == ("unet", 256, "batch", True)
    assert (facades.run.epochs, facades.optim.batch_size, facades.data.direction) == (200, 1, "b2a")
    assert (facades.data.load_size, facades.data.crop_size, facades.model.lambda_L1) == (286, 256, 100)

    horses = TrainConfig.load(preset("horse2zebra"))
    assert isinstance(horses.model, CycleGANConfig)
    assert (horses.model.generator.architecture, horses.model.generator.blocks) == ("resnet", 9)
    assert (horses.model.lambda_A, horses.model.lambda_B, horses.model.lambda_identity) == (10, 10, 0.5)
    assert (horses.model.pool_size, horses.run.epochs, horses.optim.batch_size) == (50, 200, 1)

    shoes = TrainConfig.load(preset("edges2shoes"))
    assert (shoes.run.epochs, shoes.optim.batch_size, shoes.data.direction) == (15, 4, "a2b")
    reversed_copy = TrainConfig.load(preset("edges2shoes"), {"data.direction": "b2a"})
    assert reversed_copy.data.direction == "b2a"


def test_presets_say_only_what_differs_from_the_defaults() -> None:
    for name in NAMES:
        given = yaml.safe_load(preset(name).read_text(encoding="utf-8"))
        without = TrainConfig.build({"model": {"name": given["model"]["name"]}}).dump()
        for section in ("data", "optim", "run"):
            same = {key for key, value in given.get(section, {}).items() if without[section][key] == value}
            assert not same, f"{name}: {section} repeats the defaults of {same}"


def test_the_names_of_both_download_scripts_are_known() -> None:
    assert len(published_models()) == 18 + 5
    assert published_models()["horse2zebra"].url == f"{HOST}/cyclegan/pretrained_models/horse2zebra.pth"
    assert published_models()["edges2shoes"].url == f"{HOST}/pix2pix/models-pytorch/edges2shoes.pth"
    assert published_models()["sat2map"].trained_as == "pix2pix"
    assert published_models()["sat2map_cyclegan"].url == f"{HOST}/cyclegan/pretrained_models/sat2map.pth"
    assert len({model.url for model in published_models().values()}) == len(published_models())


# ------------------------------------------------------------------------------------------------------------ data sets


def test_an_unpaired_data_set_is_pulled_into_the_home_of_downloads(mirror: Server, cards: Path, tmp_path: Path) -> None:
    files = {"horse2zebra/trainA/1.jpg": b"horse", "horse2zebra/trainB/1.jpg": b"zebra"}
    archive = make_zip(tmp_path / "archive", files).read_bytes()
    write_card(cards, size_bytes=len(archive), sha256=hashlib.sha256(archive).hexdigest())
    mirror.files["/copy/cyclegan/datasets/horse2zebra.zip"] = archive
    mirror.drops = [100]
    calls: list[tuple[int, int | None]] = []
    folder = pull_dataset("horse2zebra", progress=lambda *call: calls.append(call))
    assert folder == data_folder("horse2zebra") == tmp_path / "home" / "datasets" / "horse2zebra"
    assert contents(folder) == {"trainA/1.jpg": b"horse", "trainB/1.jpg": b"zebra"}
    assert [path.name for path in folder.parent.iterdir()] == ["horse2zebra"]
    assert calls[-1] == (len(archive), len(archive))
    requests = len(mirror.requests)
    assert pull_dataset("horse2zebra") == folder
    assert len(mirror.requests) == requests, "what is there is not fetched again"


def test_data_beside_a_card_stay_there(mirror: Server, cards: Path) -> None:
    """Earlier versions pulled them to where the card is."""
    write_card(cards)
    (cards / "horse2zebra" / "data" / "trainA").mkdir(parents=True)
    assert pull_dataset("horse2zebra") == data_folder("horse2zebra") == cards / "horse2zebra" / "data"
    assert mirror.requests == []


def test_a_preset_finds_its_data_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirror: Server
) -> None:
    kept = tmp_path / "home" / "datasets" / "maps"
    for place in (tmp_path, tmp_path / "home"):
        place.mkdir(exist_ok=True)
        monkeypatch.chdir(place)
        assert TrainConfig.load(preset("maps")).data.root == kept
    (copy := tmp_path / "mine.yaml").write_text(preset("maps").read_text(encoding="utf-8"), encoding="utf-8")
    assert TrainConfig.load(copy).data.root == kept
    assert TrainConfig.load(copy, {"data.root": "datasets/unknown/data"}).data.root == Path("datasets/unknown/data")
    (tmp_path / "home" / "datasets" / "maps" / "data").mkdir(parents=True)
    assert TrainConfig.load(copy).data.root == Path("datasets/maps/data")  # the working directory has one itself


def test_a_paired_data_set_is_pulled_where_one_wants_it(mirror: Server, tmp_path: Path) -> None:
    mirror.files["/copy/pix2pix/datasets/facades.tar.gz"] = make_tar(
        tmp_path / "archive", {"facades/train/1.jpg": b"pair", "facades/val/1.jpg": b"another"}
    ).read_bytes()
    folder = pull_dataset("facades", into=tmp_path / "mine" / "facades")
    assert contents(folder) == {"train/1.jpg": b"pair", "val/1.jpg": b"another"}
    assert list(folder.parent.iterdir()) == [folder]


def test_a_replaced_archive_is_not_unpacked(mirror: Server, cards: Path) -> None:
    write_card(cards)
    mirror.files["/copy/cyclegan/datasets/horse2zebra.zip"] = b"something else"
    with pytest.raises(UserError, match="checksum"):
        pull_dataset("horse2zebra")
    assert not data_folder("horse2zebra").exists()


def test_an_archive_larger_than_its_card_says_is_refused(mirror: Server, cards: Path) -> None:
    write_card(cards, size_bytes=100, sha256=None)
    mirror.files["/copy/cyclegan/datasets/horse2zebra.zip"] = b"0" * 101
    with pytest.raises(UserError, match="too large"):
        pull_dataset("horse2zebra")


def test_what_cannot_be_downloaded_says_how_to_get_it(mirror: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"https://www\.cityscapes-dataset\.com"):
        pull_dataset("cityscapes", into=tmp_path / "cityscapes")
    assert mirror.requests == []


def test_an_unknown_data_set_suggests_another(mirror: Server) -> None:
    with pytest.raises(UserError, match=r"no data set horses2zebras\. Did you mean horse2zebra\?"):
        pull_dataset("horses2zebras")
    with pytest.raises(UserError, match=r"There are: apple2orange, .*vangogh2photo"):
        dataset_card("xylophone")
    with pytest.raises(UserError, match="no data set"):
        dataset_card("../datasets/horse2zebra")


def test_no_cards_is_no_error(cards: Path) -> None:
    assert dataset_cards() == []
    with pytest.raises(UserError, match="There are: none"):
        dataset_card("horse2zebra")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [({"colour": "red"}, "colour: no such setting"), ({"sha256": "abc"}, "sha256"), ({"layout": "heap"}, "layout")],
)
def test_a_card_that_is_not_valid_is_named(cards: Path, changes: dict[str, str], complaint: str) -> None:
    path = write_card(cards, **changes)
    with pytest.raises(UserError, match=complaint) as caught:
        dataset_cards()
    assert str(path) in str(caught.value)


# -------------------------------------------------------------------------------------------------------------- weights


def pth(config: GeneratorConfig) -> bytes:
    """A generator as the reference implementation saves it."""
    buffer = io.BytesIO()
    torch.save(to_reference(make_generator(config).state_dict(), config), buffer)
    return buffer.getvalue()


def test_published_weights_become_a_checkpoint(mirror: Server, tmp_path: Path) -> None:
    architecture = generator_config(width=4, blocks=6)
    mirror.files["/copy/cyclegan/pretrained_models/horse2zebra.pth"] = pth(architecture)
    folder = pull_model("horse2zebra")
    assert folder == tmp_path / "home" / "checkpoints" / "horse2zebra"
    config = read_config(folder)
    assert config.domains == {"a": "horse", "b": "zebra"}
    assert config.title == "Horse → zebra"
    assert config.provenance.dataset == "horse2zebra"
    assert f"{HOST}/cyclegan/pretrained_models/horse2zebra.pth" in config.provenance.model
    assert "zhu2017unpaired" in (folder / "README.md").read_text(encoding="utf-8")
    with torch.no_grad():
        expected = make_generator(architecture).eval()(make_image())
        torch.testing.assert_close(load_generator(folder, "a2b")(make_image()), expected)
    assert [(entry.name, entry.origin) for entry in available(tmp_path)][-1] == ("downloaded/horse2zebra", "downloaded")
    assert list((tmp_path / "home" / "downloads").iterdir()) == []

    requests = len(mirror.requests)
    assert pull_model("horse2zebra") == folder
    assert len(mirror.requests) == requests
    weights_file(folder, "a2b").write_bytes(b"torn")
    pull_model("horse2zebra")
    load_generator(folder, "a2b")


def test_pix2pix_weights_use_the_images_statistics(mirror: Server) -> None:
    architecture = generator_config("unet", size=32, width=4, norm="batch", dropout=True)
    mirror.files["/copy/pix2pix/models-pytorch/facades_label2photo.pth"] = pth(architecture)
    folder = pull_model("facades_label2photo")
    assert read_config(folder).domains == {"a": "labels", "b": "façade photo"}
    assert read_config(folder).statistics == "image"
    assert "isola2017image" in (folder / "README.md").read_text(encoding="utf-8")


def test_a_file_that_is_no_generator_is_not_kept(mirror: Server, tmp_path: Path) -> None:
    mirror.files["/copy/cyclegan/pretrained_models/horse2zebra.pth"] = b"<html>sorry</html>"
    with pytest.raises(UserError, match=r"horse2zebra\.pth"):
        pull_model("horse2zebra")
    assert not (tmp_path / "home" / "checkpoints" / "horse2zebra").exists()
    assert list((tmp_path / "home" / "downloads").iterdir()) == []


def test_unknown_weights_suggest_others(mirror: Server) -> None:
    with pytest.raises(UserError, match=r"no published weights horse2zebra_pretrained\. Did you mean horse2zebra"):
        pull_model("horse2zebra_pretrained")
    assert mirror.requests == []
