"""Event arrays, tactile images, encoders, and the simulated e-skin.

Modules load on first use, so that importing the room is quick.
"""

from nengo_tactile.lazy import attributes

__all__, __getattr__, __dir__ = attributes(__name__)
