"""A direction measured with judges whose verdict is known beforehand."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from tests.evaluation.conftest import image_set, tinted
from translate.errors import UserError
from translate.evaluation import judges as judges_module
from translate.evaluation import measure as module
from translate.evaluation.extractors import Extractor
from translate.evaluation.judges import Judges, Known, know, open_judges
from translate.evaluation.measure import Measured, doubts, measure, rank_by, translate_all
from translate.evaluation.similarity import PSNR_TOP

RED, BLUE = (190, 70, 60), (60, 80, 190)


@pytest.fixture
def domains(judges: Judges) -> tuple[Known, Known]:
    """Red pictures and blue ones, with some of the training's."""
    red, blue = image_set(tinted(RED, 12, seed=1)), image_set(tinted(BLUE, 12, seed=2))
    return know(red, "a", judges, tinted(RED, 12, seed=3)), know(blue, "b", judges, tinted(BLUE, 12, seed=4))


def test_a_good_translation_is_nearer_to_the_target_than_none(judges: Judges, domains: tuple[Known, Known]) -> None:
    """The order that the issue asks for: real images < translated < untranslated."""
    red, blue = domains
    halfway = tinted((125, 75, 125), 12, seed=5)
    for made, best in ((tinted(BLUE, 12, seed=6), True), (halfway, False)):
        values, rows = measure(made, red, blue, judges, paired=False)
        assert values["kid_real"] < values["kid_untranslated"]
        assert values["kid"] < values["kid_untranslated"]
        assert values["fid"] < values["fid_untranslated"]
        assert values["kid_improvement"] == pytest.approx(1 - values["kid"] / values["kid_untranslated"])
        assert (values["kid_improvement"] > 0.95) == best
        assert len(rows) == 12
    untranslated, _ = measure(red.images.images, red, blue, judges, paired=False)
    assert untranslated["kid"] == pytest.approx(untranslated["kid_untranslated"])
    assert untranslated["kid_improvement"] == pytest.approx(0)
    assert untranslated["ssim_source"] == pytest.approx(1)


def test_pairs_are_compared_image_by_image(judges: Judges, domains: tuple[Known, Known]) -> None:
    red, blue = domains
    perfect, _ = measure(blue.images.images, red, blue, judges, paired=True)
    assert (perfect["ssim"], perfect["psnr"], perfect["l1"]) == pytest.approx((1, PSNR_TOP, 0))
    spoilt = [255 - blue.images.images[0], *blue.images.images[1:]]
    values, rows = measure(spoilt, red, blue, judges, paired=True)
    assert rank_by(rows) == "ssim"
    assert min(rows, key=lambda row: float(row["ssim"]))["name"] == "0.png"
    assert values["ssim"] == pytest.approx(np.mean([row["ssim"] for row in rows]))
    assert "ssim_source" not in values


def test_the_cycle_error_is_the_distance_to_the_source(judges: Judges, domains: tuple[Known, Known]) -> None:
    red, blue = domains
    back = [np.where(image > 10, image - 10, image).astype(np.uint8) for image in red.images.images]
    values, rows = measure(blue.images.images, red, blue, judges, paired=False, back=back)
    assert values["cycle_l1"] == pytest.approx(10 / 255, rel=1e-4)
    assert rows[3]["cycle_l1"] == pytest.approx(10 / 255, rel=1e-4)
    assert "cycle_l1" not in measure(blue.images.images, red, blue, judges, paired=False)[0]


@pytest.mark.parametrize("target_side", ["a", "b"])
def test_the_classifier_counts_for_the_target_whichever_side_it_is(
    target_side: Literal["a", "b"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The judge sees B where there is more blue than red."""

    def blue_ones(network: object, config: object, images: list[np.ndarray]) -> list[float]:
        return [0.9 if image[:, :, 2].mean() > image[:, :, 0].mean() else 0.2 for image in images]

    monkeypatch.setattr(module, "classify", blue_ones)
    monkeypatch.setattr(judges_module, "classify", blue_ones)
    judges = Judges(None, (None, None), None, [])  # type: ignore[arg-type]
    red, blue = know(image_set(tinted(RED, 4)), "a", judges), know(image_set(tinted(BLUE, 4)), "b", judges)
    source, target = (red, blue) if target_side == "b" else (blue, red)
    made = [*target.images.images[:3], source.images.images[3]]
    values, rows = measure(made, source, target, judges, paired=False)
    assert values["classified_as_target"] == 0.75
    assert (values["source_classified_as_target"], values["real_classified_as_target"]) == (0, 1)
    assert "kid" not in values
    measured = Measured("a2b", "one", "other", values, rows, rank_by(rows))
    assert measured.ranked_by == "target_probability"
    assert measured.order()[-1] == 3
    assert doubts(measured, (source, target), judges) == []
    swapped = Measured("a2b", "one", "other", values | {"source_classified_as_target": 1.0}, rows)
    swapped.values["real_classified_as_target"] = 0.1
    assert "the other way round" in doubts(swapped, (source, target), judges)[0]


def test_images_are_ranked_from_good_to_bad(judges: Judges) -> None:
    rows = [{"name": name, "lpips": value} for name, value in (("a", 0.5), ("b", 0.1), ("c", 0.3))]
    assert Measured("a2b", "", "", {}, rows, "lpips").order() == [1, 2, 0]
    rows = [{"name": name, "ssim": value} for name, value in (("a", 0.5), ("b", 0.1), ("c", 0.3))]
    assert Measured("a2b", "", "", {}, rows, "ssim").order() == [0, 2, 1]


def test_few_images_are_said_to_be_few(judges: Judges) -> None:
    few = [know(image_set(tinted(colour, 4)), side, judges) for colour, side in ((RED, "a"), (BLUE, "b"))]  # type: ignore[arg-type]
    values, rows = measure(few[1].images.images, few[0], few[1], judges, paired=False)
    note = doubts(Measured("a2b", "red", "blue", values, rows), (few[0], few[1]), judges)
    assert "FID is of 4 images and 6 features" in note[0]


def test_one_image_alone_has_no_fid(judges: Judges) -> None:
    red, blue = know(image_set(tinted(RED, 1)), "a", judges), know(image_set(tinted(BLUE, 1)), "b", judges)
    values, _ = measure(blue.images.images, red, blue, judges, paired=True)
    assert "fid" not in values and "ssim" in values


def test_batches_hold_images_of_one_size_and_the_order_stays() -> None:
    images = [np.full((size, size, 3), at, np.uint8) for at, size in enumerate([32] * 11 + [48, 32])]
    sizes: list[int] = []

    def negative(batch: np.ndarray) -> np.ndarray:
        sizes.append(len(batch))
        return 255 - batch

    made = translate_all(negative, images)
    assert sizes == [8, 3, 1, 1]
    assert all((image == 255 - original).all() for image, original in zip(made, images, strict=True))


def test_what_cannot_be_had_is_a_note_unless_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, colours: Extractor
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise UserError("Cannot reach the server.")

    monkeypatch.setattr(judges_module, "open_extractor", offline)
    monkeypatch.setattr(judges_module, "LPIPS", offline)
    judges = open_judges()
    assert (judges.extractor, judges.lpips) == (None, None)
    assert [note.split(".")[0] for note in judges.notes] == ["FID and KID are left out", "LPIPS is left out"]
    assert open_judges("none", lpips=False).notes == []
    for wishes in ({"extractor": "inception"}, {"lpips": True}):
        with pytest.raises(UserError, match="Cannot reach"):
            open_judges(**wishes)
