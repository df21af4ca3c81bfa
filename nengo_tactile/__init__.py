"""Keras networks and tactile event recordings as spiking networks.

The public face loads its rooms on first use, so that importing the package is quick.
"""

__version__ = "0.1.0"
