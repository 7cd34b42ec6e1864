"""One training step, and everything that a step changes: networks, optimisers, moving averages, image pools."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import gather
from torch import Tensor, nn

from translate.checkpoints.format import copy_weights
from translate.config import TrainConfig
from translate.errors import UserError
from translate.kernels.optimise import optimise
from translate.models import build_model
from translate.networks.blocks import synchronise
from translate.training.descent import Descent
from translate.training.ema import EMA
from translate.training.pool import ImagePool

Batch = Mapping[str, Tensor]


class TrainingStep:
    """Call it with a batch to update the weights once.

    All randomness of a step (dropout, image pool, penalties) is drawn from (seed, step, process) and never from what
    was drawn before, so a run that is stopped and resumed is the run that was never stopped.

    Several processes each hold a copy. Gradients are averaged over them after each backward pass rather than by
    DistributedDataParallel, which expects one forward pass a backward pass, where a step here has up to eight.
    """

    def __init__(
        self, config: TrainConfig, device: torch.device, dtype: torch.dtype, layout: torch.memory_format
    ) -> None:
        self.config = config
        self.device = device
        self.dtype = dtype
        self.layout = layout
        self.processes = PartialState()
        torch.manual_seed(config.run.seed)  # the same first weights on every machine and in every process
        self.model = build_model(config.model, merge=config.run.merge)
        if self.processes.num_processes > 1 and device.type == "cuda":
            synchronise(self.model)
        self.model.to(device).to(memory_format=layout)
        self.networks: dict[str, Mapping[Any, nn.Module]] = {
            "generators": self.model.generators,
            "discriminators": self.model.discriminators,
        }
        for networks in self.networks.values():
            for network in networks.values():
                optimise(network, device, dtype)
        self.scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
        self.descents = {player: self._descent(player) for player in self.model.players}
        self._average_generators()
        self.pools = {name: ImagePool(getattr(config.model, "pool_size", 0)) for name in self.model.pooled}
        self.norms: dict[str, Tensor] = {}  # of the gradients, where tracking.gradients asks for them

    def _descent(self, player: str) -> Descent:
        optim = self.config.optim
        needs_all = self.processes.num_processes > 1 or optim.clip_norm or self.config.tracking.gradients
        return Descent(
            self.networks[player],
            (optim.lr_discriminator if player == "discriminators" else None) or optim.lr,
            optim,
            fused=self.device.type in ("cpu", "cuda"),
            at_once=self.device.type == "cpu" and not needs_all and not self.scaler.is_enabled(),
        )

    def _average_generators(self) -> None:
        """Let the moving average, as it is now, follow the generators."""
        self.ema = EMA(self.model.generators, self.config.optim.ema)
        self.descents["generators"].follow(self.ema.parameters())

    def start_from(self, checkpoint: Path) -> None:
        """Begin with a checkpoint folder's generators and new discriminators. Raises UserError if they misfit."""
        copy_weights(checkpoint, self.model.generators)
        self._average_generators()

    def compile(self) -> None:
        """Compile the networks; shapes are fixed, so each network is compiled for the two batch sizes it sees."""
        for networks in self.networks.values():
            for network in networks.values():
                network.compile(dynamic=False)

    def __call__(self, batch: Batch, step: int, lr_factor: float = 1.0) -> dict[str, Tensor]:
        """Update every player once.

        Args:
            batch: {"A", "B"} of (N, C, H, W) in [-1, 1], on any device.
            step: number of this step, counted from 0.
            lr_factor: of the learning rates; see `schedule`.
        Returns:
            the named losses, scalars on the device, of this process's batch; reading them waits for the step to end.
            `G_total` is the sum that the generators minimise.
        """
        torch.manual_seed(_mix(self.config.run.seed, step, self.processes.process_index))
        batch = {name: batch[name].to(self.device, memory_format=self.layout, non_blocking=True) for name in ("A", "B")}
        losses: dict[str, Tensor] = {}
        with self._autocast():
            images = self.model(batch)
        for player in self.model.players:
            if player == "generators":
                losses |= self._update_generators(images, lr_factor, self.ema.weight(step + 1))
                self.ema.copy_buffers(self.model.generators)
            else:
                losses |= self._update_discriminators(self._through_pools(images, step), lr_factor)
        return losses

    def _update_generators(
        self, images: dict[str, Tensor], lr_factor: float, average_weight: float
    ) -> dict[str, Tensor]:
        for discriminator in self.model.discriminators.values():
            discriminator.requires_grad_(False)  # no gradient into a frozen network
        with self._autocast():
            total, losses = self.model.generator_losses(images)
        self._descend("generators", total, lr_factor, average_weight)
        return {name: loss.detach() for name, loss in losses.items()} | {"G_total": total.detach()}

    def _update_discriminators(self, images: dict[str, Tensor], lr_factor: float) -> dict[str, Tensor]:
        for discriminator in self.model.discriminators.values():
            discriminator.requires_grad_(True)
        with self._autocast():
            total, losses = self.model.discriminator_losses(images)
        self._descend("discriminators", total, lr_factor)
        return {name: loss.detach() for name, loss in losses.items()}

    def _descend(self, player: str, total: Tensor, lr_factor: float, average_weight: float = 0.0) -> None:
        descent = self.descents[player]
        descent.prepare(lr_factor, average_weight)
        self.scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        self._average_gradients(descent.gradients())
        if self.config.optim.clip_norm or self.config.tracking.gradients:
            for optimizer in descent.optimizers:
                self.scaler.unscale_(optimizer)
        if self.config.tracking.gradients:
            for name, network in self.networks[player].items():
                gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
                self.norms[self._field_name(name)] = nn.utils.get_total_norm(gradients)
        if self.config.optim.clip_norm:
            nn.utils.clip_grad_norm_(descent.parameters, self.config.optim.clip_norm)
        descent.finish(self.scaler)

    def gradient_norms(self) -> dict[str, float]:
        """{"gradients/G_A": 0.7, …}: the norms at the last step, before clipping; empty unless `tracking.gradients`.

        Reading them waits for the step to end. Norms that float16 made infinite, a step that the scaler skips, are
        left out.
        """
        norms = {f"gradients/{name}": norm.item() for name, norm in self.norms.items()}
        return {name: norm for name, norm in norms.items() if math.isfinite(norm)}

    def _field_name(self, name: str) -> str:
        """What the field calls a network: the generators are kept by direction."""
        if len(self.model.generators) == 1:
            return "G" if name == "a2b" else name
        return {"a2b": "G_A", "b2a": "G_B"}.get(name, name)

    def _average_gradients(self, gradients: list[Tensor]) -> None:
        """Over all processes, in place."""
        if self.processes.num_processes == 1:
            return
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        torch.distributed.all_reduce(flat)
        flat /= self.processes.num_processes
        pieces = torch.split(flat, [gradient.numel() for gradient in gradients])
        shaped = [piece.view(gradient.shape) for piece, gradient in zip(pieces, gradients, strict=True)]
        torch._foreach_copy_(gradients, shaped)

    def _through_pools(self, images: dict[str, Tensor], step: int) -> dict[str, Tensor]:
        """The images with `pooled` ones exchanged. Every process keeps the same pools, of all processes' images."""
        rng = random.Random(_mix(self.config.run.seed, step, 0))
        seen = dict(images)
        for name, pool in self.pools.items():
            fresh = images[name].detach()
            if pool.size and self.processes.num_processes > 1:
                mine = slice(len(fresh) * self.processes.process_index, len(fresh) * (self.processes.process_index + 1))
                seen[name] = pool.query(gather(fresh.contiguous()), rng)[mine]
            else:
                seen[name] = pool.query(fresh, rng)
        return seen

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)

    # ------------------------------------------------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Tensor]:
        """Every tensor that the next step depends on, under a flat name."""
        tensors = {f"model.{name}": tensor for name, tensor in self._weights().items()}
        for direction, network in self.ema.generators.items():
            tensors |= {f"ema.{direction}.{name}": tensor for name, tensor in network.state_dict().items()}
        for player, descent in self.descents.items():
            tensors |= {f"optimizer.{player}.{name}": tensor for name, tensor in descent.state_dict().items()}
        for name, pool in self.pools.items():
            tensors |= {f"pool.{name}.{place}": image for place, image in pool.state_dict().items()}
        if self.scaler.is_enabled():
            tensors |= {f"scaler.{name}": torch.tensor(value) for name, value in self.scaler.state_dict().items()}
        return tensors

    def load_state_dict(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over a state. Raises UserError where it is of other networks than the config's."""
        try:
            self.model.load_state_dict(_below(tensors, "model.") | self._untrained(), strict=True)
            for direction, network in self.ema.generators.items():
                network.load_state_dict(_below(tensors, f"ema.{direction}."), strict=True)
        except RuntimeError as error:
            reason = str(error).splitlines()[1].strip()
            raise UserError(f"The saved state is of other networks than the settings describe: {reason}") from error
        for player, descent in self.descents.items():
            descent.load_state_dict(_below(tensors, f"optimizer.{player}."))
        for name, pool in self.pools.items():
            pool.load_state_dict(_below(tensors, f"pool.{name}."), self.device)
        if self.scaler.is_enabled():
            scaler = _below(tensors, "scaler.")
            self.scaler.load_state_dict({name: tensor.item() for name, tensor in scaler.items()})

    def _weights(self) -> dict[str, Tensor]:
        return {name: tensor for name, tensor in self.model.state_dict().items() if not name.startswith("perceptual.")}

    def _untrained(self) -> dict[str, Tensor]:
        return {name: tensor for name, tensor in self.model.state_dict().items() if name.startswith("perceptual.")}


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _mix(*numbers: int) -> int:
    """One seed from several numbers, such that near numbers give unrelated seeds."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
