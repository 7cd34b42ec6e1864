"""Where the comparisons get the reference implementation from: a checkout named on the command line."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from types import ModuleType


def add_reference(parser: argparse.ArgumentParser) -> None:
    """Give the parser --reference PATH."""
    parser.add_argument(
        "--reference", type=Path, metavar="PATH", help="checkout of pytorch-CycleGAN-and-pix2pix; skipped without one"
    )


def find_checkout(parser: argparse.ArgumentParser, reference: Path | None) -> Path:
    """The checkout that --reference names. Leaves the program with a reason where there is none: with exit code 0
    where the option was not given, with 2 where it names something else."""
    if reference is None:
        print("skipped: --reference PATH names no checkout of pytorch-CycleGAN-and-pix2pix to compare with")
        raise SystemExit(0)
    if not (reference / "models" / "networks.py").is_file():
        parser.error(f"{reference} is no checkout of pytorch-CycleGAN-and-pix2pix: it has no models/networks.py")
    return reference.resolve()


def import_from(checkout: Path, name: str) -> ModuleType:
    """A module of the checkout by its dotted name, e.g. `models.networks`.

    The checkout's packages have names as common as `models` and `util`; once imported they are forgotten again, so that
    they stand in nobody's way and a second checkout can be imported.
    """
    before = set(sys.modules)
    sys.path.insert(0, str(checkout))
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(checkout))
        for new in set(sys.modules) - before:
            if Path(getattr(sys.modules[new], "__file__", None) or "/").is_relative_to(checkout):
                del sys.modules[new]
