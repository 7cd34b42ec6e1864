"""8-bit integers for the convolutions that keep the quality with them: a ResNet's blocks, a U-Net's encoder.

A vector unit multiplies twice as many integers of 8 bits as bfloat16, and blocks are seven eighths of a ResNet-9. What
costs quality is the rounding of the activations; that of the weights costs ten times less. Activations after instance
norm have long tails, each channel its own. So three things are done, with trained horse2zebra generators of width 24 as
the measure (PSNR of the worst of eight unseen photographs, all blocks in integers):

- only the blocks: every other layer costs more and weighs little (all layers: 34 dB, blocks: 45 dB);
- each channel is divided by a power of its range before it is rounded, and the weights that read it are multiplied by
  the same number (SmoothQuant, Xiao et al. 2023, https://arxiv.org/abs/2211.10438): 2 to 3 dB;
- the range is cut where the squared error of what the convolution makes is smallest: 2 dB.

The result is then measured against PyTorch's float32 on images that were not calibrated with, and as long as the worst
of them is below QUALITY, the layers that round worst go back to floating point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn

from translate.checkpoints.settings import CheckpointConfig
from translate.data.images import open_image, to_array
from translate.data.listing import list_images
from translate.data.tensors import to_pixels, to_tensor
from translate.errors import UserError
from translate.inference.runtimes.export import Images, need
from translate.networks.generator import Generator
from translate.networks.graph import OUTPUT
from translate.settings import Direction

QUALITY = 46.0
"""Least PSNR of the 8-bit output against float32, in decibels, of the worst of the images, so that others have 45."""
FEWEST, MOST = 4, 32
"""Fewest images that are needed, and most that are used: even ones to calibrate with, odd ones to measure."""
SMOOTHING = 0.75
"""Each channel is divided by this power of its range."""
FEWEST_CHANNELS = 16
"""Layers that read fewer channels gain nothing from integers."""
LEVELS = 255

RunModel = Callable[[Images], Images]


@dataclass(frozen=True)
class Rounding:
    """How the input of a convolution becomes integers: rint(x / scales / step) + zero, clamped to 0 … 255."""

    scales: npt.NDArray[np.float32]  # (C,)
    step: float
    zero: int
    error: float  # mean squared error of what the convolution makes, relative to its variance


def quantise(
    model: Any, network: nn.Module, images: Sequence[Tensor], build: Callable[[Any], RunModel], expected: Generator
) -> Any:
    """Bring a model's convolutions to integers as far as it holds quality.

    Args:
        model: onnx.ModelProto of `network`; it is left as it is.
        network: a fused float32 generator.
        images: (1, C, H, W) in [-1, 1] each.
        build: makes a model of this kind one that runs.
        expected: the generator that the results are measured against.
    Returns:
        onnx.ModelProto with QuantizeLinear and DequantizeLinear around these convolutions.
    Raises:
        UserError: quality does not hold with a single layer in integers, or the generator does not describe its layers.
    """
    names = candidates(expected)
    unseen = images[1::2]
    with torch.inference_mode():
        wanted = [to_pixels(expected(image)[0]) for image in unseen]
    if holds(build(model), unseen, wanted):
        roundings = observe(network, images[::2], names)
        order = sorted(roundings, key=lambda name: roundings[name].error)
        while order:
            rounded = insert(model, {name: roundings[name] for name in order})
            if holds(build(rounded), unseen, wanted):
                return rounded
            order = order[: len(order) - max(len(order) // 4, 1)]
    raise UserError(
        f"With 8-bit integers this network would fall below {QUALITY:g} dB; use the engine openvino without them."
    )


def calibration_images(config: CheckpointConfig, direction: Direction, folder: Path) -> list[Tensor]:
    """Read up to MOST images of a folder, evenly chosen, as squares.

    Two in turn have the size that the checkpoint was trained on, two have twice that: larger images have longer tails.
    With the training size alone, 128 pixels, the worst image at 256 had 44.3 dB instead of 48.0.

    Raises UserError where there are too few, or one cannot be read.
    """
    generator = config.generators[direction]
    paths = list_images(folder)
    if len(paths) < FEWEST:
        source = config.ends(direction)[0]
        raise UserError(f"{folder} has {len(paths)} images; at least {FEWEST} of {source} are needed to calibrate.")
    images = []
    for number, place in enumerate(np.linspace(0, len(paths) - 1, min(len(paths), MOST)).round().astype(int)):
        side = max(config.image_size * (1 + number // 2 % 2) // generator.multiple, 1) * generator.multiple
        image = ImageOps.fit(open_image(paths[place]), (side, side), Image.Resampling.BICUBIC)
        images.append(to_tensor(to_array(image, generator.in_channels))[None])
    return images


def candidates(generator: Generator) -> list[str]:
    """Names of the convolutions that may be worth it.

    These are the ones between layers of the coarsest resolution (a ResNet's blocks). Where there are none (a U-Net has
    a single pixel in its middle), they are those of the encoder, which come before the first layer that enlarges.

    Raises:
        UserError: the generator does not describe its layers.
    """
    graph = generator.graph()
    if graph is None:
        raise UserError(
            f"8-bit integers need a generator that describes its layers, and {type(generator).__name__} does not; "
            "use the engine openvino without them."
        )
    strides, encoder, coarse, enlarged = graph.strides(generator), [], [], False
    for node in graph.nodes.values():
        enlarged = enlarged or node.kind in ("transposed_convolution", "resize")
        if node.kind != "convolution" or node.name in graph.nodes[OUTPUT].inputs:
            continue
        layer = generator.get_submodule(node.name)
        assert isinstance(layer, nn.Conv2d)
        if layer.groups == 1 and layer.in_channels >= FEWEST_CHANNELS:
            if strides[node.inputs[0]] == strides[node.name] == max(strides.values()):
                coarse.append(node.name)
            if not enlarged:
                encoder.append(node.name)
    return coarse or encoder


def observe(network: nn.Module, images: Sequence[Tensor], names: Sequence[str]) -> dict[str, Rounding]:
    """Find how the inputs of these convolutions are best rounded, from what they are for these images."""
    layers = {name: cast(nn.Conv2d, network.get_submodule(name)) for name in names}
    seen: dict[str, list[Tensor]] = {name: [] for name in names}
    power: dict[str, list[float]] = {name: [] for name in names}
    hooks = []
    for name, layer in layers.items():

        def keep(_: nn.Module, read: tuple[Tensor], made: Tensor, name: str = name) -> None:
            pixels = read[0].permute(1, 0, 2, 3).flatten(1)
            seen[name].append(pixels[:, :: max(pixels.shape[1] // 1500, 1)].clone())
            power[name].append(float(made.var()))

        hooks.append(layer.register_forward_hook(keep))
    try:
        with torch.inference_mode():
            for image in images:
                network(image)
    finally:
        for hook in hooks:
            hook.remove()
    return {
        name: _best_rounding(torch.cat(seen[name], 1), layer.weight, float(np.mean(power[name])))
        for name, layer in layers.items()
    }


def _best_rounding(pixels: Tensor, weight: Tensor, power: float) -> Rounding:
    """The best rounding of a convolution's input, from its pixels (C, N), the weight and the variance of its output."""
    ranges = pixels.abs().amax(1)
    scales = (ranges / ranges.max()).clamp(min=1e-3) ** SMOOTHING
    smooth = pixels / scales[:, None]
    loudness = weight.detach().square().sum((2, 3)).mean(0) * scales.square()  # of a channel in what is made
    low, high = min(float(smooth.min()), 0.0), float(smooth.max())
    best = Rounding(scales.numpy(), 1.0, 0, float("inf"))
    for share in np.linspace(0.3, 1.0, 15):
        step = float((high - low) * share / LEVELS)
        zero = round(-low * share / step)
        rounded = ((smooth / step).round() + zero).clamp(0, LEVELS).sub(zero).mul(step)
        error = float(((rounded - smooth).square().mean(1) * loudness).sum()) / power
        if error < best.error:
            best = Rounding(scales.numpy(), step, zero, error)
    return best


def insert(model: Any, roundings: dict[str, Rounding]) -> Any:
    """Copy an onnx.ModelProto and let the convolutions of these names read and multiply integers.

    A convolution's padding comes behind the rounding: there is less to round, and what is moved is a byte a number.
    """
    onnx = need("onnx")
    array, make = onnx.numpy_helper.from_array, onnx.helper.make_node
    rounded = type(model)()
    rounded.CopyFrom(model)
    graph = rounded.graph
    weights = {entry.name: entry for entry in graph.initializer}
    makers = {output: node for node in graph.node for output in node.output}
    nodes: list[Any] = []
    for node in graph.node:
        name = node.input[1].removesuffix(".weight") if node.op_type == "Conv" else ""
        if name not in roundings:
            nodes.append(node)
            continue
        how = roundings[name]
        weight = onnx.numpy_helper.to_array(weights[node.input[1]]) * how.scales[None, :, None, None]
        steps = np.maximum(np.abs(weight).max((1, 2, 3)), 1e-12) / 127
        integers = np.rint(weight / steps[:, None, None, None]).astype(np.int8)
        zero = np.full(len(how.scales), how.zero, np.uint8)
        graph.initializer.extend(
            array(np.asarray(value), f"{name}.{what}")
            for what, value in {
                "scales": (how.scales * how.step).astype(np.float32),
                "zeros": zero,
                "step": np.float32(how.step),
                "zero": zero[0],
                "weight.integers": integers,
                "weight.steps": steps.astype(np.float32),
                "weight.zeros": np.zeros(len(steps), np.int8),
            }.items()
        )
        before = makers.get(node.input[0])
        pad = before if before is not None and before.op_type == "Pad" else None
        read = node.input[0] if pad is None else pad.input[0]
        if pad is not None:
            nodes.remove(pad)
        nodes += [
            make("QuantizeLinear", [read, f"{name}.scales", f"{name}.zeros"], [f"{name}.rounded"], axis=1),
            make("DequantizeLinear", [f"{name}.rounded", f"{name}.step", f"{name}.zero"], [f"{name}.read"]),
            make(
                "DequantizeLinear",
                [f"{name}.weight.{what}" for what in ("integers", "steps", "zeros")],
                [f"{name}.weight.read"],
                axis=0,
            ),
        ]
        if pad is None:
            node.input[0] = f"{name}.read"
        else:
            pad.input[0] = f"{name}.read"
            nodes.append(pad)
        node.input[1] = f"{name}.weight.read"
        nodes.append(node)
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    used = {name for node in graph.node for name in node.input}
    kept = [entry for entry in graph.initializer if entry.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return rounded


def psnr(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio of 8-bit pixels in decibels; infinite where they are equal."""
    error = float(np.square(one.astype(np.float64) - other).mean())
    return 10 * float(np.log10(255**2 / error)) if error else float("inf")


def holds(run: RunModel, images: Sequence[Tensor], wanted: Sequence[npt.NDArray[np.uint8]]) -> bool:
    """Whether the 8-bit output for each of the images has a PSNR of QUALITY or more."""
    return all(
        psnr(to_pixels(torch.from_numpy(run(image.numpy()))[0]), pixels) >= QUALITY
        for image, pixels in zip(images, wanted, strict=True)
    )
