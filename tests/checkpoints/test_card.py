"""The model card: a head the Hub can read, and only sections that have something to say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.checkpoints.test_format import SMALL, make_config, make_generator
from translate.checkpoints.architecture import parameter_count
from translate.checkpoints.card import model_card
from translate.checkpoints.format import save_checkpoint
from translate.checkpoints.settings import CheckpointConfig, Provenance
from translate.networks import generator_config


def full_config() -> CheckpointConfig:
    return make_config(
        name="horse2zebra",
        title="Horse ↔ Zebra: a | b",
        summary="Turns horses into zebras.",
        limits="Riders get stripes too.",
        generators={"a2b": SMALL, "b2a": SMALL},
        metrics={"a2b": {"fid": 71.234567, "kid": 0.012345678}, "b2a": {"fid": 140, "lpips": None}},
        provenance=Provenance(
            dataset="horse2zebra",
            license="ImageNet: non-commercial research",
            model="cyclegan",
            steps=266800,
            epochs=200,
            batch_size=1,
            seed=7,
            seconds=3725,
            machine="one GPU",
            commit="abc1234",
            created="2025-01-02T03:04:05Z",
        ),
    )


def split(card: str) -> tuple[dict[str, Any], str]:
    match = re.fullmatch(r"---\n(.*?)\n---\n(.*)", card, re.DOTALL)
    assert match, "the card begins with a head between two lines of dashes"
    head = yaml.safe_load(match[1])
    assert isinstance(head, dict)
    return head, match[2]


def sections(body: str) -> dict[str, str]:
    parts = re.split(r"^## (.*)\n", body, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_head_is_what_the_hub_expects() -> None:
    head, body = split(model_card(full_config()))
    assert head == {
        "license": "other",
        "license_name": "imagenet-non-commercial-research",
        "library_name": "translate",
        "pipeline_tag": "image-to-image",
        "tags": ["image-to-image", "cyclegan", "translate"],
        "datasets": ["horse2zebra"],
        "metrics": ["fid", "kid", "lpips"],
    }
    assert body.startswith("\n# Horse ↔ Zebra: a | b\n")


@pytest.mark.parametrize(
    ("license", "expected"),
    [
        ("CC-BY-4.0", {"license": "cc-by-4.0"}),
        ("", {"license": "unknown"}),
        ("???", {"license": "other", "license_name": "other"}),
    ],
)
def test_the_licence_is_one_the_hub_knows_or_is_named(license: str, expected: dict[str, str]) -> None:
    head, _ = split(model_card(make_config(provenance=Provenance(license=license))))
    assert {key: value for key, value in head.items() if key.startswith("license")} == expected


def test_a_full_card_tells_all_that_is_known() -> None:
    found = sections(split(model_card(full_config()))[1])
    assert "Riders get stripes too." in found["Limits"]
    assert 'translate.load("horse2zebra")' in found["How to use it"]
    assert "translate run horse2zebra photo.jpg -o translated.png --direction b2a" in found["How to use it"]
    assert "A shows horse, B shows zebra." in found["Data and licence"]
    for fact in ("266,800", "Epochs: 200", "1 h 2 min", "one GPU", "abc1234", "Seed: 7", "2025-01-02"):
        assert fact in found["Training"]
    assert "Zhu, Jun-Yan" in found["Citation"]
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in found["Metrics"].strip().splitlines()]
    assert table[0] == ["metric", "a2b (horse → zebra)", "b2a (zebra → horse)"]
    assert table[2:] == [["fid", "71.23", "140"], ["kid", "0.01235", ""], ["lpips", "", ""]]


def test_sections_without_content_are_left_out() -> None:
    found = sections(split(model_card(make_config()))[1])
    assert set(found) == {"How to use it", "Intended use", "Size", "Citation"}
    assert all(text.strip() for text in found.values())


def test_a_seed_of_zero_is_a_seed() -> None:
    assert "Seed: 0" in model_card(make_config(provenance=Provenance(seed=0)))


@pytest.mark.parametrize(
    ("model", "architecture", "family"),
    [
        ("pix2pix", "resnet", "pix2pix"),
        ("cyclegan", "unet", "cyclegan"),
        ("imported from latest_net_G.pth of pytorch-CycleGAN-and-pix2pix", "resnet", "cyclegan"),
        ("imported from latest_net_G.pth of pytorch-CycleGAN-and-pix2pix", "unet", "pix2pix"),
    ],
)
def test_the_paper_is_that_of_the_model(model: str, architecture: str, family: str) -> None:
    generator = generator_config(**({"architecture": architecture, "size": 32, "width": 4, "blocks": 1}))
    card = model_card(make_config(generator, provenance=Provenance(model=model)))
    assert family in split(card)[0]["tags"]
    assert ("isola2017image" in card) == (family == "pix2pix")
    assert ("zhu2017unpaired" in card) == (family == "cyclegan")


def test_sizes_are_those_that_the_reference_implementation_prints() -> None:
    # "[Network G_A] Total number of parameters : 11.378 M" and "[Network G] Total number of parameters : 54.414 M"
    assert parameter_count(generator_config()) == pytest.approx(11.378e6, abs=500)
    unet = generator_config("unet", norm="batch", dropout=True)
    assert parameter_count(unet) == pytest.approx(54.414e6, abs=500)
    assert "11.38 million parameters" in model_card(make_config(generator_config()))


def test_the_card_in_a_folder_shows_its_samples_and_file_sizes(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path / "small", make_config(), {"a2b": make_generator()})
    size = (folder / "a2b.safetensors").stat().st_size / 1e6
    assert f"{size:.1f} MB on disk" in (folder / "README.md").read_text(encoding="utf-8")
    assert "Samples" not in sections(split(model_card(make_config(), folder))[1])
    (folder / "samples").mkdir()
    (folder / "samples" / "two horses.png").write_bytes(b"")
    (folder / "samples" / "notes.txt").write_text("no picture")
    samples = sections(split(model_card(make_config(), folder))[1])["Samples"]
    assert samples.strip() == "![two horses](<samples/two horses.png>)"
    for moment in ("before", "after"):
        (folder / "samples" / f"mare_{moment}.webp").write_bytes(b"")
    samples = sections(split(model_card(make_config(), folder))[1])["Samples"]
    assert "| ![mare_before](<samples/mare_before.webp>) | ![mare_after](<samples/mare_after.webp>) |" in samples
