"""What a run leaves behind to be looked at: a local history that works with no account, and Weights & Biases."""
