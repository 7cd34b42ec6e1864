"""Masks of an object in pictures, from nothing but its name: weakly supervised segmentation.

`labels` finds the classes of ImageNet that the name means. `evidence` asks a frozen classifier where in a picture it
sees them. That is coarse, so `pixel_classifier` learns from the evidence of many pictures to tell the object by finer
features of the same network. `folder` makes the masks of a folder.
"""

from translate.segmentation.folder import MaskedFolder, mask_images

__all__ = ["MaskedFolder", "mask_images"]
