"""Loss terms that any model can have beside its own: change outside of masks, content and style by frozen features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor, nn

from translate.features import FeatureNetwork, load_features
from translate.losses import content_loss, outside_change, soften, style_loss
from translate.models.settings import ModelConfig
from translate.models.terms import Images, LossTerm

PERCEPTUAL_NETWORK = "vgg16"
"""The network that `perceptual_weights` is a file of."""
Way = tuple[str, str]
"""("A", "B") for translations of A into B, which are compared with real_A and real_B."""


def soft_masks(batch: Images) -> dict[str, Tensor]:
    """{"soft_A", "soft_B"}: the batch's masks of what may change, grown and softened; empty where it has none."""
    return {f"soft_{domain}": soften(batch[f"mask_{domain}"]) for domain in "AB" if f"mask_{domain}" in batch}


class ExtraTerms(nn.Module):
    """The extra terms that a model's settings ask for.

    Args:
        config: the model's settings.
        ways: the translations that are trained.
    """

    def __init__(self, config: ModelConfig, ways: Sequence[Way]) -> None:
        super().__init__()
        self.config, self.ways = config, tuple(ways)
        self.networks: dict[str, FeatureNetwork] = {}
        for name in extra_features(config):
            network = load_features(name, config.perceptual_weights if name == PERCEPTUAL_NETWORK else None)
            self.networks[name] = network
            self.add_module(f"features_{len(self.networks)}", network)

    def forward(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weighted terms by name; see `extra_terms`."""
        config, losses = self.config, {}
        for source, target in self.ways:
            real, fake = images[f"real_{source}"], images[f"fake_{target}"]
            if config.lambda_outside and f"soft_{source}" in images:
                losses[f"outside_{source}"] = (
                    outside_change(fake, real, images[f"soft_{source}"]) * config.lambda_outside
                )
            if config.lambda_content:
                content = content_loss(self.networks[config.content_features], fake, real)
                losses[f"content_{source}"] = content * config.lambda_content
            if config.lambda_style and target in config.style_of:
                style = style_loss(
                    self.networks[config.style_features],
                    fake,
                    images[f"real_{target}"],
                    strides=config.style_strides,
                    statistics=config.style_statistics,
                )
                losses[f"style_{target}"] = style * config.lambda_style
        return losses


def extra_features(config: ModelConfig) -> list[str]:
    """Names of the feature networks that the extra terms compare by."""
    wanted = [config.content_features] if config.lambda_content else []
    return list(dict.fromkeys([*wanted, *([config.style_features] if config.lambda_style else [])]))


def extra_terms(config: ModelConfig, ways: Sequence[Way]) -> Iterator[LossTerm]:
    """What is said of the extra terms, for `Model.terms`."""
    for source, target in ways:
        if config.lambda_outside:
            label = f"Change outside of the masks of {{{source}}}"
            yield LossTerm(f"outside_{source}", label, "Change outside of masks", better="low")
        if config.lambda_content:
            label = f"Change of the content of {{{source}}} ({config.content_features})"
            yield LossTerm(f"content_{source}", label, "Content and style", better="low")
        if config.lambda_style and target in config.style_of:
            label = f"Distance from the style of {{{target}}} ({config.style_features})"
            yield LossTerm(f"style_{target}", label, "Content and style", better="low")
