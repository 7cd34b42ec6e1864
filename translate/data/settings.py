"""The settings of the data: where the images are and how they become batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from translate.settings import Direction, Settings


class ObjectCropConfig(Settings):
    """Crops chosen where the object is, so that both domains show like shares of it. For images with masks."""

    share: tuple[float, float] | None = Field(
        None, description="limits of the object's share of a crop, e.g. [0.15, 0.8]; not given: crops anywhere"
    )
    scale_A: tuple[int, int] | None = Field(
        None,
        description="limits of the side, in pixels of the scaled image of A, of what becomes crop_size pixels; "
        "not given: 0.6 to 1.5 times crop_size",
    )
    scale_B: tuple[int, int] | None = Field(None, description="the same for B")
    min_object: float = Field(
        0.02, ge=0, lt=1, description="leave out images whose object fills less than this share of them; 0 keeps all"
    )

    @model_validator(mode="after")
    def _limits_are_in_order(self) -> Self:
        if self.share and not 0 <= self.share[0] < self.share[1] <= 1:
            raise ValueError("share should be two numbers from 0 to 1, the smaller one first")
        for name in ("scale_A", "scale_B"):
            limits = getattr(self, name)
            if limits and not 1 <= limits[0] <= limits[1]:
                raise ValueError(f"{name} should be two numbers of pixels, the smaller one first")
        return self


class DataConfig(Settings):
    """Where the images are and how they become batches."""

    root: Path = Field(Path("data"), description="folder of the data set")
    layout: Literal["auto", "side_by_side", "two_folders", "unpaired"] = Field(
        "auto",
        description="side_by_side: A and B in one file; two_folders: pairs by name; unpaired; auto looks at the folder",
    )
    split: str = Field("train", description="which images to train on: folder train/, or trainA/ and trainB/")
    val_split: str = Field(
        "val", description="which images to draw samples from; the training split where it is missing"
    )
    direction: Direction = Field("a2b", description="b2a swaps the domains; AtoB and BtoA are understood")
    domain_A: str = Field("A", description="what the images of A show, as they lie on disk")
    domain_B: str = Field("B", description="what the images of B show, as they lie on disk")
    preprocess: Literal[
        "resize_and_crop",
        "crop",
        "scale_width",
        "scale_width_and_crop",
        "scale_shorter",
        "scale_shorter_and_crop",
        "none",
    ] = Field("resize_and_crop", description="how images get their training size")
    load_size: int = Field(286, ge=1, description="pixels that images are scaled to before cropping")
    crop_size: int = Field(256, ge=1, description="pixels of the square that is cropped")
    flip: bool = Field(True, description="mirror half of the images (both of a pair)")
    augment: list[dict[str, Any] | str] = Field(
        default_factory=list,
        description="Albumentations transforms for A and B with the same geometry: - Rotate: {limit: 5}",
    )
    augment_A: list[dict[str, Any] | str] = Field(
        default_factory=list, description="further transforms for A alone (pixels only)"
    )
    augment_B: list[dict[str, Any] | str] = Field(
        default_factory=list, description="further transforms for B alone (pixels only)"
    )
    masks: bool = Field(True, description="load object masks where there are any: trainA_mask beside trainA, …")
    mask_A: Path | None = Field(
        None, description="folder of A's masks, white where the object is, where it is not beside A; may hold {split}"
    )
    mask_B: Path | None = Field(None, description="folder of B's masks")
    object_crop: ObjectCropConfig = Field(default_factory=ObjectCropConfig)
    serial: bool = Field(False, description="take images in order instead of shuffling")
    limit: int | None = Field(None, ge=1, description="use at most this many images of each domain")
    workers: int | None = Field(None, ge=0, description="loading processes; chosen for the machine where not given")
    cache_gb: float = Field(2.0, ge=0, description="memory for decoded images, in gigabytes, all processes together")
    strict: bool = Field(False, description="stop at an unreadable image instead of skipping and counting it")
