"""Checkpoint folders: their format, model cards, the reference implementation's files, and how names find them."""
