"""The event-driven engine: what a network costs follows the number of its spikes.

Sigma-delta networks run spike by spike. Others run step by step: those that see a constant image in
a loop of their own, which knows that nothing leaks.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nengo_tactile.engines.event import asynchronous, clocked, stepped
from nengo_tactile.engines.event.streams import run_streams

if TYPE_CHECKING:
    from nengo_tactile.conversion.network import SpikingNetwork
    from nengo_tactile.engines.recording import Recording
    from nengo_tactile.engines.state import State

__all__ = ["run", "run_streams", "start", "stream"]


def run(
    network: "SpikingNetwork",
    x: Any,
    n_steps: int | None = None,
    batch_size: int | None = None,
    progress: bool | None = None,
    **options: Any,
) -> "Recording":
    """Run a network in the mode that its neurons want.

    Parameters
    ----------
    network : SpikingNetwork or SlayerNetwork
    x : (n_samples, ...) float array
    n_steps : int, optional
        By default the network's, or all that samples have.
    batch_size : int, optional
    progress : bool, optional
    **options
        See `nengo_tactile.engines.event.clocked.run` for integrate-and-fire neurons that see a
        constant image, `nengo_tactile.engines.event.asynchronous.run` for sigma-delta neurons and
        `nengo_tactile.engines.event.stepped.run` for all whose input comes step by step.

    Returns
    -------
    Recording
    """
    return mode(network).run(network, x, n_steps, batch_size, progress, **options)


def stream(
    network: "SpikingNetwork",
    x: Any,
    n_steps: int | None = None,
    batch_size: int | None = None,
    progress: bool | None = None,
    **options: Any,
) -> "Iterator[Recording]":
    """Do what `run` does and yield the Recording of each minibatch, in order."""
    return mode(network).stream(network, x, n_steps, batch_size, progress, **options)


def start(network: "SpikingNetwork", progress: bool | None = None, **options: Any) -> "State":
    """Begin a run in chunks: see `nengo_tactile.start`, and for options the `start` of the mode."""
    return mode(network).start(network, progress=progress, **options)


def mode(network):
    """The module that runs a network: spike by spike, or step by step of what it sees."""
    if any(stage.neuron.sends_changes for stage in network.graph):
        return asynchronous
    return clocked if network.coding is None else stepped
