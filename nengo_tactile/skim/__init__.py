"""Synaptic Kernel Inverse Method: networks of random synaptic kernels, trained in closed form.

Cohen et al. 2016, "Skimming Digits", Front. Neurosci. 10:184. Modules load on first use, so that
importing the room is quick.
"""

from nengo_tactile.lazy import attributes

__all__, __getattr__, __dir__ = attributes(__name__)
