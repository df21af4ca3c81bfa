"""Keras networks and tactile event recordings as spiking networks.

The public face loads its rooms on first use, so that importing the package is quick. It may be
imported before or after TensorFlow and Keras, which it leaves as they are; NengoDL and NengoLoihi
work from then on (`nengo_tactile.stack`).
"""

import importlib

from nengo_tactile import stack as stack

__version__ = "0.1.0"

#: Public name -> room that holds it.
_FACE = {
    "convert": "nengo_tactile.conversion",
    "check": "nengo_tactile.conversion",
    "SpikingNetwork": "nengo_tactile.conversion",
    "SkimNetwork": "nengo_tactile.skim",
    "SlayerNetwork": "nengo_tactile.slayer",
    "Network": "nengo_tactile.networks.protocol",
    "load": "nengo_tactile.saved",
    "run": "nengo_tactile.engines",
    "Recording": "nengo_tactile.engines.recording",
}
_ROOMS = (
    "analysis",
    "ann",
    "conversion",
    "datasets",
    "engines",
    "events",
    "networks",
    "report",
    "reproduce",
    "skim",
    "slayer",
)

__all__ = ["__version__", *_FACE, *_ROOMS]


def __getattr__(name):
    if name in _FACE:
        value = getattr(importlib.import_module(_FACE[name]), name)
    elif name in _ROOMS:
        value = importlib.import_module(f"nengo_tactile.{name}")
    else:
        raise AttributeError(f"module 'nengo_tactile' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)
