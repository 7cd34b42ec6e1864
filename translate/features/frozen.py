"""Networks that take part in training without being trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from torch import Tensor, nn


class Frozen(nn.Module):
    """Holds networks that are always in evaluation mode and whose weights get no gradients.

    A module that owns one moves it with `.to()`, but the owner's `parameters()`, `buffers()`, `state_dict()` and
    `requires_grad_()` do not see the weights: they are neither trained nor averaged nor saved.

    Args:
        networks: by the name of the attribute that each becomes.
    """

    def __init__(self, **networks: nn.Module) -> None:
        super().__init__()
        self.frozen = tuple(networks)
        for name, network in networks.items():
            # nn.Module's own __setattr__ would register it, and its weights would be the owner's.
            object.__setattr__(self, name, network.eval().requires_grad_(False))
        super().train(False)

    def train(self, mode: bool = True) -> Self:
        """Do nothing: frozen networks stay in evaluation mode."""
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move and convert the frozen networks too; `.to()`, `.cuda()` and `.float()` of the owner call this."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name in self.frozen:
            getattr(self, name)._apply(fn, recurse)
        return self
