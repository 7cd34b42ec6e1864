"""From decoded pixels to the pixels of a sample, in two stages.

`sizes.prepare` scales as `data.preprocess` says; it draws nothing at random, so its result is what the cache keeps.
`augment.Augment` then draws the preset's Albumentations, crop and mirroring, with one geometry for an image and its
mask, and for both of a pair.
"""

from translate.data.transforms.augment import Augment
from translate.data.transforms.sizes import check_sizes, crops, prepare, resize, target_size

__all__ = ["Augment", "check_sizes", "crops", "prepare", "resize", "target_size"]
