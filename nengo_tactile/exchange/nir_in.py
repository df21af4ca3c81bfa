"""NIR graphs of other simulators as networks that all engines run."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np

from nengo_tactile import arguments
from nengo_tactile.errors import ConversionError
from nengo_tactile.events.spikes import SpikeLayout
from nengo_tactile.exchange import nir_files
from nengo_tactile.exchange.nir_files import DOOR
from nengo_tactile.exchange.nir_maps import order_of
from nengo_tactile.exchange.nir_neurons import NEURONS, Rules
from nengo_tactile.exchange.nir_stages import graph_of
from nengo_tactile.exchange.profiles import profile_named
from nengo_tactile.networks.neurons import RESETS
from nengo_tactile.networks.stepped import SteppedNetwork

#: Steps of a sample and seconds of a step, where neither file nor profile says.
N_STEPS, DT = 100, 0.001


def from_nir(
    file: str | Path,
    profile: str | None = None,
    dt: float | None = None,
    n_steps: int | None = None,
    layout: SpikeLayout | None = None,
    classes: tuple[str, ...] = (),
    reset: str | None = None,
    spikes_per_step: int | None = None,
    floor: float | None = None,
) -> SteppedNetwork:
    """Read a network that another simulator wrote as NIR.

    Parameters
    ----------
    file : path
        Of `nir.write`, or of `nengo_tactile.to_nir`.
    profile : {"portable", "sinabs", "norse", "snntorch", "spikingjelly"}, optional
        The simulator whose habits the network has: see `nengo_tactile.exchange.PROFILES`. By
        default what the file says of itself, else "portable": NIR's equations, solved exactly
        between steps.
    dt : float, optional
        Seconds of a step, which a graph of NIR does not say (files of NIR's paper: 1e-4).
    n_steps : int, optional
        Steps of a sample; by default the file's, or 100.
    layout : SpikeLayout, optional
        How recordings become input; by default a pixel for each place of the input's shape, a
        channel for each polarity.
    classes : tuple of str, optional
        Names of the outputs.
    reset : {"zero", "subtract"}, optional
        What a spike does to potentials; by default the profile's. "zero" sets to ``v_reset``.
    spikes_per_step : int, optional
        Most spikes of a neuron in a step; by default the profile's.
    floor : float, optional
        Least potential in thresholds; by default the profile's.

    Returns
    -------
    SteppedNetwork
        Channels last: an input of shape (channels, height, width) is (height, width, channels).

    Raises
    ------
    ModelFileError
        If the file is damaged or leads to other files, and for nodes, cycles, shapes and numbers
        that no engine runs, by name and with the remedy.
    ConversionError
        For options out of their range.
    """
    graph = nir_files.read(file)
    told = graph.metadata
    kind = profile_named(told.get("profile", "portable") if profile is None else profile)
    step = told.get("dt", kind.dt if not kind.fixed_dt else DT) if dt is None else dt
    if step is None:
        timeless = [n for n, node in graph.nodes.items() if node.kind in NEURONS]
        raise ConversionError(
            f"{file}: a graph of NIR does not say how long a step is, which {timeless[:1]} needs: "
            "give dt in seconds (in files of NIR's paper 1e-4), or the profile of its writer"
        )
    step = arguments.positive("dt", step, "the length of a step in seconds", ConversionError)
    reset = reset or told.get("reset", kind.reset)
    if reset not in RESETS:
        raise ConversionError(f"reset is {reset!r}: choose one of {', '.join(RESETS)}")
    most = told.get("spikes_per_step", kind.spikes_per_step)
    most = most if spikes_per_step is None else spikes_per_step
    most = arguments.whole("spikes_per_step", most, error=ConversionError)
    if floor is None and "floor" in told:
        floor = -math.inf if told["floor"] is None else told["floor"]
    if floor is not None and not floor <= 0:
        raise ConversionError(f"floor is {floor}: give a number of thresholds up to zero")
    unit = (kind.dt or step) if kind.fixed_dt else step
    rules = Rules(kind, unit, reset, most if reset == "subtract" else 1, floor)
    with DOOR.guarded(file, "is no network that can be run"):
        network = _started(graph_of(graph, rules), told.get("start", {}))
        classes = tuple(classes) or tuple(told.get("classes", ()))
        n_steps = told.get("n_steps", N_STEPS) if n_steps is None else n_steps
        if layout is None:
            layout = _layout(network.input_shape, step, n_steps)
        card: dict[str, Any] = {
            "summary": "Read from a NIR graph.",
            "file": Path(file).name,
            "profile": kind.name,
        }
        card |= {"reset": reset, "spikes_per_step": rules.spikes_per_step, "dt": step}
        return SteppedNetwork(network, layout, tuple(classes), card)


def _started(graph, starts):
    """The graph with the potentials at the start that a file of ours tells."""
    stages = []
    for stage in graph:
        if stage.name in starts:
            start = np.broadcast_to(np.ravel(starts[stage.name]), stage.n_neurons)
            shape = (stage.shape[-1], *stage.shape[:-1])
            stage = dataclasses.replace(stage, start=start[order_of(shape)])
        stages.append(stage)
    return dataclasses.replace(graph, stages=stages)


def _layout(shape, dt, n_steps):
    """Pixels of (height, width, polarities), or of a row of any other shape."""
    size = (shape[1], shape[0], shape[2]) if len(shape) == 3 else (math.prod(shape), 1, 1)
    return SpikeLayout(size, dt * 1e6, n_steps, shape=shape)


__all__ = ["from_nir"]
