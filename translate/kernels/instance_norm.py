"""Instance norm as batch norm of single images."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from translate.networks.blocks import InstanceNorm2d


def gains(layer: InstanceNorm2d, device: torch.device, precision: torch.dtype) -> bool:
    """Whether FastInstanceNorm2d is to be used: on every device and in every precision.

    It was measured on CPUs. Elsewhere it is used so that a run computes the same function, in the same order of
    operations, on every device.
    """
    return True


class FastInstanceNorm2d(InstanceNorm2d):
    """Instance norm (Ulyanov et al. 2016, https://arxiv.org/abs/1607.08022) that keeps the memory layout.

    Batch norm in training mode of a single image is the same function. PyTorch computes it in the layout of its input,
    with a right gradient in every layout, whereas F.instance_norm copies channels_last images to the contiguous layout
    and back, and with batch size 1 its gradient on the CPU is wrong where the layouts of the input and of the incoming
    gradient differ (seen with torch 2.15).

    Measured on two cores of an AMD EPYC with AVX512-BF16, forward + backward of 1×64×256×256 in channels_last: 0.8 +
    1.4 ms in float32 where F.instance_norm takes 6.9 + 5.0, and 0.6 + 1.3 ms in bfloat16 where it takes 3.6 + 4.7
    (docs/performance.md).
    """

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) with every channel of every image brought to mean 0 and variance 1, in its own memory layout.

        Raises ValueError for images of a single pixel, as nn.InstanceNorm2d does.
        """
        # A graph for other runtimes gets one operation for any N.
        if torch.compiler.is_exporting() or torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
            return super().forward(images)
        normed = [
            F.batch_norm(image, None, None, self.weight, self.bias, training=True, eps=self.eps)
            for image in images.chunk(len(images))
        ]
        return normed[0] if len(normed) == 1 else torch.cat(normed)
