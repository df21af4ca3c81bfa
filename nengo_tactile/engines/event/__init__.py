"""The event-driven engine: what a network costs follows the number of its spikes.

Integrate-and-fire networks run step by step, sigma-delta networks spike by spike.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nengo_tactile.engines.event import asynchronous, clocked
from nengo_tactile.engines.event.streams import run_streams

if TYPE_CHECKING:
    from nengo_tactile.conversion.network import SpikingNetwork
    from nengo_tactile.engines.recording import Recording

__all__ = ["run", "run_streams", "stream"]


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
    network : SpikingNetwork
    x : (n_samples, ...) float array
    n_steps : int, optional
        By default the network's.
    batch_size : int, optional
    progress : bool, optional
    **options
        See `nengo_tactile.engines.event.clocked.run` for integrate-and-fire neurons and
        `nengo_tactile.engines.event.asynchronous.run` for sigma-delta neurons.

    Returns
    -------
    Recording
    """
    n_steps = network.n_steps if n_steps is None else n_steps
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
    n_steps = network.n_steps if n_steps is None else n_steps
    return mode(network).stream(network, x, n_steps, batch_size, progress, **options)


def mode(network):
    """The module that runs a network: step by step, or spike by spike."""
    return asynchronous if network.accumulates else clocked
