"""The settings of measuring while training."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from translate.settings import Settings


class EvaluationConfig(Settings):
    """Measuring while training, as `translate evaluate` does after: the averaged generators on validation images."""

    every: int = Field(0, ge=0, description="steps between two evaluations; 0 is never")
    images: int = Field(60, ge=2, description="at most this many validation images of each domain")
    size: int = Field(0, ge=0, description="pixels that they are scaled to; 0: 256, or data.crop_size where larger")
    extractor: str = Field(
        "",
        description="for FID and KID: inception, a torchvision model, a classifier's folder, none; "
        "not given: the classifier, else inception where its weights can be had",
    )
    extractor_weights: Path | None = Field(None, description="weights for the extractor instead of the published ones")
    classifier: Path | None = Field(None, description="folder of a domain classifier; see `translate classifier`")
    best: str = Field(
        "auto", description="metric that decides which step is kept in checkpoints/best: kid, kid_a2b, lpips, ssim, …"
    )
