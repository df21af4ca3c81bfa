"""Keras networks and tactile event recordings as spiking networks.

The public face loads its rooms on first use, so that importing the package is quick. It may be
imported before or after TensorFlow and Keras, which it leaves as they are; NengoDL and NengoLoihi
work from then on (`nengo_tactile.stack`).
"""

from nengo_tactile import stack as stack
from nengo_tactile.lazy import attributes

__version__ = "0.2.0"

__all__, __getattr__, __dir__ = attributes(__name__)
