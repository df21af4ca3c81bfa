"""A picture of delays: how many axons and synapses of each stage wait how long."""

from typing import TYPE_CHECKING, Any

import numpy as np

from nengo_tactile.analysis.style import PALETTE, finished, new_axes, styled
from nengo_tactile.errors import DataError

if TYPE_CHECKING:
    from nengo_tactile.networks.stages import Graph


def delays_of(graph: "Graph") -> dict[str, np.ndarray]:
    """Steps of what a network delays.

    Parameters
    ----------
    graph : Graph
        A network's ``graph``. Loops, which take a step, are left out.

    Returns
    -------
    dict of str to int array
        "dense1 axons" and "dense1 synapses" and so on: a delay for each, of stages that have them.
    """
    found = {}
    for stage in graph:
        links = [link for link in stage.links if link.source != stage.name]
        if any(link.delay for link in links):
            steps = [np.full(np.count_nonzero(e.map.matrix().data), e.delay) for e in links]
            found[f"{stage.name} synapses"] = np.concatenate(steps)
        if stage.axon is not None:
            found[f"{stage.name} axons"] = np.asarray(stage.axon)
    return found


@styled
def delays(graph: "Graph", step_ms: float = 1.0, title: str | None = None) -> Any:
    """Draw which share of a network's axons and synapses delays by how much.

    Parameters
    ----------
    graph : Graph
    step_ms : float
        Length of a step in milliseconds.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        If nothing has delays.
    """
    found = delays_of(graph)
    if not found:
        raise DataError(
            "the network has no delays: build it with max_delay or synaptic_delay above zero"
        )
    axes = new_axes(3.0 + 0.25 * len(found), grid="y")
    ends = np.arange(max(int(steps.max()) for steps in found.values()) + 2)
    for index, (name, steps) in enumerate(found.items()):
        share = np.bincount(steps, minlength=len(ends) - 1) / len(steps)
        label = f"{name}: {len(steps):,}, mean {steps.mean() * step_ms:.3g} ms"
        axes.stairs(share, ends * step_ms, color=PALETTE[index % len(PALETTE)], label=label, lw=2)
    axes.set_xlim(0, ends[-1] * step_ms)
    axes.set_ylim(0, None)
    return finished(axes, "delay (ms)", "share", title)
