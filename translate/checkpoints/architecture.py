"""What a GeneratorConfig alone tells about a network: the names, shapes and number of its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from translate.networks import GeneratorConfig, build_generator


def empty_generator(config: GeneratorConfig) -> nn.Module:
    """A generator on the meta device: names and shapes, no memory, and no draw from anybody's random numbers."""
    with torch.device("meta"), _NothingIsDrawn():
        return build_generator(config)


def parameter_count(config: GeneratorConfig) -> int:
    """Number of trainable parameters of a generator."""
    return sum(parameter.numel() for parameter in empty_generator(config).parameters())


class _NothingIsDrawn(TorchFunctionMode):
    """Leaves initialisation out: drawn weights, and the power iterations that spectral norm begins with.

    The meta device computes neither, but it imports torch's compiler for them, which takes a second.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init" or func in _INITIAL:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


_INITIAL = (torch.Tensor.normal_, torch.Tensor.uniform_, torch.nn.functional.normalize)
