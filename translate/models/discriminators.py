"""The discriminators of one domain: a list, whose losses are summed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from translate.losses import Objective, composite, discriminator_terms, generator_term, gradient_penalty, r1_penalty
from translate.models.merging import Logits, together
from translate.models.settings import ModelConfig
from translate.models.terms import Losses, LossTerm
from translate.networks import DiscriminatorConfig, build_discriminator
from translate.networks.diff_augment import diff_augment


@dataclass(frozen=True)
class View:
    """An image, and what is needed to show a discriminator a part of it.

    Attributes:
        image: (N, C, H, W) in [-1, 1], real or translated.
        mask: (N, 1, H, W) in [0, 1], soft, 1 where the object is; None where there are no masks.
        behind: the image that a translation was made from, (N, C, H, W); None for a real image.
        condition: (N, C, H, W), shown beside the image in every view to the discriminators that take one: those of
            pix2pix see the input too.
    """

    image: Tensor
    mask: Tensor | None = None
    behind: Tensor | None = None
    condition: Tensor | None = None

    def seen(self, sees: str) -> Tensor:
        """The image as a discriminator with this setting sees it.

        image      the whole image
        composite  the translated object in front of the unchanged background; a real image is its own composite
        object     the object alone, on grey (0)

        Without a mask, and without a background of as many channels, all three are the whole image.
        """
        image = self.image
        has_background = self.behind is not None and self.behind.shape[1] == image.shape[1]
        if self.mask is not None and sees == "object":
            image = image * self.mask
        elif self.mask is not None and self.behind is not None and has_background and sees == "composite":
            image = composite(image, self.behind, self.mask)
        return image

    def parts(self, settings: DiscriminatorConfig) -> list[Tensor]:
        """What a discriminator is shown side by side: the condition, where it wants one, and the image."""
        image = self.seen(settings.sees)
        return [image] if self.condition is None or not settings.conditional else [self.condition, image]

    def detach(self) -> View:
        """The same view of the detached image, for the discriminators' own update."""
        return View(self.image.detach(), self.mask, self.behind, self.condition)


class Discriminators(nn.ModuleList):
    """What judges the images of one domain.

    Args:
        config: the model's settings; `config.discriminators` says which there are.
        in_channels: channels of what they see.
        merge: whether real and translated images may share a pass.
    """

    def __init__(self, config: ModelConfig, in_channels: int, merge: bool) -> None:
        super().__init__(build_discriminator(one, in_channels) for one in config.discriminators)
        self.config = config
        self.merge = merge

    def generator_loss(self, fake: View) -> Tensor:
        """What a generator minimises on its translations: the sum over the discriminators, each with its weight."""
        terms = []
        for settings, discriminator in self._each():
            judged = _scales(discriminator(self._shown(fake, settings)))
            term = _mean([generator_term(self._objective(settings), scale) for scale in judged])
            terms.append(term if settings.weight == 1 else term * settings.weight)
        return _sum(terms)

    def losses(self, real: View, fake: View, fake_first: bool = False) -> tuple[Tensor, Tensor]:
        """What the discriminators minimise on real and on translated images, each summed over the discriminators.

        Args:
            fake_first: send the translated images through first, in the order of pix2pix's reference; it decides the
                order of summation, and with batch norm the running averages.
        """
        fake = fake.detach()
        on_real, on_fake = [], []
        for settings, discriminator in self._each():
            batches = [self._shown(view, settings) for view in (real, fake)]
            merge = self.merge and settings.separates_images
            judged = together(discriminator, batches[::-1] if fake_first else batches, merge)
            real_scales, fake_scales = map(_scales, judged[::-1] if fake_first else judged)
            objective = self._objective(settings)
            terms = [
                discriminator_terms(objective, one, other) for one, other in zip(real_scales, fake_scales, strict=True)
            ]
            on_real.append(_mean([term for term, _ in terms]))
            on_fake.append(_mean([term for _, term in terms]))
        return _sum(on_real), _sum(on_fake)

    def total(self, real: View, fake: View) -> Losses:
        """What the discriminators of a one-way model minimise: half the sum of both terms, and the penalties.

        The order is that of pix2pix's reference. The named parts are D_real, D_fake and the penalties; see
        `one_sided_terms`.
        """
        on_real, on_fake = self.losses(real, fake, fake_first=True)
        losses = {"D_real": on_real, "D_fake": on_fake}
        total = (on_real + on_fake) * 0.5
        for name, penalty in self.penalties(real, fake).items():
            losses[f"D_{name}"] = penalty
            total = total + penalty
        return total, losses

    def penalties(self, real: View, fake: View) -> dict[str, Tensor]:
        """Weighted penalties of the discriminators' gradients that the settings ask for: "gp" and "r1"."""
        config, fake = self.config, fake.detach()
        found: dict[str, list[Tensor]] = {}
        for settings, discriminator in self._each():
            if not settings.penalised:
                continue
            shown = _together(real.parts(settings))
            judge = _Judge(discriminator)
            if self._objective(settings) == "wgan_gp" and config.lambda_gp:
                mix = torch.rand(len(shown), 1, 1, 1, device=shown.device)
                penalty = gradient_penalty(judge, shown, _together(fake.parts(settings)), mix)
                found.setdefault("gp", []).append(penalty * config.lambda_gp)
            if config.lambda_r1:
                found.setdefault("r1", []).append(r1_penalty(judge, shown) * config.lambda_r1)
        return {name: _sum(terms) for name, terms in found.items()}

    def _shown(self, view: View, settings: DiscriminatorConfig) -> Tensor:
        """What a discriminator sees, (N, C, H, W), after DiffAugment where the settings ask for it."""
        parts, policy = view.parts(settings), self.config.diff_augment
        return _together(diff_augment(parts, policy) if policy else parts)

    def _each(self) -> Iterator[tuple[DiscriminatorConfig, nn.Module]]:
        return zip(self.config.discriminators, self, strict=True)

    def _objective(self, settings: DiscriminatorConfig) -> Objective:
        return settings.objective or self.config.objective

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Take over states of the time when a domain had one discriminator: `D_A.head.bias` is `D_A.0.head.bias`."""
        for name in [name for name in state_dict if name.startswith(prefix)]:
            if not name.removeprefix(prefix).split(".")[0].isdigit():
                state_dict[f"{prefix}0.{name.removeprefix(prefix)}"] = state_dict.pop(name)
        super()._load_from_state_dict(state_dict, prefix, *rest)


def one_sided_terms(config: ModelConfig) -> list[LossTerm]:
    """What is said of the losses that `Discriminators.total` names, for `Model.terms`."""
    return [
        LossTerm("D_real", "Discriminator, on real pictures", "Discriminators"),
        LossTerm("D_fake", "Discriminator, on translations", "Discriminators"),
        *(LossTerm(f"D_{name}", f"Discriminator, penalty ({name})", "Penalties") for name in penalised(config)),
    ]


def penalised(config: ModelConfig) -> list[str]:
    """Names of the penalties that `Discriminators.penalties` gives with these settings."""
    judging = [one for one in config.discriminators if one.penalised]
    wasserstein = any((one.objective or config.objective) == "wgan_gp" for one in judging)
    wanted = {"gp": wasserstein and config.lambda_gp > 0, "r1": bool(judging) and config.lambda_r1 > 0}
    return [name for name, is_wanted in wanted.items() if is_wanted]


def _scales(logits: Logits) -> Sequence[Tensor]:
    return [logits] if isinstance(logits, Tensor) else logits


@dataclass(frozen=True)
class _Judge:
    """All logits of a discriminator as one tensor: a penalty is one of the gradient of their sum."""

    discriminator: nn.Module

    def __call__(self, images: Tensor) -> Tensor:
        logits: Logits = self.discriminator(images)
        return logits if isinstance(logits, Tensor) else torch.cat([scale.flatten(1) for scale in logits], 1)


def _together(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(tuple(parts), 1)


def _mean(terms: Sequence[Tensor]) -> Tensor:
    return terms[0] if len(terms) == 1 else torch.stack(list(terms)).mean()


def _sum(terms: Sequence[Tensor]) -> Tensor:
    return terms[0] if len(terms) == 1 else torch.stack(list(terms)).sum()
