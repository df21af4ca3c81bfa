"""Samples shown to a Nengo network, minibatch by minibatch, in Nengo's simulator or NengoDL's.

A network to be run has the attributes ``input`` (a Node with `Rows`), ``dt`` (seconds of a step)
and ``lag`` (steps that it goes on after a sample).
"""

import contextlib

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


def show(net, batches, engine):
    """Show samples to a network, each from rest.

    Parameters
    ----------
    net : nengo.Network
    batches : iterable of (n_samples, n_steps, size) float arrays
        None larger than the first.
    engine : {"nengo", "nengo-dl"}
        NengoDL runs the samples of a batch side by side.

    Yields
    ------
    dict of Probe to (n_samples, n_steps + lag, size) float array
        For each batch; in NengoDL one step, the last, for probes that keep no history.
    """
    return (_on_nengo if engine == "nengo" else _on_nengo_dl)(net, batches)


def _on_nengo(net, batches):
    # a reset makes Nengo work out its filters again, with the warnings of a build
    with stack.quiet_build(), simulator(net) as sim:
        for batch in batches:
            found = {probe: [] for probe in net.probes}
            for sample in batch:
                net.input.output.rows = sample
                sim.reset()
                sim.run_steps(len(sample) + net.lag)
                for probe, values in found.items():
                    values.append(np.array(sim.data[probe]))
            yield {probe: np.stack(values) for probe, values in found.items()}


def _on_nengo_dl(net, batches):
    nengo_dl, sim = stack.nengo_dl(), None
    with contextlib.ExitStack() as opened:
        opened.enter_context(stack.quiet_build())
        for batch in batches:
            if sim is None:  # the first batch is as large as any
                sim = nengo_dl.Simulator(net, net.dt, minibatch_size=len(batch), progress_bar=False)
                opened.enter_context(sim)
            wasted = sim.minibatch_size - len(batch)
            padded = np.pad(batch, ((0, wasted), (0, net.lag), (0, 0)))
            data = sim.predict({net.input: padded}, stateful=False, verbose=0)
            yield {probe: values[: len(batch)] for probe, values in data.items()}


__all__ = ["ENGINES", "Rows", "show", "simulator"]
