"""What goes wrong in GANs, named in words while it happens, from the running losses and the sample images.

Each finding is told when it begins, and again only if it had gone in between. The thresholds are such that healthy runs
stay silent: losses of a GAN do not fall, they hover, and a discriminator that is mostly right is normal in pix2pix.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import torch
from torch import Tensor
from torch.nn import functional as F

from translate.config import TrainConfig
from translate.models import Model, model_class

WINDOW = 20
"""Logged rows that a verdict on the losses looks back on."""
SETTLED = 2000
"""Steps before which nothing is said of images: every generator begins with grey, and some with their input."""
SIDE = 32
"""Pixels that sample images are reduced to before they are compared: what differs only in noise is alike."""

WON = {"lsgan": (0.005, 0.9), "bce": (0.005, 6.0), "bce_minimax": (0.005, 6.0)}
"""Per objective: a discriminator's loss below which, and its generator's above which, nothing is left to learn from.
Least squares: 0 is always right, 1 what a generator gets that never convinces. Hinge and WGAN have no such scale."""
EXPLODED = 50.0
"""Times the losses' own earlier median."""
ALIKE = 0.1
"""Differences between outputs, as a share of those between their inputs, below which the outputs are one picture."""
UNCHANGED = 0.01
"""Mean absolute difference between output and input, of a range of 2, below which nothing is translated."""
INVERTED = -0.5
"""Correlation of the brightness of input and output."""

ADVICE = {
    "won": "{D} tells every translation from a real image, so {G} has nothing left to learn from. Try a lower "
    "--optim.lr_discriminator, a smaller --model.discriminator.width, or --model.lambda_r1 10; look for a difference "
    "between the two sides that is no content, such as borders, size or JPEG noise.",
    "exploded": "{loss} is {times:.0f} times what it was. If it does not come back soon, go on from an earlier state "
    "with a lower --optim.lr, or with --optim.clip_norm 1.",
    "collapsed": "{direction} makes nearly the same picture of every input. Begin again with another --run.seed, a "
    "lower --optim.lr or a smaller discriminator; more training does not bring it back.",
    "identity": "{direction} gives back its input almost unchanged. Lower --model.lambda_identity and the weights of "
    "the cycle, or give the discriminators more width.",
    "inverted": "{direction} turns light into dark. A cycle-consistent pair of generators can settle in that; begin "
    "again with another --run.seed and --model.lambda_identity 0.5.",
}


@dataclass
class Health:
    """Watches one run. Feed it every logged row and every set of samples."""

    config: TrainConfig
    rows: deque[Mapping[str, float]] = field(default_factory=lambda: deque(maxlen=10 * WINDOW))
    present: set[str] = field(default_factory=set)

    @property
    def model(self) -> type[Model]:
        """The model that the run trains: it says which discriminators play against which generators."""
        return model_class(self.config.model.name)

    def observe_losses(self, losses: Mapping[str, float]) -> list[str]:
        """Problems that appeared with this row of named losses, as sentences."""
        self.rows.append(dict(losses))
        if len(self.rows) < WINDOW:
            return []
        latest, earlier = list(self.rows)[-WINDOW:], list(self.rows)[:-WINDOW]
        findings = self._discriminators_that_won(latest)
        if len(earlier) >= WINDOW:
            for name in losses:
                before, now = (median(abs(row[name]) for row in rows) for rows in (earlier, latest[-5:]))
                if now > max(EXPLODED * before, 1.0):
                    findings[f"exploded {name}"] = ADVICE["exploded"].format(loss=name, times=now / max(before, 1e-12))
        return self._new(findings, "won", "exploded")

    def observe_images(self, step: int, samples: Mapping[str, Sequence[tuple[Tensor, Tensor]]]) -> list[str]:
        """What is new and wrong with the samples of this step, as sentences.

        Args:
            step: steps done.
            samples: for each direction, in words, pairs of input and output, each (N, C, H, W) in [-1, 1].
        """
        findings: dict[str, str] = {}
        if step < SETTLED:
            return []
        for direction, pairs in samples.items():
            inputs, outputs = (torch.cat([_small(pair[side]) for pair in pairs]) for side in (0, 1))
            verdict = self._verdict(inputs, outputs)
            if verdict:
                findings[f"{verdict} {direction}"] = ADVICE[verdict].format(direction=direction)
        return self._new(findings, "collapsed", "identity", "inverted")

    def _discriminators_that_won(self, latest: Sequence[Mapping[str, float]]) -> dict[str, str]:
        scale = WON.get(self.config.model.objective)
        if scale is None:
            return {}
        findings = {}
        for rivalry in self.model.rivalries(self.config.model):
            loss = median(sum(row[part] for part in rivalry.judged) / len(rivalry.judged) for row in latest)
            if loss < scale[0] and median(row[rivalry.played] for row in latest) > scale[1]:
                sentence = ADVICE["won"].format(D=rivalry.discriminator, G=rivalry.generator)
                findings[f"won {rivalry.discriminator}"] = sentence
        return findings

    def _verdict(self, inputs: Tensor, outputs: Tensor) -> str | None:
        if len(inputs) > 1 and _spread(outputs) < ALIKE * _spread(inputs):
            return "collapsed"
        if inputs.shape != outputs.shape or not self.model.changes_input:
            return None  # a paired target may well look like its input, or the other way round
        if (outputs - inputs).abs().mean() < UNCHANGED:
            return "identity"
        brightness = torch.stack([inputs.mean(1).flatten(), outputs.mean(1).flatten()])
        return "inverted" if torch.corrcoef(brightness)[0, 1] < INVERTED else None

    def _new(self, findings: Mapping[str, str], *kinds: str) -> list[str]:
        """The findings that were not present at the last call; one of `kinds` that has gone may be reported again."""
        fresh = [sentence for key, sentence in findings.items() if key not in self.present]
        self.present = {key for key in self.present if key.split()[0] not in kinds} | set(findings)
        return fresh


def _small(images: Tensor) -> Tensor:
    return F.adaptive_avg_pool2d(images.float().cpu(), SIDE)


def _spread(images: Tensor) -> Tensor:
    """Mean absolute difference of each image from the mean image, averages of brightness left out."""
    return (images - images.mean(dim=0, keepdim=True)).abs().mean()
