"""The event-driven engine: what a network costs follows the number of its spikes.

Integrate-and-fire networks run step by step, sigma-delta networks spike by spike.
"""

from nengo_tactile.engines.event import asynchronous, clocked
from nengo_tactile.engines.event.streams import run_streams

__all__ = ["run", "run_streams", "stream"]


def run(network, x, n_steps, batch_size=None, progress=None, **options):
    """Run a network in the mode that its neurons want.

    Parameters
    ----------
    network : SpikingNetwork
    x : (n_samples, ...) float array
    n_steps : int
    batch_size : int, optional
    progress : bool, optional
    **options
        See `nengo_tactile.engines.event.clocked.run` for integrate-and-fire neurons and
        `nengo_tactile.engines.event.asynchronous.run` for sigma-delta neurons.

    Returns
    -------
    Recording
    """
    return _mode(network).run(network, x, n_steps, batch_size, progress, **options)


def stream(network, x, n_steps, batch_size=None, progress=None, **options):
    """Do what `run` does and yield the Recording of each minibatch, in order."""
    return _mode(network).stream(network, x, n_steps, batch_size, progress, **options)


def _mode(network):
    return asynchronous if network.accumulates else clocked
