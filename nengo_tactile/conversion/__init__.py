"""From a Keras model to a spiking network."""

from nengo_tactile.conversion.check import check
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.network import SpikingNetwork

__all__ = ["SpikingNetwork", "check", "convert"]
