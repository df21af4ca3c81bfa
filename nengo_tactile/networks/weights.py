"""What a network computes with, as plain arrays: for other programs, without private attributes."""

import dataclasses
from pathlib import Path

import numpy as np

from nengo_tactile import files
from nengo_tactile.networks.stages import Graph


def weight_arrays(graph: Graph, dt: float) -> dict[str, np.ndarray]:
    """Weights, biases and neurons of all stages.

    Parameters
    ----------
    graph : Graph
    dt : float
        Seconds of a step.

    Returns
    -------
    dict of str to array
        Of a stage ``S`` with the neurons' numbers as `nengo_tactile.networks.neurons` has them:
        ``S/threshold`` and so on, ``S/bias`` and ``S/start`` (inputs,), ``S/axon`` (neurons,) where
        spikes are delayed, ``S/shape``. Of its links in their order ``S/N/source``, and
        ``S/N/weights``: a kernel (sides..., inputs, outputs), channels last, with
        ``S/N/strides``, ``padding`` (in front), ``dilation`` and ``groups``; a matrix (inputs,
        outputs); or, of other maps, ``S/N/rows`` (outputs), ``columns`` (inputs) and their weights.
        A spike is a one: amplitudes and gains are in the weights, thresholds in their unit.
    """
    arrays: dict[str, np.ndarray] = {"dt": np.array(dt)}
    for stage in graph:
        own = {
            "kind": np.array(stage.neuron.kind),
            "shape": np.array(stage.shape),
            "bias": stage.bias,
            "start": stage.start,
            **{name: np.array(v) for name, v in dataclasses.asdict(stage.neuron).items()},  # type: ignore[call-overload]
        }
        if stage.axon is not None:
            own["axon"] = stage.axon
        if len(stage.step_bias):
            own["step_bias"] = stage.step_bias
        for number, link in enumerate(stage.links):
            parts = {"source": np.array(link.source), "delay": np.array(link.delay)}
            if link.low_pass is not None:
                parts["low_pass"] = np.array(link.low_pass)
            if link.target is not None:
                parts["target"] = np.asarray(link.target)
            parts |= _map_arrays(link.map)
            own |= {f"{number}/{name}": value for name, value in parts.items()}
        arrays |= {f"{stage.name}/{name}": value for name, value in own.items()}
    return arrays


def _map_arrays(linear):
    if linear.sparse:
        matrix = linear.matrix().tocoo()
        return {"weights": matrix.data, "rows": matrix.row, "columns": matrix.col}
    arrays = {"weights": linear.kernel}
    if linear.dense:
        return arrays
    names = ("strides", "padding", "dilation", "groups", "transposed")
    return {**arrays, **{name: np.array(getattr(linear, name)) for name in names}}


def export_weights(graph: Graph, dt: float, file: str | Path) -> None:
    """Write `weight_arrays` as npz, whole or not at all."""
    files.write_npz(files.path_of(file), weight_arrays(graph, dt))


__all__ = ["export_weights", "weight_arrays"]
