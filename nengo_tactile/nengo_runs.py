"""Samples shown to a Nengo network, minibatch by minibatch, in Nengo's simulator or NengoDL's.

A network to be run has the attributes ``input`` (a Node with `Rows`), ``dt`` (seconds of a step)
and ``lag`` (steps that it goes on after a sample).
"""

import contextlib
import functools
import itertools
import warnings

import nengo
import numpy as np

from nengo_tactile import stack

ENGINES = ("nengo", "nengo-dl")


class Rows:
    """What a Node sends: a row a step, then zeros. Give it others by setting ``rows``.

    Parameters
    ----------
    size : int
        Numbers in a row.
    dt : float
        Seconds of a step.
    """

    def __init__(self, size, dt):
        self.rows = np.zeros((0, size))
        self.rest = np.zeros(size)
        self.dt = dt

    def __call__(self, t):
        """The row at time ``t``; Nengo's first step ends at ``dt``."""
        step = round(t / self.dt) - 1
        return self.rows[step] if 0 <= step < len(self.rows) else self.rest


def simulator(net):
    """Nengo's reference simulator of a network."""
    with stack.quiet_build():
        return nengo.Simulator(net, dt=net.dt, progress_bar=False, optimize=False)


@contextlib.contextmanager
def opened(net, engine, batch_size):
    """Yield what shows samples to a network, each from rest: ``shown(signal, n_steps=None)``.

    It returns {Probe: (n_samples, n_steps + lag, size) float array}; in NengoDL one step, the last,
    of probes that keep no history. Without a signal, NengoDL's Nodes send what they have.

    Parameters
    ----------
    net : nengo.Network
    engine : {"nengo", "nengo-dl"}
        NengoDL runs the samples of a batch side by side.
    batch_size : int
        Samples of a signal, (n_samples, n_steps, size), at most.
    """
    with stack.quiet_build():
        if engine == "nengo":
            with simulator(net) as sim:
                yield functools.partial(_one_by_one, net, sim)
        else:
            nengo_dl = stack.nengo_dl()
            # NengoDL thinks that nobody wants one step of a network with filters
            warnings.filterwarnings("ignore", message="Running for one timestep")
            with nengo_dl.Simulator(
                net, net.dt, minibatch_size=batch_size, progress_bar=False, seed=0
            ) as sim:
                yield functools.partial(_at_once, net, sim)


def _one_by_one(net, sim, signal, n_steps=None):
    found = {probe: [] for probe in net.probes}
    for sample in signal:
        net.input.output.rows = sample
        sim.reset()
        sim.run_steps(len(sample) + net.lag)
        for probe, values in found.items():
            values.append(np.array(sim.data[probe]))
    return {probe: np.stack(values) for probe, values in found.items()}


def _at_once(net, sim, signal, n_steps=None):
    if signal is None:
        return stack.interruptible(lambda: sim.predict_on_batch(n_steps=n_steps, stateful=False))
    # the simulator's minibatch is fixed: fill the last one up and drop the extra
    wasted = sim.minibatch_size - len(signal)
    padded = np.pad(signal, ((0, wasted), (0, net.lag), (0, 0)))
    shown = {net.input: padded}
    data = stack.interruptible(lambda: sim.predict_on_batch(shown, stateful=False))
    return {probe: values[: len(signal)] for probe, values in data.items()}


def show(net, batches, engine):
    """Show batches of samples to a network: what `opened` makes of each.

    Parameters
    ----------
    net, engine
        As for `opened`.
    batches : iterable of (n_samples, n_steps, size) float arrays
        None larger than the first.

    Yields
    ------
    dict of Probe to array
    """
    batches = iter(batches)
    first = next(batches)
    with opened(net, engine, len(first)) as shown:
        for batch in itertools.chain([first], batches):
            yield shown(batch)


__all__ = ["ENGINES", "Rows", "opened", "show", "simulator"]
