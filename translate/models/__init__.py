"""pix2pix and CycleGAN: which networks, which losses, in which order. A model turns a batch into named losses; it knows
no files, devices or optimisers."""

from __future__ import annotations

from translate.config import CycleGANConfig, Pix2PixConfig
from translate.models.cyclegan import CycleGAN
from translate.models.pix2pix import Pix2Pix

__all__ = ["CycleGAN", "Pix2Pix", "build_model"]


def build_model(config: Pix2PixConfig | CycleGANConfig, merge: bool = True) -> Pix2Pix | CycleGAN:
    """The model a config describes, with freshly initialised weights."""
    return Pix2Pix(config, merge) if isinstance(config, Pix2PixConfig) else CycleGAN(config, merge)
