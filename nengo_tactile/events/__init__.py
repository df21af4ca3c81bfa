"""Event arrays, tactile images, encoders, and the simulated e-skin.

Modules load on first use, so that importing the room is quick.
"""

import importlib

_HOMES = {
    "EVENT_DTYPE": "arrays",
    "make_events": "arrays",
    "check_events": "arrays",
    "spike_tensor": "binning",
    "TactileImage": "images",
    "constant_current": "encoders",
    "poisson_spikes": "encoders",
    "spike_delays": "encoders",
    "delay_spikes": "encoders",
    "Trajectory": "trajectories",
    "WriterStyle": "strokes",
    "digit_trajectory": "strokes",
    "ESkinParameters": "eskin",
    "Hand": "eskin",
    "fitted_parameters": "calibration",
    "table1": "calibration",
}

__all__ = sorted(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__():
    return sorted([*globals(), *_HOMES])
