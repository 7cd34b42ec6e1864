"""Observers: called after each step, they write history, samples, validation, checkpoints, tracking and health."""
