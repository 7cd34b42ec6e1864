"""CUT and FastCUT. Park, Efros, Zhang, Zhu: Contrastive Learning for Unpaired Image-to-Image Translation, ECCV 2020,
https://arxiv.org/abs/2007.15651.

    L = L_GAN(G, D, X, Y) + λ_X L_PatchNCE(G, H, X) + λ_Y L_PatchNCE(G, H, Y)            (eq. 5)

One direction, one generator: instead of a cycle, a patch of the translation must be more like the same patch of its
source than like other patches, compared by the generator's own encoder and a projection F (the paper's H). CUT has
λ_X = λ_Y = 1, FastCUT λ_X = 10 and λ_Y = 0. A step updates D, then G together with F.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from translate.errors import UserError
from translate.losses import patch_nce
from translate.models.discriminators import Discriminators, View, one_sided_terms
from translate.models.extras import ExtraTerms, extra_terms, soft_masks
from translate.models.model import Model, Player, Rivalry
from translate.models.settings import ModelConfig
from translate.models.terms import Images, Losses, LossTerm
from translate.networks import build_generator
from translate.networks.blocks import init_weights
from translate.networks.generator import Generator
from translate.networks.projection import PatchProjection, draw_places
from translate.settings import Direction

WAYS = (("A", "B"),)
"""The one translation that is trained."""
PAPER_LAYERS = ("image", "down.0.conv", "down.1.conv", "blocks.0", "blocks.4")
"""The layers that the paper compares (appendix B.1), by the names that a ResNet generator has for them."""
FEWEST_LAYERS = 3
"""A generator with fewer layers of these names is taken for another architecture."""


class CUTConfig(ModelConfig):
    """CUT: unpaired images, one direction (Park et al. 2020, https://arxiv.org/abs/2007.15651).

    The defaults are the paper's (appendix B.1), but for the blurs in its generator and its discriminator.
    """

    nested_defaults: ClassVar[dict[str, dict[str, Any]]] = {"generator": {"init": "xavier"}}
    discriminator_defaults: ClassVar[dict[str, Any]] = {"init": "xavier"}

    reconstructs: ClassVar[bool] = False

    name: Literal["cut", "fastcut"] = "cut"
    lambda_GAN: float = Field(1.0, ge=0, description="weight of the adversarial loss")
    lambda_NCE: float = Field(1.0, ge=0, description="weight of PatchNCE between input and translation")
    nce_identity: bool = Field(True, description="PatchNCE of pictures that are of domain B already, too (λ_Y)")
    nce_layers: list[int | str] = Field(
        default_factory=list,
        description="encoder layers that are compared, by number or name; none: the paper's, or the first five",
    )
    nce_temperature: float = Field(0.07, gt=0, description="temperature τ of PatchNCE")
    nce_patches: int = Field(256, ge=2, description="patches of each layer that are compared with one another")
    nce_all_negatives: bool = Field(False, description="take negatives from all images of the batch")
    projection_width: int = Field(256, ge=1, description="length of the projected vectors")
    flip_equivariance: bool = Field(
        False, description="mirror the inputs in half of the steps: the translation should be the mirrored one"
    )

    @model_validator(mode="after")
    def _translations_are_encoded_again(self) -> Self:
        if self.generator.in_channels != self.generator.out_channels:
            raise ValueError(
                "PatchNCE sends the translation through the generator's encoder, which needs as many channels in A as "
                "in B"
            )
        return self


class FastCUTConfig(CUTConfig):
    """FastCUT: CUT with the settings of the paper's faster variant (section 4.1)."""

    name: Literal["fastcut"] = "fastcut"
    lambda_NCE: float = Field(10.0, ge=0, description="weight of PatchNCE between input and translation")
    nce_identity: bool = Field(False, description="PatchNCE of pictures that are of domain B already, too (λ_Y)")
    flip_equivariance: bool = Field(
        True, description="mirror the inputs in half of the steps: the translation should be the mirrored one"
    )


class CUT(Model):
    """Generator G: A → B, discriminators D of its translations, and a projection F of its encoder's features."""

    Config = CUTConfig
    title = "CUT"
    needs = "unpaired images"
    paired = False
    sheet_columns = ("input", "translation")
    citation = """@inproceedings{park2020contrastive,
  title     = {Contrastive Learning for Unpaired Image-to-Image Translation},
  author    = {Park, Taesung and Efros, Alexei A. and Zhang, Richard and Zhu, Jun-Yan},
  booktitle = {European Conference on Computer Vision (ECCV)},
  year      = {2020}
}"""

    def __init__(self, config: CUTConfig, merge: bool = True) -> None:
        super().__init__()
        self.config = config
        self.G = build_generator(config.generator)
        self.layers = compared_layers(self.G, config.nce_layers)
        channels = [self.G.feature_layers[name] for name in self.layers]
        self.F = PatchProjection(channels, config.projection_width)
        init_weights(self.F, config.generator.init, config.generator.init_gain)
        self.D = Discriminators(config, config.generator.out_channels, merge)
        self.extras = ExtraTerms(config, WAYS)

    @classmethod
    def terms(cls, config: CUTConfig) -> list[LossTerm]:
        """D_real, D_fake and their penalties; G_GAN, NCE and, with `nce_identity`, NCE_Y."""
        identity = LossTerm("NCE_Y", "Patches unlike their source, pictures of {B}", "PatchNCE", better="low")
        return [
            *one_sided_terms(config),
            LossTerm("G_GAN", "Generator, adversarial loss", "Generators"),
            LossTerm("NCE", "Patches unlike their source", "PatchNCE", better="low"),
            *([identity] if config.nce_identity else []),
            *extra_terms(config, WAYS),
        ]

    @classmethod
    def rivalries(cls, config: CUTConfig) -> list[Rivalry]:
        """The discriminator plays against the one generator."""
        return [Rivalry("The discriminator", "the generator", ("D_real", "D_fake"), "G_GAN")]

    @property
    def players(self) -> Sequence[Player]:
        """D first, then G with F, which learns from the same loss and is not averaged."""
        return (
            Player("discriminators", {"D": self.D}, discriminates=True),
            Player("generators", {"G": self.G, "F": self.F}),
        )

    @property
    def generators(self) -> dict[Direction, nn.Module]:
        """The generator of the one direction."""
        return {"a2b": self.G}

    def forward(self, batch: Images) -> dict[str, Tensor]:
        """Translate a batch {"A", "B"} of (N, C, H, W) in [-1, 1]: the images that the losses are made of.

        With `nce_identity`, B goes through in the same pass, as in the authors' code (it matters to batch norm). With
        `flip_equivariance`, all that goes in is mirrored in half of the steps; `flipped` says so.
        """
        A, B = batch["A"], batch["B"]
        read = torch.cat((A, B)) if self.config.nce_identity else A
        flipped = self.config.flip_equivariance and torch.rand((), device="cpu").item() < 0.5
        made = self.G(read.flip(3) if flipped else read)
        images = {"real_A": A, "real_B": B, "fake_B": made[: len(A)]} | soft_masks(batch)
        if self.config.nce_identity:
            images["idt_B"] = made[len(A) :]
        if flipped:
            images["flipped"] = A.new_ones(())
        return images

    def losses(self, player: str, images: Images) -> Losses:
        """What D, or G and F, minimise, and its named parts."""
        fake = View(images["fake_B"], self._as_made(images, "soft_A"), self._as_made(images, "real_A"))
        if player == "generators":
            return self._generator(images, fake)
        return self.D.total(View(images["real_B"], images.get("soft_B")), fake)

    def _generator(self, images: Images, fake: View) -> Losses:
        config = self.config
        losses = {"G_GAN": self.D.generator_loss(fake) * config.lambda_GAN}
        losses["NCE"] = contrast = self._nce(images, "real_A", "fake_B")
        if config.nce_identity:
            losses["NCE_Y"] = self._nce(images, "real_B", "idt_B")
            contrast = (contrast + losses["NCE_Y"]) * 0.5  # eq. 5 has their sum; the authors' code has this
        further = self.extras({**images, "fake_B": self._unflipped(images)})
        total = losses["G_GAN"] + contrast
        return (total + torch.stack(list(further.values())).sum() if further else total), losses | further

    def _nce(self, images: Images, source: str, made: str) -> Tensor:
        """PatchNCE averaged over the layers (eq. 4): queries are the translation's features, keys the source's."""
        config = self.config
        # Queries before keys: without gradients autocast would keep weights in half precision that have lost theirs.
        features = self.G.features(images[made], self.layers)
        if "flipped" in images:
            features = [feature.flip(3) for feature in features]
        places = draw_places(features, config.nce_patches)
        queries = self.F(features, places)
        with torch.no_grad():
            keys = self.F(self.G.features(images[source], self.layers), places)
        losses = [
            patch_nce(
                query,
                key,
                temperature=config.nce_temperature,
                all_negatives_from_minibatch=config.nce_all_negatives,
            )
            * config.lambda_NCE
            for query, key in zip(queries, keys, strict=True)
        ]
        return torch.stack(losses).sum() / len(losses)

    def _as_made(self, images: Images, name: str) -> Tensor | None:
        """An image that goes with the translation, mirrored where the translation is."""
        image = images.get(name)
        return image.flip(3) if image is not None and "flipped" in images else image

    def _unflipped(self, images: Images) -> Tensor:
        """The translation, mirrored back where its input was mirrored."""
        return images["fake_B"].flip(3) if "flipped" in images else images["fake_B"]

    @staticmethod
    def sheet(generators: Mapping[Direction, nn.Module], batch: Images) -> list[tuple[Tensor, ...]]:
        """Rows of a sheet of samples: real_A, fake_B."""
        return [(batch["A"], generators["a2b"](batch["A"]))]


class FastCUT(CUT):
    """CUT with other defaults; see `FastCUTConfig`."""

    Config = FastCUTConfig
    title = "FastCUT"


def compared_layers(generator: Generator, wanted: Sequence[int | str]) -> list[str]:
    """Names of the encoder layers that PatchNCE compares.

    Args:
        generator: G; see `Generator.feature_layers`.
        wanted: numbers or names; none: those of the paper where the generator has at least three of them, else the
            first five of its encoder. (The last ones of a U-Net have too few places to tell one from another.)
    Raises:
        UserError: the generator has no such layer, or describes no layers at all.
    """
    there = list(generator.feature_layers)
    if not there:
        raise UserError(
            "PatchNCE compares layers of the generator's encoder, and a "
            f"{type(generator).__name__} describes none; choose another generator or another model."
        )
    if wanted:
        try:
            return generator.feature_names(wanted)
        except ValueError as error:
            raise UserError(f"model.nce_layers: {error}.") from error
    known = [name for name in PAPER_LAYERS if name in there]
    if len(known) >= FEWEST_LAYERS:
        return known
    return there[: len(PAPER_LAYERS)]
