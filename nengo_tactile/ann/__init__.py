"""Keras networks: the papers' notation, rate-LIF activations, training, weight files."""

from nengo_tactile.ann.notation import build, parse

__all__ = ["build", "parse"]
