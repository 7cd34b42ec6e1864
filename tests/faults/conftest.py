"""Fixtures of the tests of inference, for faults that show when pictures are translated."""

from __future__ import annotations

from tests.inference.conftest import make_checkpoint

__all__ = ["make_checkpoint"]
