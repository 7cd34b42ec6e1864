"""Records of a run: a local history, which needs no account, and Weights & Biases."""
