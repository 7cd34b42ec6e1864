"""How the networks of one player are updated: gradients, Adam, and the moving average that follows the weights."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn

from translate.config import OptimConfig


class PlayerOptimizer:
    """Adam (Kingma & Ba 2015, https://arxiv.org/abs/1412.6980) for the networks of one player.

    `at_once` updates every weight inside the backward pass, the moment its gradient is complete, and drops the
    gradient. The numbers are the same, as Adam knows no weight but its own; the gradients of a network are never all in
    memory, and on a CPU a weight is read while its gradient still lies in the caches. What needs all gradients together
    (several processes, clipping, their norms, a loss scale) has to do without; a GPU is better off with one kernel.
    """

    def __init__(
        self, networks: Mapping[str, nn.Module], lr: float, optim: OptimConfig, *, fused: bool, at_once: bool
    ) -> None:
        """Make the optimisers.

        Args:
            networks: of the player, by name; the order of their parameters is the order in the saved state.
            lr: the player's learning rate, instead of `optim.lr`.
            optim: for Adam's two moments.
            fused: use PyTorch's fused implementation of Adam.
            at_once: update inside the backward pass, as said above.
        """
        self.parameters = [parameter for network in networks.values() for parameter in network.parameters()]
        groups = [[parameter] for parameter in self.parameters] if at_once else [self.parameters]
        betas = (optim.beta1, optim.beta2)
        self.optimizers = [torch.optim.Adam(group, lr=lr, betas=betas, fused=fused) for group in groups]
        self.averages: dict[Tensor, Tensor] = {}
        self.average_weight = 0.0
        self.fused, self.at_once = fused, at_once
        if at_once:
            for index, parameter in enumerate(self.parameters):
                update = self._updater(index)
                parameter.register_post_accumulate_grad_hook(update)  # type: ignore[no-untyped-call]

    def follow(self, averages: Mapping[Tensor, Tensor]) -> None:
        """Move averages towards the weights in every update, by the share `average_weight` of the way.

        Args:
            averages: parameter of this player → the tensor that follows it; parameters without one have no average.
        """
        self.averages = dict(averages)

    def prepare(self, lr_factor: float, average_weight: float = 0.0) -> None:
        """Set what the updates of this step use.

        Args:
            lr_factor: of the learning rate.
            average_weight: what share of the way the averages move, 0 to 1.
        """
        self.average_weight = average_weight
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = optimizer.defaults["lr"] * lr_factor

    def zero_grad(self) -> None:
        """Drop the gradients of the step before."""
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)

    @torch.no_grad()
    def finish(self, scaler: torch.amp.GradScaler) -> None:
        """After the backward pass: update the weights, unless that was done inside it."""
        if self.at_once:
            return
        for optimizer in self.optimizers:
            scaler.step(optimizer)
        scaler.update()
        if self.averages:
            torch._foreach_lerp_(list(self.averages.values()), list(self.averages), self.average_weight)

    def gradients(self) -> list[Tensor]:
        """The gradients of the last backward pass; there are none `at_once`, which drops each when it has been used."""
        return [parameter.grad for parameter in self.parameters if parameter.grad is not None]

    def _updater(self, index: int) -> Callable[[Tensor], None]:
        """A hook that updates the parameter of this index when its gradient is complete.

        It refers to this object weakly: the garbage collector does not follow a parameter's hooks while autograd holds
        the parameter, so weights, moments and averages would never be freed.
        """
        owner = weakref.ref(self)

        @torch.no_grad()
        def update(parameter: Tensor) -> None:
            player = owner()
            if player is None:
                return
            player.optimizers[index].step()
            parameter.grad = None
            if parameter in player.averages:
                player.averages[parameter].lerp_(parameter, player.average_weight)

        return update

    # ------------------------------------------------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Tensor]:
        """Adam's moments and counts as `index.name`, the index being the parameter's; the same however it updates."""
        return {
            f"{index}.{name}": moment
            for index, (optimizer, parameter) in enumerate(self._each())
            for name, moment in optimizer.state.get(parameter, {}).items()
        }

    def load_state_dict(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `state_dict` gave."""
        state: dict[int, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            index, name = key.split(".")
            state.setdefault(int(index), {})[name] = tensor
        for number, (optimizer, parameter) in enumerate(self._each()):
            moments = state.get(number, {})
            optimizer.state[parameter] = {name: self._placed(moment, parameter) for name, moment in moments.items()}

    def _placed(self, moment: Tensor, parameter: Tensor) -> Tensor:
        """A copy as Adam makes it: in the parameter's memory layout; the count of steps on the device if fused."""
        if moment.shape == parameter.shape:
            return torch.empty_like(parameter).copy_(moment)
        return moment.to(parameter.device if self.fused else "cpu", copy=True)

    def _each(self) -> Iterator[tuple[torch.optim.Adam, nn.Parameter]]:
        optimizers = self.optimizers if self.at_once else self.optimizers * len(self.parameters)
        return zip(optimizers, self.parameters, strict=True)
