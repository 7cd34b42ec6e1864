"""What looks on while a run trains, and writes: history, samples, validation, checkpoints, tracking, health."""
