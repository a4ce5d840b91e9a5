"""Runs of the whole shop, decided by a seed: the same seed, the same run."""
