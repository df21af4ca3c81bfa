"""What several tests measure: errors, memory, whether recordings are the same."""

import dataclasses
import tracemalloc

import numpy as np


def relative(found, wanted):
    """Norm of the difference over the norm of what is wanted."""
    return np.linalg.norm(found - wanted) / np.linalg.norm(wanted)


def peak_bytes(function, *arguments, **options):
    """The most memory of Python and NumPy that a call takes at any time."""
    tracemalloc.start()
    try:
        function(*arguments, **options)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


#: What recordings of all engines count.
OVER_TIME = ("spikes_over_time", "units_over_time", "synops_over_time")
KINDS = ("spike_counts", *OVER_TIME)


def assert_same_recordings(one, other, kinds=KINDS):
    """The same outputs, layers in the same order, and in each the same numbers."""
    np.testing.assert_array_equal(one.outputs, other.outputs)
    for kind in kinds:
        ours, wanted = getattr(one, kind), getattr(other, kind)
        assert list(ours) == list(wanted)
        for layer, values in wanted.items():
            np.testing.assert_array_equal(ours[layer], values, err_msg=f"{kind} of {layer}")


def joined_steps(parts):
    """Recordings of chunks as that of all their steps; their spike counts add up."""
    first = parts[0]
    over_time = {
        kind: {
            layer: np.concatenate([getattr(part, kind)[layer] for part in parts], axis=1)
            for layer in getattr(first, kind)
        }
        for kind in OVER_TIME
    }
    counts = {
        layer: sum(part.spike_counts[layer] for part in parts) for layer in first.spike_counts
    }
    outputs = np.concatenate([part.outputs for part in parts], axis=1)
    return dataclasses.replace(first, outputs=outputs, spike_counts=counts, **over_time)
