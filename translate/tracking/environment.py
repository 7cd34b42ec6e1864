"""What the environment variables of Weights & Biases say; the client itself reads those that are not named here."""

from __future__ import annotations

import os

from translate.errors import UserError
from translate.tracking.settings import TrackingConfig


def drop_empty_variables() -> None:
    """Take empty WANDB_… out of the environment: the client refuses WANDB_MODE='', with which a shell means none."""
    for name in [name for name, value in os.environ.items() if name.startswith("WANDB_") and not value]:
        del os.environ[name]


def refused_variables(error: Exception) -> UserError:
    """The client does not take a variable; says which are set and what it says of them."""
    given = ", ".join(sorted(name for name in os.environ if name.startswith("WANDB_")))
    reason = " ".join(str(error).split()[:25])
    return UserError(
        f"Weights & Biases does not take its environment variables ({given}): {reason} … "
        "Correct or unset them, or leave tracking out: --tracking.mode disabled."
    )


def project_name(tracking: TrackingConfig) -> str:
    """The project in the settings, or WANDB_PROJECT where they have nothing but the default."""
    is_default = tracking.project == type(tracking).model_fields["project"].default
    return (os.environ.get("WANDB_PROJECT") if is_default else None) or tracking.project
