"""The image pool: discriminators see past translations as well as the newest (Shrivastava et al. 2017, section 2.3,
https://arxiv.org/abs/1612.07828)."""

from __future__ import annotations

import random
from collections.abc import Mapping

import torch
from torch import Tensor


class ImagePool:
    """Up to `size` past images, kept on the device they came from.

    What belongs to an image and has to stay with it, such as its mask, goes in as further channels of the same tensor.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.images: list[Tensor] = []

    def query(self, images: Tensor, rng: random.Random) -> Tensor:
        """Exchange about half of the new images (N, C, H, W) for stored ones.

        While the pool fills, every image is stored and given back. Once it is full, with probability ½ a random stored
        image is given back and the new one takes its place; else the new one is given back and not stored.
        """
        if self.size == 0:
            return images
        given = torch.empty_like(images)
        for place, image in enumerate(images.detach()):
            given[place] = self._exchange(image, rng)
        return given

    def _exchange(self, image: Tensor, rng: random.Random) -> Tensor:
        if len(self.images) < self.size:
            self.images.append(image.clone())
        elif rng.random() < 0.5:
            place = rng.randrange(self.size)
            stored, self.images[place] = self.images[place], image.clone()
            return stored
        return image

    def state_dict(self) -> dict[str, Tensor]:
        """The stored images by their place."""
        return {str(place): image for place, image in enumerate(self.images)}

    def load_state_dict(self, state: Mapping[str, Tensor], device: torch.device) -> None:
        """Put stored images back in their places."""
        self.images = [state[str(place)].to(device) for place in range(len(state))][: self.size]
