"""Synaptic Kernel Inverse Method: networks of random synaptic kernels, trained in closed form.

Cohen et al. 2016, "Skimming Digits", Front. Neurosci. 10:184. Modules load on first use, so that
importing the room is quick.
"""

from nengo_tactile.lazy import attributes

_HOMES = {
    "Kernels": "kernels",
    "draw_kernels": "kernels",
    "impulse_response": "kernels",
    "KernelSynapse": "synapse",
    "HiddenLayer": "layer",
    "draw_layer": "layer",
    "Events": "activity",
    "dense": "activity",
    "OpiumState": "opium",
    "save_state": "opium",
    "load_state": "opium",
    "Opium": "learning",
    "OpiumLight": "learning",
    "OpiumDynamic": "learning",
    "SkimNetwork": "classifier",
    "Samples": "classifier",
    "Supervision": "supervision",
    "training_pattern": "supervision",
    "determine": "supervision",
    "train": "trainer",
    "read_out": "trainer",
    "build": "network",
    "outputs": "network",
    "learn": "network",
}

__all__ = sorted(_HOMES)
__getattr__, __dir__ = attributes(__name__, _HOMES)
