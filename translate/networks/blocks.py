"""The parts that the networks are made of: stages, upsampling, normalisation, initialisation."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from translate.networks.settings import ConvolutionalGeneratorConfig, Init, Norm, Padding

LEAK = 0.2
"""Slope of LeakyReLU below zero (Radford et al. 2016, https://arxiv.org/abs/1511.06434)."""


class InstanceNorm2d(nn.InstanceNorm2d):
    """Instance norm (Ulyanov et al. 2016, https://arxiv.org/abs/1607.08022), written out.

    nn.InstanceNorm2d is not used because on the CPU, with batch size 1, its gradient is wrong where the memory layouts
    of the input and of the incoming gradient differ (seen with torch 2.15): it cannot be trained in channels_last.
    """

    def __init__(self, num_features: int, eps: float = 1e-5, affine: bool = False) -> None:
        super().__init__(num_features, eps=eps, affine=affine)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) with every channel of every image brought to mean 0 and variance 1, in its own memory layout.

        Below float32 the statistics are computed in float32, as PyTorch's norms do it.
        """
        if torch.compiler.is_exporting() or torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
            return super().forward(images)  # one operation, which other runtimes know
        precise = images.to(torch.promote_types(images.dtype, torch.float32))
        variance, mean = torch.var_mean(precise, (2, 3), correction=0, keepdim=True)
        normed = (precise - mean) * torch.rsqrt(variance + self.eps)
        if self.affine:
            normed = normed * self.weight[:, None, None] + self.bias[:, None, None]
        return normed.to(images.dtype)


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm meant to see the batches of all processes: `synchronise` makes it do so.

    nn.SyncBatchNorm refuses to train without CUDA, so a network is built with this one, which trains anywhere.
    Its state-dict keys are those of nn.BatchNorm2d and nn.SyncBatchNorm.
    """


def make_norm(norm: Norm, channels: int) -> nn.Module:
    """Norm of (N, channels, H, W): instance norm without parameters, batch norm with affine ones and averages."""
    if norm == "instance":
        return InstanceNorm2d(channels)
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm == "sync_batch":
        return SharedBatchNorm2d(channels)
    return nn.Identity()


def has_bias(norm: Norm) -> bool:
    """Whether convolutions before a norm have a bias: in the published weights, with instance norm and only with it."""
    return norm == "instance"


def generator_bias(config: ConvolutionalGeneratorConfig) -> bool:
    """Whether a generator's convolutions before a norm (or where a norm could be) have a bias."""
    return has_bias(config.norm) if config.bias is None else config.bias


def stage(
    conv: nn.Module, norm: nn.Module, activation: nn.Module | None = None, dropout: bool = False
) -> nn.Sequential:
    """A convolution, its normalisation, its activation, and dropout of half of the features, named as that."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(conv=conv, norm=norm)
    if activation is not None:
        layers["activation"] = activation
    if dropout:
        layers["dropout"] = nn.Dropout(0.5)
    return nn.Sequential(layers)


def separable_conv(in_channels: int, out_channels: int, padding: Padding, bias: bool) -> nn.Sequential:
    """A 3×3 convolution of each channel by itself, then a 1×1 across channels (Chollet 2017, arXiv:1610.02357)."""
    return nn.Sequential(
        OrderedDict[str, nn.Module](
            depthwise=nn.Conv2d(
                in_channels, in_channels, 3, padding=1, padding_mode=padding, groups=in_channels, bias=bias
            ),
            pointwise=nn.Conv2d(in_channels, out_channels, 1, bias=bias),
        )
    )


def resize_conv(in_channels: int, out_channels: int, padding: Padding, bias: bool) -> nn.Sequential:
    """(N, C, H, W) -> (N, C', 2H, 2W) by nearest-neighbour resize and a 3×3 convolution.

    Free of the checkerboard of transposed convolutions: Odena et al. 2016, https://distill.pub/2016/deconv-checkerboard.
    """
    return nn.Sequential(
        OrderedDict[str, nn.Module](
            resize=nn.Upsample(scale_factor=2, mode="nearest"),
            conv=nn.Conv2d(in_channels, out_channels, 3, padding=1, padding_mode=padding, bias=bias),
        )
    )


def init_weights(module: nn.Module, init: Init, gain: float) -> None:
    """Draw the weights of all convolutions, linear layers and batch norms in place; biases become 0.

    They are drawn from torch's global generator.

    Args:
        init: "normal" is N(0, gain²), as in the pix2pix and CycleGAN papers; "xavier" (Glorot 2010) and "orthogonal"
            (Saxe 2014) are scaled by `gain`; "kaiming" (He 2015, fan in, ReLU) ignores it.
        gain: also the standard deviation of batch norm's weights around 1.
    """
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            if layer.weight.is_meta:  # shapes only: nothing to draw, and drawing it would take seconds
                continue
            if init == "normal":
                nn.init.normal_(layer.weight, 0.0, gain)
            elif init == "xavier":
                nn.init.xavier_normal_(layer.weight, gain)
            elif init == "kaiming":
                nn.init.kaiming_normal_(layer.weight)
            else:
                nn.init.orthogonal_(layer.weight, gain)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, gain)
            nn.init.zeros_(layer.bias)


def normalise_spectrally(module: nn.Module) -> None:
    """Divide the weight of every convolution by its largest singular value (Miyato 2018, https://arxiv.org/abs/1802.05957).

    Initialise first: afterwards `weight` is computed from `parametrizations.weight.original`.
    """
    for layer in list(module.modules()):
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            spectral_norm(layer)


def synchronise(module: nn.Module) -> nn.Module:
    """Let the batch norms of networks built with `norm="sync_batch"` see the batches of all processes.

    For a process group whose networks live on CUDA devices. Call it before making the optimiser and before wrapping the
    network for the group. Other networks are left as they are. Returns the module, changed in place.
    """
    for name, child in list(module.named_children()):
        if isinstance(child, SharedBatchNorm2d):
            setattr(module, name, nn.SyncBatchNorm.convert_sync_batchnorm(child))  # type: ignore[no-untyped-call]
        else:
            synchronise(child)
    return module


def use_image_statistics(module: nn.Module) -> nn.Module:
    """Make batch norm use the mean and variance of the image itself, each image by itself, for any batch size.

    pix2pix runs its generator at test time as in training with batch size 1 (Isola et al. 2017, section 3.3; the
    reference's test.py without --eval), which is affine instance norm. Every batch norm is replaced by that, with the
    same weight and bias; the running averages are dropped. Returns the module, changed in place.
    """
    for name, child in list(module.named_children()):
        if isinstance(child, (nn.BatchNorm2d, nn.SyncBatchNorm)):
            norm = InstanceNorm2d(child.num_features, eps=child.eps, affine=True)
            norm.weight, norm.bias = child.weight, child.bias
            setattr(module, name, norm.train(child.training))
        else:
            use_image_statistics(child)
    return module
