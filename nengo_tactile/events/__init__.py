"""Event arrays, tactile images, encoders, and the simulated e-skin.

Modules load on first use, so that importing the room is quick.
"""

from nengo_tactile.lazy import attributes

_HOMES = {
    "EVENT_DTYPE": "arrays",
    "make_events": "arrays",
    "check_events": "arrays",
    "spike_tensor": "binning",
    "SpikeSamples": "sparse",
    "load_spike_samples": "sparse",
    "random_shifts": "sparse",
    "spike_samples": "sparse_build",
    "spike_samples_of": "sparse_build",
    "TactileImage": "images",
    "constant_current": "encoders",
    "poisson_spikes": "encoders",
    "spike_delays": "encoders",
    "delay_spikes": "encoders",
    "CurrentCoding": "coding",
    "DelayCoding": "coding",
    "Trajectory": "trajectories",
    "WriterStyle": "strokes",
    "digit_trajectory": "strokes",
    "ESkinParameters": "eskin",
    "Hand": "eskin",
    "SaccadeParameters": "saccades",
    "fitted_saccades": "saccades",
    "PatternLayout": "patterns",
    "event_pattern": "patterns",
    "pattern_entries": "patterns",
    "fitted_parameters": "calibration",
    "table1": "calibration",
}

__all__ = sorted(_HOMES)
__getattr__, __dir__ = attributes(__name__, _HOMES)
