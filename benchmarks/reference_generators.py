"""Do our networks compute what the reference implementation's compute, and do weights travel both ways?

    python benchmarks/reference_generators.py --reference PATH [--quick]

PATH is a checkout of pytorch-CycleGAN-and-pix2pix. Its own code builds every generator it offers (four architectures,
three norms, dropout on and off) with random weights and saves it; `import_reference` reads the file, and the largest
differences are printed:

    eval      output against the reference in eval mode (as test.py --eval)
    test      output against the reference in training mode without dropout (as test.py), with the default statistics
    gradient  of the input, in training mode without dropout, relative to the largest gradient
    export    output of the reference with the file that `export_reference` wrote, loaded strictly

Discriminators (one to five layers, pixels) are compared the same way, through their state dicts. The exit code is 1 if
a difference is above 1e-5 (1e-4 for gradients).
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import torch
from reference_checkout import add_reference, find_checkout, import_from
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from translate.checkpoints.format import load_generator
from translate.checkpoints.reference import (
    discriminator_from_reference,
    discriminator_to_reference,
    export_reference,
    from_reference,
    import_reference,
)
from translate.networks import build_discriminator, build_generator

GENERATORS = {"resnet_6blocks": 128, "resnet_9blocks": 128, "unet_128": 128, "unet_256": 256}
"""--netG and the side of the test image in pixels."""

NORMS = ("batch", "instance", "none")
LIMITS = {"eval": 1e-5, "test": 1e-5, "gradient": 1e-4, "export": 1e-5}


def randomise(network: nn.Module) -> nn.Module:
    """Weights under which every layer matters: signals do not vanish or saturate, no bias or average is trivial."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            fan_in = layer.weight[0].numel() if isinstance(layer, nn.Conv2d) else layer.weight[:, 0].numel() / 4
            nn.init.normal_(layer.weight, 0.0, fan_in**-0.5)
            if layer.bias is not None:
                nn.init.normal_(layer.bias, 0.0, 0.1)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.2)
            nn.init.normal_(layer.bias, 0.0, 0.2)
            nn.init.normal_(layer.running_mean, 0.0, 0.2)  # type: ignore[arg-type]
            nn.init.uniform_(layer.running_var, 0.5, 2.0)  # type: ignore[arg-type]
    return network


def without_dropout(network: nn.Module) -> nn.Module:
    """A copy in training mode whose dropout is off."""
    network = copy.deepcopy(network).train().requires_grad_(True)
    for layer in network.modules():
        if isinstance(layer, nn.Dropout):
            layer.eval()
    return network


def input_gradient(network: nn.Module, image: Tensor) -> Tensor:
    """Gradient of a fixed weighting of the output with respect to the image."""
    image = image.clone().requires_grad_(True)
    output: Tensor = without_dropout(network)(image)
    weighting = torch.randn(output.shape, generator=torch.Generator().manual_seed(1))
    return torch.autograd.grad((output * weighting).sum(), image)[0]


def apart(ours: Tensor, theirs: Tensor, relative: bool = False) -> float:
    """Largest absolute difference; relative to the largest value of `theirs` on demand."""
    difference = (ours - theirs).abs().max()
    return float(difference / theirs.abs().max() if relative else difference)


def compare_generator(
    networks: ModuleType, netG: str, norm: str, dropout: bool, width: int, scratch: Path
) -> dict[str, float]:
    """Differences of one generator, by the names of `LIMITS`, and the spread (standard deviation) of its output."""

    def reference() -> nn.Module:
        with contextlib.redirect_stdout(io.StringIO()):
            built: nn.Module = networks.define_G(3, 3, width, netG, norm=norm, use_dropout=dropout)
        return built

    theirs = randomise(reference()).eval()
    image = torch.rand(1, 3, GENERATORS[netG], GENERATORS[netG]) * 2 - 1
    file = scratch / "latest_net_G.pth"
    torch.save(theirs.state_dict(), file)
    config, state = from_reference(torch.load(file, weights_only=True))
    if (config.norm, config.width) != (norm, width) or (netG.startswith("resnet") and config.dropout != dropout):
        raise AssertionError(f"{netG} with norm {norm}, dropout {dropout}, width {width} was taken for {config}")
    trained = build_generator(config)
    trained.load_state_dict(state)

    with torch.no_grad():
        expected = theirs(image)
        folder = import_reference([file], scratch / "running", statistics="running")
        differences = {"eval": apart(load_generator(folder, "a2b")(image), expected)}
        test_time = load_generator(import_reference([file], scratch / "default"), "a2b")
        differences["test"] = apart(test_time(image), without_dropout(theirs)(image))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            (exported,) = export_reference(scratch / "default", scratch / "exported")
        again = reference().eval()
        again.load_state_dict(torch.load(exported, weights_only=True), strict=True)
        differences["export"] = apart(again(image), expected)
    differences["gradient"] = apart(input_gradient(trained, image), input_gradient(theirs, image), relative=True)
    return differences | {"spread": float(expected.std())}


def compare_discriminator(networks: ModuleType, netD: str, layers: int, norm: str, width: int) -> dict[str, float]:
    """Differences of one discriminator, by the names of `LIMITS`, and the spread (standard deviation) of its logits."""

    def reference() -> nn.Module:
        with contextlib.redirect_stdout(io.StringIO()):
            built: nn.Module = networks.define_D(6, width, netD, n_layers_D=layers, norm=norm)
        return built

    theirs = randomise(reference()).eval()
    image = torch.rand(1, 6, 256, 256) * 2 - 1
    config, state = discriminator_from_reference(theirs.state_dict())
    ours = build_discriminator(config, 6).eval()
    ours.load_state_dict(state)
    with torch.no_grad():
        expected = theirs(image)
        differences = {"eval": apart(ours(image), expected)}
        differences["test"] = apart(without_dropout(ours)(image), without_dropout(theirs)(image))
        again = reference().eval()
        again.load_state_dict(discriminator_to_reference(ours.state_dict(), config), strict=True)
        differences["export"] = apart(again(image), expected)
    differences["gradient"] = apart(input_gradient(ours, image), input_gradient(theirs, image), relative=True)
    return differences | {"spread": float(expected.std())}


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare everything, print a table, and return the exit code."""
    parser = argparse.ArgumentParser(description="Compare our networks with the reference implementation's.")
    add_reference(parser)
    parser.add_argument("--quick", action="store_true", help="16 filters instead of 64")
    given = parser.parse_args(arguments)
    networks = import_from(find_checkout(parser, given.reference), "models.networks")
    width = 16 if given.quick else 64
    torch.manual_seed(0)
    began = time.perf_counter()

    rows: list[tuple[str, dict[str, float]]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for netG in GENERATORS:
            for norm in NORMS:
                for dropout in (False, True):
                    name = f"{netG} {norm}{' dropout' if dropout else ''}"
                    rows.append((name, compare_generator(networks, netG, norm, dropout, width, Path(scratch))))
    for netD, layers in [("basic", 3), *(("n_layers", layers) for layers in range(1, 6)), ("pixel", 0)]:
        for norm in NORMS:
            name = f"{netD}{f' {layers}' if netD == 'n_layers' else ''} {norm}"
            rows.append((name, compare_discriminator(networks, netD, layers, norm, width)))

    table = Table("network", *LIMITS, "spread", title=f"Largest differences from the reference, width {width}, float32")
    misses = 0
    for name, differences in rows:
        # A difference that is not a number is a miss as well.
        missed = [column for column, limit in LIMITS.items() if not differences[column] <= limit]
        misses += bool(missed)
        cells = [
            f"[red]{differences[column]:.1e}[/]" if column in missed else f"{differences[column]:.1e}"
            for column in LIMITS
        ]
        table.add_row(name, *cells, f"{differences['spread']:.2f}")
    Console(width=100).print(table)
    print(f"{len(rows)} networks, {misses} missed, {time.perf_counter() - began:.0f} s")
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
