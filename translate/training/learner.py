"""Everything that training changes: networks, optimisers, moving averages, image pools; and the parts of a step.

`translate.training.trainer.train_step` puts the parts in order: forward, then for each player loss, backward, update.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import gather
from torch import Tensor, nn

from translate.checkpoints.format import copy_weights
from translate.config import TrainConfig
from translate.errors import UserError
from translate.kernels.optimise import optimise
from translate.models import Player, build_model
from translate.networks.blocks import synchronise
from translate.training.ema import EMA
from translate.training.optimizer import PlayerOptimizer
from translate.training.pool import ImagePool

Batch = Mapping[str, Tensor]
BATCH_IMAGES = ("A", "B", "mask_A", "mask_B")
"""What of a batch the networks may see; paths and notes stay behind."""


class Learner:
    """The networks of a run with all that goes with them.

    All randomness of a step (dropout, image pool, penalties) is drawn from (seed, step, process) and never from what
    was drawn before, so a run that is stopped and resumed is the run that was never stopped.

    Several processes each hold a copy. Gradients are averaged over them after each backward pass rather than by
    DistributedDataParallel, which expects one forward pass a backward pass, where a step here has up to eight.

    Args:
        config: all settings.
        device, dtype, layout: where and how the networks compute.
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
        self.players: dict[str, Player] = {player.name: player for player in self.model.players}
        for player in self.players.values():
            for network in player.networks.values():
                optimise(network, device, dtype)
        self.scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
        self.optimizers = {player.name: self._optimizer(player) for player in self.model.players}
        self.ema = self._averages()
        self.pools: dict[str, ImagePool] = {}
        self.norms: dict[str, Tensor] = {}
        """Norms of the last step's gradients by network; empty unless `tracking.gradients`."""

    def _optimizer(self, player: Player) -> PlayerOptimizer:
        optim = self.config.optim
        needs_all = self.processes.num_processes > 1 or optim.clip_norm or self.config.tracking.gradients
        return PlayerOptimizer(
            player.networks,
            (optim.lr_discriminator if player.discriminates else None) or optim.lr,
            optim,
            fused=self.device.type in ("cpu", "cuda"),
            at_once=self.device.type == "cpu" and not needs_all and not self.scaler.is_enabled(),
        )

    def _averages(self) -> EMA:
        """Moving averages that begin as the generators are now and follow them from here on."""
        ema = EMA(self.model.generators, self.config.optim.ema)
        pairs = ema.follows(self.model.generators)
        for optimizer in self.optimizers.values():
            optimizer.follow({weight: pairs[weight] for weight in optimizer.parameters if weight in pairs})
        return ema

    def start_from(self, checkpoint: Path) -> None:
        """Begin with a checkpoint folder's generators and new discriminators. Raises UserError if they misfit."""
        copy_weights(checkpoint, self.model.generators)
        self.ema = self._averages()

    def compile(self) -> None:
        """Compile the networks; shapes are fixed, so each network is compiled for the few batch sizes it sees."""
        for player in self.players.values():
            for network in player.networks.values():
                for part in network if isinstance(network, nn.ModuleList) else [network]:
                    part.compile(dynamic=False)

    # --------------------------------------------------------------------------------------------- the parts of a step

    @contextmanager
    def step(self, number: int, lr_factor: float) -> Iterator[None]:
        """Around a step: its own randomness, and what its updates are to use.

        Args:
            number: of this step, counted from 0.
            lr_factor: of the learning rates; see `schedule`.
        """
        torch.manual_seed(_mix(self.config.run.seed, number, self.processes.process_index))
        for optimizer in self.optimizers.values():
            optimizer.prepare(lr_factor, self.ema.weight(number + 1))
        yield

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The images that the losses are made of, from a batch on any device; see `Model.forward`."""
        shown = {
            name: batch[name].to(self.device, memory_format=self.layout, non_blocking=True)
            for name in BATCH_IMAGES
            if name in batch
        }
        with self._autocast():
            images: dict[str, Tensor] = self.model(shown)
        return images

    def loss(self, player: Player, images: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """What a player minimises, and its named parts. Discriminators get no gradient unless it is their turn."""
        for other in self.players.values():
            if other.discriminates:
                for network in other.networks.values():
                    network.requires_grad_(other is player)
        with self._autocast():
            total, named = self.model.losses(player.name, images)
        return total, named

    def backward(self, player: Player, total: Tensor) -> None:
        """The gradients of a player's networks, averaged over all processes; on one CPU the update is part of it."""
        optimizer = self.optimizers[player.name]
        optimizer.zero_grad()
        self.scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        self._average_gradients(optimizer.gradients())

    def update(self, player: Player) -> None:
        """Clip the gradients where that is asked for, and move the weights."""
        optimizer = self.optimizers[player.name]
        if self.config.optim.clip_norm or self.config.tracking.gradients:
            for one in optimizer.optimizers:
                self.scaler.unscale_(one)
        if self.config.tracking.gradients:
            for name, network in player.networks.items():
                gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
                self.norms[name] = nn.utils.get_total_norm(gradients)
        if self.config.optim.clip_norm:
            nn.utils.clip_grad_norm_(optimizer.parameters, self.config.optim.clip_norm)
        optimizer.finish(self.scaler)

    def through_pools(self, images: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        """The images with the pooled ones exchanged for past ones.

        Every process keeps the same pools, of all processes' images.
        """
        rng = random.Random(_mix(self.config.run.seed, step, 0))
        seen = dict(images)
        for name, together in self.model.pooled(images).items():
            kept = [images[one].detach() for one in together]
            fresh = kept[0] if len(kept) == 1 else torch.cat(kept, 1)
            pool = self.pools.setdefault(name, ImagePool(getattr(self.config.model, "pool_size", 0)))
            if pool.size and self.processes.num_processes > 1:
                mine = slice(len(fresh) * self.processes.process_index, len(fresh) * (self.processes.process_index + 1))
                given = pool.query(gather(fresh.contiguous()), rng)[mine]
            else:
                given = pool.query(fresh, rng)
            parts = [given] if len(kept) == 1 else torch.split(given, [one.shape[1] for one in kept], 1)
            seen |= dict(zip(together, parts, strict=True))
        return seen

    # -------------------------------------------------------------------------------------------------------- measuring

    def gradient_norms(self) -> dict[str, float]:
        """{"gradients/G_A": 0.7, …}: the norms at the last step, before clipping; empty unless `tracking.gradients`.

        Reading them waits for the step to end. Norms that float16 made infinite, a step that the scaler skips, are
        left out.
        """
        norms = {f"gradients/{name}": norm.item() for name, norm in self.norms.items()}
        return {name: norm for name, norm in norms.items() if math.isfinite(norm)}

    # ------------------------------------------------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Tensor]:
        """Every tensor that the next step depends on, under a flat name."""
        tensors = {f"model.{name}": tensor for name, tensor in self._weights().items()}
        for direction, network in self.ema.generators.items():
            tensors |= {f"ema.{direction}.{name}": tensor for name, tensor in network.state_dict().items()}
        for player, optimizer in self.optimizers.items():
            tensors |= {f"optimizer.{player}.{name}": tensor for name, tensor in optimizer.state_dict().items()}
        for name, pool in self.pools.items():
            tensors |= {f"pool.{name}.{place}": image for place, image in pool.state_dict().items()}
        if self.scaler.is_enabled():
            tensors |= {f"scaler.{name}": torch.tensor(value) for name, value in self.scaler.state_dict().items()}
        return tensors

    def load_state_dict(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over a state. Raises UserError where it is of other networks than the config's."""
        try:
            for player in self.players.values():
                for name, network in player.networks.items():
                    network.load_state_dict(_below(tensors, f"model.{name}."), strict=True)
            for direction, average in self.ema.generators.items():
                average.load_state_dict(_below(tensors, f"ema.{direction}."), strict=True)
        except RuntimeError as error:
            reason = str(error).splitlines()[1].strip()
            raise UserError(f"The saved state is of other networks than the settings describe: {reason}") from error
        for player_name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(_below(tensors, f"optimizer.{player_name}."))
        pooled = dict.fromkeys(name.split(".")[1] for name in tensors if name.startswith("pool."))
        for name in pooled:
            self.pools[name] = ImagePool(getattr(self.config.model, "pool_size", 0))
            self.pools[name].load_state_dict(_below(tensors, f"pool.{name}."), self.device)
        if self.scaler.is_enabled():
            scaler = _below(tensors, "scaler.")
            self.scaler.load_state_dict({name: tensor.item() for name, tensor in scaler.items()})

    def _weights(self) -> dict[str, Tensor]:
        """The weights of the networks that are trained; frozen feature networks are not part of a state."""
        return {
            f"{name}.{key}": tensor
            for player in self.players.values()
            for name, network in player.networks.items()
            for key, tensor in network.state_dict().items()
        }

    def _average_gradients(self, gradients: list[Tensor]) -> None:
        """Average over all processes, in place."""
        if self.processes.num_processes == 1:
            return
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        torch.distributed.all_reduce(flat)
        flat /= self.processes.num_processes
        pieces = torch.split(flat, [gradient.numel() for gradient in gradients])
        shaped = [piece.view(gradient.shape) for piece, gradient in zip(pieces, gradients, strict=True)]
        torch._foreach_copy_(gradients, shaped)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _mix(*numbers: int) -> int:
    """One seed from several numbers, such that near numbers give unrelated seeds."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
