"""Names in Unicode's composed (NFC) and decomposed (NFD) form mean the same file."""

from __future__ import annotations

import os
from pathlib import Path
from unicodedata import normalize

import pytest

import translate
from tests.conftest import picture
from tests.data.pictures import settings
from tests.inference.conftest import MakeCheckpoint
from translate.data.folders import find_images, match_pairs
from translate.data.report import inspect_folder
from translate.data.sources import find_sources
from translate.errors import UserError
from translate.inference.jobs.file_plan import plan_files, unfinished
from translate.inference.jobs.files import translate_files

NAMES = ["café", "Ångström/straße ü", "한글", "Việt Nam", "ザクロ", "Ĉe/ñ"]
"""Latin with one and with two accents, Hangul, kana with a voiced mark, and accents in the name of a subfolder."""


def save(path: Path, seed: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed, (40, 40)).save(path)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_pairs_and_masks(tmp_path: Path, name: str) -> None:
    assert normalize("NFC", name) != normalize("NFD", name)
    for folder in ("trainA", "trainB_mask"):
        save(tmp_path / folder / f"{normalize('NFC', name)}.png")
    for folder in ("trainB", "trainA_mask"):
        save(tmp_path / folder / f"{normalize('NFD', name)}.png")
    found = find_images(tmp_path, paired=True)
    assert (len(found.A), len(found.B)) == (1, 1)
    sources = find_sources(settings(tmp_path), "train", paired=False, training=True)
    assert all(masks is not None and masks[0] for masks in sources.masks)
    report = inspect_folder(tmp_path)
    assert report.model == "pix2pix"
    assert report.pairs == 1
    assert all(not group.without_mask and not group.without_image for group in report.masks)


@pytest.mark.parametrize("name", NAMES)
def test_a_result_in_the_other_spelling_is_done(tmp_path: Path, name: str, make_checkpoint: MakeCheckpoint) -> None:
    source = save(tmp_path / "in" / f"{normalize('NFD', name)}.png")
    translator, out = translate.load(make_checkpoint(), device="cpu"), tmp_path / "out"
    pairs = plan_files([tmp_path / "in"], out)
    (pair,) = unfinished(pairs, out, translator)
    translate_files(translator, [pair])
    target = pair[1]
    target.rename(target.with_name(normalize("NFC", target.name)))  # as a copy to another system does
    assert unfinished(pairs, out, translator) == []
    os.utime(source, (2**32, 2**32))  # a newer source replaces the result that is there
    assert [again.name for _, again in unfinished(pairs, out, translator)] == [normalize("NFC", target.name)]


def test_two_spellings_in_one_folder_are_refused(tmp_path: Path) -> None:
    both = [normalize("NFC", "é") + ".png", normalize("NFD", "é") + ".png"]
    with pytest.raises(UserError, match="unclear which of them"):
        match_pairs(both, both[:1])
    one, other = save(tmp_path / "a" / both[0]), save(tmp_path / "b" / both[1])
    with pytest.raises(UserError, match="2 inputs would become"):
        plan_files([one, other], tmp_path / "out")
