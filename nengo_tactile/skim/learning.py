"""OPIUM, OPIUM-light and OPIUM dynamic as Nengo learning rules, for the reference simulator.

A rule takes in the target and a gate, ``n_outputs + 1`` numbers: it learns at each step whose
gate is above zero. It takes the error itself, from the weights of the step: what recursive least
squares needs is the error of the present activity, and a loop through connections would be late.
Nengo's own PES, which takes in the error, is here beside them.
"""

import math
import warnings
from collections.abc import Callable
from typing import Any

import nengo
import numpy as np
from nengo.builder import Builder
from nengo.builder.connection import slice_signal
from nengo.builder.operator import Operator, Reset
from nengo.builder.signal import Signal
from nengo.ensemble import Neurons
from nengo.learning_rules import LearningRuleType
from nengo.params import NdarrayParam, NumberParam
from nengo.synapses import SynapseParam

from nengo_tactile.errors import EngineError
from nengo_tactile.skim import opium
from nengo_tactile.skim.memory import check_fits


class _Rule(LearningRuleType):
    """What the three rules share."""

    modifies = "decoders"
    probeable: tuple[str, ...] = ("target", "error", "delta")

    pre_synapse = SynapseParam("pre_synapse", default=None, readonly=True)

    def __init__(self, n_outputs, pre_synapse=None):
        super().__init__(size_in=n_outputs + 1)
        self.pre_synapse = pre_synapse

    @property
    def n_outputs(self):
        """Outputs of the connection."""
        return self.size_in - 1


class Opium(_Rule):
    """Recursive least squares (`opium.opium`).

    Parameters
    ----------
    n_outputs : int
        Outputs of the connection, which goes from neurons and has a dense transform.
    ridge : float
        What the squared weights cost; starts ``P`` at the identity over ``ridge``.
    forgetting : float
        Above 0, at most 1: what an observation still counts after each further one.
    inverse : (n_hidden, n_hidden) float array, optional
        ``P`` to start from instead, of a saved state; the connection's transform then is the
        state's weights.
    pre_synapse : nengo synapse, optional
        What the activity passes before it is learnt from; that of the connection, if it has one.

    Raises
    ------
    DataError, EngineError
        If a parameter is out of its range.

    Examples
    --------
    >>> import nengo
    >>> import numpy as np
    >>> with nengo.Network():
    ...     hidden = nengo.Ensemble(50, 1, neuron_type=nengo.Tanh(tau_ref=1))
    ...     out = nengo.Node(size_in=2)
    ...     teacher = nengo.Node([1, 0, 1])  # two targets and the gate
    ...     connection = nengo.Connection(
    ...         hidden.neurons,
    ...         out,
    ...         transform=np.zeros((2, 50)),
    ...         synapse=None,
    ...         learning_rule_type=Opium(2),
    ...     )
    ...     _ = nengo.Connection(teacher, connection.learning_rule, synapse=None)
    """

    probeable = ("target", "error", "delta", "inverse")

    ridge = NumberParam("ridge", low=0, low_open=True, readonly=True)
    forgetting = NumberParam("forgetting", low=0, high=1, low_open=True, readonly=True)
    inverse = NdarrayParam("inverse", shape=("*", "*"), optional=True, readonly=True)

    def __init__(
        self,
        n_outputs: int,
        ridge: float = 1.0,
        forgetting: float = 1.0,
        inverse: np.ndarray | None = None,
        pre_synapse: Any = None,
    ) -> None:
        super().__init__(n_outputs, pre_synapse)
        opium.check_ridge(ridge)
        if not 0 < forgetting <= 1:
            raise EngineError(f"Opium forgetting is {forgetting}: choose it above 0, and 1 at most")
        self.ridge = ridge
        self.forgetting = forgetting
        self.inverse = None if inverse is None else np.array(inverse, float)

    def learn(
        self, weights: np.ndarray, inverse: np.ndarray, x: np.ndarray, y: np.ndarray
    ) -> np.ndarray:
        """Change weights and inverse in place; return the error before."""
        return opium.opium(weights, inverse, x, y, self.forgetting)


class OpiumDynamic(Opium):
    """Recursive least squares that follows changing problems (`opium.opium_dynamic`).

    Parameters
    ----------
    n_outputs : int
    alpha : float
        From 0, where the rule is `Opium`.
    ridge, inverse, pre_synapse
        As for `Opium`.
    """

    alpha = NumberParam("alpha", low=0, readonly=True)

    def __init__(
        self,
        n_outputs: int,
        alpha: float,
        ridge: float = 1.0,
        inverse: np.ndarray | None = None,
        pre_synapse: Any = None,
    ) -> None:
        super().__init__(n_outputs, ridge, inverse=inverse, pre_synapse=pre_synapse)
        if not (math.isfinite(alpha) and alpha >= 0):
            raise EngineError(f"OpiumDynamic alpha is {alpha}: choose it finite and from 0")
        self.alpha = alpha

    def learn(
        self, weights: np.ndarray, inverse: np.ndarray, x: np.ndarray, y: np.ndarray
    ) -> np.ndarray:
        """Change weights and inverse in place; return the error before."""
        return opium.opium_dynamic(weights, inverse, x, y, self.alpha)


class OpiumLight(_Rule):
    """Normalised least mean squares (`opium.opium_light`).

    Parameters
    ----------
    n_outputs : int
    gain : float
    pre_synapse
        As for `Opium`.
    """

    gain = NumberParam("gain", low=0, low_open=True, readonly=True)

    def __init__(self, n_outputs: int, gain: float, pre_synapse: Any = None) -> None:
        super().__init__(n_outputs, pre_synapse)
        if not (math.isfinite(gain) and gain > 0):
            raise EngineError(f"OpiumLight gain is {gain}: choose it finite and above 0")
        self.gain = gain

    def learn(
        self, weights: np.ndarray, inverse: np.ndarray, x: np.ndarray, y: np.ndarray
    ) -> np.ndarray:
        """Change weights in place; return the error before."""
        return opium.opium_light(weights, x, y, self.gain)


def pes(learning_rate: float) -> Callable:
    """Nengo's prescribed error sensitivity, as a rule for `build`.

    At each step whose gate is above zero the weights change by ``learning_rate * dt / n_hidden``
    times error and activity: least mean squares, without what `OpiumLight` divides by. It is
    stable where that factor times the squared activity of all hidden neurons is below two. The
    error is that of what the network puts out; spikes of LIF neurons are filtered behind the
    weights, so that it has something of the weights before.

    Parameters
    ----------
    learning_rate : float

    Returns
    -------
    callable
        Makes the `nengo.PES`.
    """
    if not (math.isfinite(learning_rate) and learning_rate > 0):
        raise EngineError(f"PES learning_rate is {learning_rate}: choose it finite and above 0")

    def rule(n_outputs, pre_synapse=None):
        with warnings.catch_warnings():  # it expects errors at every step, not in a window alone
            warnings.filterwarnings("ignore", message="This learning rate is very high")
            return nengo.PES(learning_rate, pre_synapse)

    return rule


class SimOpium(Operator):
    """Learn one observation a step.

    Parameters
    ----------
    rule : Opium, OpiumDynamic or OpiumLight
    activity : Signal
        (n_hidden,)
    target : Signal
        (n_outputs + 1,): the target and the gate.
    weights : Signal
        (n_outputs, n_hidden)
    delta, error, inverse : Signal
        What is changed; ``inverse`` is None for OPIUM-light.

    Notes
    -----
    1. sets ``[]``
    2. incs ``[]``
    3. reads ``[activity, target, weights]``
    4. updates ``[delta, error]`` and ``inverse`` if there is one
    """

    def __init__(self, rule, activity, target, weights, delta, error, inverse=None, tag=None):
        super().__init__(tag=tag)
        self.rule = rule
        self.sets, self.incs = [], []
        self.reads = [activity, target, weights]
        self.updates = [delta, error] + ([] if inverse is None else [inverse])

    def make_step(self, signals, dt, rng):
        """Make the step function of Nengo's reference simulator."""
        activity, target, weights = (signals[signal] for signal in self.reads)
        delta, error, *inverse = (signals[signal] for signal in self.updates)
        inverse = inverse[0] if inverse else None
        learn = self.rule.learn

        def step():
            delta[...] = 0
            error[...] = 0
            if target[-1] > 0:
                changed = weights.copy()
                error[...] = learn(changed, inverse, activity, target[:-1])
                np.subtract(changed, weights, out=delta)

        return step


@Builder.register(_Rule)
def build_opium(model, kind, rule):
    """Build one of the three rules into a model.

    Raises
    ------
    EngineError
        If the connection does not fit the rule.
    DataError
        If memory does not suffice.
    """
    connection = rule.connection
    weights = model.sig[connection]["weights"]
    if not isinstance(connection.pre_obj, Neurons):
        raise EngineError(
            f"{type(kind).__name__} learns from the activity of neurons, but its connection comes "
            f"from {connection.pre_obj}: connect from ensemble.neurons"
        )
    if weights.shape[0] != kind.n_outputs:
        raise EngineError(
            f"{type(kind).__name__} is for {kind.n_outputs} outputs, but its connection has "
            f"{weights.shape[0]}: give n_outputs={weights.shape[0]}"
        )
    activity = slice_signal(model, model.sig[connection.pre_obj]["out"], connection.pre_slice)
    if kind.pre_synapse is not None:  # as late as what passes the connection's synapse
        activity = model.build(kind.pre_synapse, activity, mode="update")
    target = Signal(shape=rule.size_in, name=f"{type(kind).__name__}:target")
    model.add_op(Reset(target))
    error = Signal(shape=kind.n_outputs, name=f"{type(kind).__name__}:error")
    inverse = None
    if isinstance(kind, Opium):
        inverse = _inverse_signal(kind, weights.shape[1])
        model.sig[rule]["inverse"] = inverse
    delta = model.sig[rule]["delta"]
    model.add_op(SimOpium(kind, activity, target, weights, delta, error, inverse))
    model.sig[rule]["in"] = model.sig[rule]["target"] = target
    model.sig[rule]["error"] = error


def _inverse_signal(kind, n_hidden):
    # the inverse as it starts and as it is, what is read of it, and what an update takes away
    check_fits(f"{type(kind).__name__} with", n_hidden, 4 * 8 * n_hidden**2)
    if kind.inverse is None:
        values = np.eye(n_hidden) / kind.ridge
    else:
        values = kind.inverse
        if values.shape != (n_hidden, n_hidden) or not np.isfinite(values).all():
            raise EngineError(
                f"{type(kind).__name__} starts from an inverse of shape {values.shape}, but its "
                f"connection comes from {n_hidden} neurons: give finite numbers of shape "
                f"{(n_hidden, n_hidden)}"
            )
    return Signal(values.copy(), name=f"{type(kind).__name__}:inverse")


def learnt(sim, connection):
    """Read what a connection has learnt so far.

    Parameters
    ----------
    sim : nengo.Simulator
    connection : nengo.Connection
        With one of the three rules, or `nengo.PES`.

    Returns
    -------
    OpiumState
        With the last observation, which Nengo adds to the weights at the next step only.
    """
    weights, delta, inverse = _signals(sim, connection)
    state = None if inverse is None else sim.signals[inverse].copy()
    return opium.OpiumState(sim.signals[weights] + sim.signals[delta], state)


def rest(sim, connection):
    """Take a simulation back to its start, but for what a connection has learnt.

    So each sample is shown to a network at rest (Cohen et al. 2016, section 2), and the next
    observation is learnt on top of all before. Time starts again at zero; probes go on.

    Parameters
    ----------
    sim : nengo.Simulator
    connection : nengo.Connection
        With one of the three rules, or `nengo.PES`.
    """
    state = learnt(sim, connection)
    weights, delta, inverse = _signals(sim, connection)
    for signal in sim.signals:
        sim.signals.reset(signal)
    sim.signals[weights][...] = state.weights
    sim.signals[delta][...] = 0
    if inverse is not None:
        sim.signals[inverse][...] = state.inverse


def _signals(sim, connection):
    rule = connection.learning_rule
    if getattr(connection.learning_rule_type, "modifies", None) != "decoders":
        raise EngineError(
            f"{connection} has the learning rule {connection.learning_rule_type}: give a "
            "connection that learns its weights by Opium, OpiumLight, OpiumDynamic or nengo.PES"
        )
    signals = sim.model.sig[rule]
    return sim.model.sig[connection]["weights"], signals["delta"], signals.get("inverse")


__all__ = ["Opium", "OpiumDynamic", "OpiumLight", "learnt", "pes", "rest"]
