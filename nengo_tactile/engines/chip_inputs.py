"""What a network's host sends to the chip, sample by sample, as Nengo has it.

Populations that see only the image have the same current at every step. Nengo computes it, in one
step; what their neurons do with it is compiled, in Nengo's order of operations, so that each spike
is Nengo's. Other populations run in Nengo's simulator.
"""

import functools
import weakref

import nengo
import numpy as np
from nengo.builder.neurons import SimNeurons
from nengo.builder.processes import SimProcess

from nengo_tactile.engines.chip_kernel import (
    LEAKY,
    RECTIFIED,
    SUBTRACT,
    TO_ZERO,
    Population,
    Spikes,
    send,
)
from nengo_tactile.engines.chip_samples import joined, spikes_of
from nengo_tactile.lazy import compiled
from nengo_tactile.neurons.exact_lif import ExactLIF
from nengo_tactile.neurons.integrate_fire import IntegrateFire


class Host:
    """The populations on the host.

    Parameters
    ----------
    model : nengo_loihi.builder.Model
    probes : dict of str to nengo.Probe
        Of what each population sends, in the order of computation.
    constant : bool
        Whether all of them see the same at every step.
    senders : dict of str to slice
        Of each population among the senders.
    """

    def __init__(self, model, probes, constant, senders):
        self.probes, self.senders = probes, senders
        built = model.host_pre if model.split.precompute else model.host
        self._loops = None
        kinds, ensembles = [None], []
        if constant:
            ensembles = [probe.target.ensemble for probe in probes.values()]
            kinds = [_kind(ensemble.neuron_type, model.dt) for ensemble in ensembles]
        if all(kinds):  # what leads to neurons is Nengo's, what follows is not
            kept = [op for op in built.operators if not isinstance(op, SimNeurons | SimProcess)]
            built.operators[:] = kept
            built.probes.clear()
        self._sim = nengo.Simulator(
            None, dt=model.dt, model=built, progress_bar=False, optimize=False
        )
        weakref.finalize(self, self._sim.close)
        if all(kinds):
            signals = [built.sig[ensemble.neurons] for ensemble in ensembles]
            starts = [np.array(each["voltage"].initial_value) for each in signals]
            self._start = np.concatenate([np.zeros(0), *starts])
            self._currents = [self._sim.signals[each["in"]] for each in signals]
            begins = np.cumsum([0, *(ensemble.n_neurons for ensemble in ensembles)])
            first = [senders[name].start for name in probes]
            columns = zip(*kinds) if kinds else [[], [], []]
            kind, share, floor = (np.array(column, float) for column in columns)
            self._loops = Population(
                np.array(first, np.int64), begins, kind.astype(np.int64), share, floor, model.dt
            )

    def prepared(self, n_steps):
        """What a sample that the input Node shows now needs, for `spikes`.

        Not to be called from two threads at once.
        """
        if self._loops is None:
            self._sim.reset()
            self._sim.run_steps(n_steps, progress_bar=False)
            parts = [
                spikes_of(np.asarray(self._sim.data[probe]), self.senders[name].start)
                for name, probe in self.probes.items()
            ]
            return joined(parts, n_steps)
        self._sim.step()
        return np.concatenate([np.zeros(0), *self._currents])

    @property
    def steps_on(self):
        """Whether potentials can be kept from one call of `spikes` to the next."""
        return self._loops is not None

    def at_rest(self):
        """Potentials at the start, (n_neurons,) array."""
        return self._start.copy()

    def spikes(self, prepared, n_steps, potentials=None):
        """What the populations send at each step.

        Parameters
        ----------
        prepared :
            What `prepared` returned.
        n_steps : int
        potentials : (n_neurons,) array, optional
            Changed in place; by default those at the start.

        Returns
        -------
        Spikes
        """
        if self._loops is None:
            return prepared
        potentials = self.at_rest() if potentials is None else potentials
        room = n_steps * len(self._start)
        shown = Spikes(np.empty(room, np.int32), np.empty(n_steps + 1, np.int64))
        compiled(send)(self._loops, prepared, potentials, n_steps, shown)
        return shown


@functools.singledispatch
def _kind(neurons, dt):
    """What the compiled loop calls neurons, share of a step and floor; None if it has them not."""
    return None


@_kind.register
def _(neurons: IntegrateFire, dt):
    if neurons.graded:
        return None
    return (TO_ZERO if neurons.reset == "zero" else SUBTRACT), 0.0, 0.0


@_kind.register
def _(neurons: ExactLIF, dt):
    if neurons.tau_ref > 0:
        return None
    return LEAKY, -np.expm1(-dt / neurons.tau_rc), neurons.min_voltage


@_kind.register
def _(neurons: nengo.SpikingRectifiedLinear, dt):
    return RECTIFIED, 0.0, 0.0
