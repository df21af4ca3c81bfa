"""The trials of a network with a loss, checked and side by side, from the states of their runs."""

import dataclasses
import math

import numpy as np

from nengo_tactile.analysis.accuracy import first_step_within, latency_step
from nengo_tactile.errors import DataError
from nengo_tactile.lazy import cached_property
from nengo_tactile.papers.spikemax.published import LOSSES

#: Data -> how tables call them.
TITLES = {
    "nmnist": "N-MNIST",
    "nmnist-simulated": "N-MNIST, simulated",
    "nmnist-paper": "N-MNIST, the paper's network",
    "eskin": "e-skin",
    "eskin-large": "e-skin, written four times",
    "ev-objects": "Ev-Objects",
    "ev-objects-loihi": "Ev-Objects, Loihi's neurons",
    "ev-containers": "Ev-Containers",
    "stemnist": "STEMNIST",
    "braille": "Braille",
    "dvs-gesture": "DVS Gesture",
    "ntidigits": "N-TIDIGITS18",
}
#: What all runs on the same data have in common, and all trials of a loss besides.
_OF_DATA = (
    *("network", "neuron", "rates", "window", "parameters", "delays"),
    *("n_train", "n_test", "n_steps", "bin_us"),
)
_OF_LOSS = ("epochs",)
_ALL = (
    *("data", "loss", "trial", "seed", "accuracy", "train_accuracy", "hits_over_time", "spikes"),
    *("input_spikes", "seconds", "loss_over_epochs", "accuracy_over_epochs", *_OF_DATA, *_OF_LOSS),
)
# an accuracy is a ratio of counts, perhaps in single precision
_ROUNDING = 1e-6


@dataclasses.dataclass(frozen=True)
class Trials:
    """All trials of a loss on some data, in the order of their seeds.

    Attributes
    ----------
    data, loss : str
    states : tuple of dict
        What their runs keep; see `grouped`.
    """

    data: str
    loss: str
    states: tuple

    @property
    def title(self):
        return TITLES[self.data]

    @property
    def seeds(self):
        return [state["seed"] for state in self.states]

    @property
    def n_test(self):
        return self.states[0]["n_test"]

    @property
    def step_ms(self):
        """Length of a step in milliseconds."""
        return self.states[0]["bin_us"] / 1000

    @cached_property
    def accuracies(self):
        """Accuracy after each step, (n_trials, n_steps)."""
        return np.array([state["hits_over_time"] for state in self.states]) / self.n_test

    @cached_property
    def mean_accuracy(self):
        """Accuracy after each step from the hits of all trials together, (n_steps,)."""
        hits = np.sum([state["hits_over_time"] for state in self.states], axis=0)
        return hits / (self.n_test * len(self.states))

    def latencies(self):
        """Steps until within one point of the final accuracy for the first time, by trial."""
        return [first_step_within(accuracy) for accuracy in self.accuracies]

    def settlings(self):
        """Steps from which on it stays within one point of the final accuracy, by trial."""
        return [latency_step(accuracy) for accuracy in self.accuracies]

    @property
    def layers(self):
        return list(self.states[0]["spikes"])

    def spikes(self, layer=None):
        """Mean spikes of a test sample in a layer, or in all layers together, by trial."""
        if layer is None:
            return [math.fsum(state["spikes"].values()) for state in self.states]
        return [state["spikes"][layer] for state in self.states]

    def common(self, other):
        """The trials of both whose seeds agree.

        Parameters
        ----------
        other : Trials

        Returns
        -------
        (Trials, Trials) or None
            In the same order; None without any.
        """
        seeds = set(self.seeds) & set(other.seeds)
        if not seeds:
            return None
        return tuple(
            dataclasses.replace(each, states=tuple(s for s in each.states if s["seed"] in seeds))
            for each in (self, other)
        )


def grouped(states):
    """Check states and bring the trials of each loss together.

    Parameters
    ----------
    states : iterable of dict
        One for each run: ``data`` (of `TITLES`), ``loss`` (of `published.LOSSES`),
        ``trial``, ``seed``; ``network`` (in the papers' notation), ``neuron`` (its numbers),
        ``parameters`` (weights), ``delays``, ``epochs``, ``n_train``, ``n_test``, ``n_steps``,
        ``bin_us``; ``accuracy`` (of all steps), ``train_accuracy``, ``hits_over_time``
        (n_steps integers: right test samples if one stops reading after each step), ``spikes``
        ({layer: mean of a test sample}), ``input_spikes``, ``seconds`` (``training``,
        ``testing``), ``loss_over_epochs`` and ``accuracy_over_epochs``. In any order; what else
        they hold is ignored.

    Returns
    -------
    dict of str to dict of str to Trials
        {data: {loss: trials}}, in the order of `TITLES` and `LOSSES`; only what there is.

    Raises
    ------
    DataError
        For a state that lacks something or contradicts itself, a trial or seed that occurs
        twice, and runs on the same data that cannot be compared.
    """
    found = {}
    for state in states:
        _check(state)
        found.setdefault((state["data"], state["loss"]), []).append(state)
    trials = {}
    for data in TITLES:
        for loss in LOSSES:
            if (data, loss) in found:
                chosen = sorted(found[data, loss], key=lambda state: state["seed"])
                _check_alike(chosen, _OF_LOSS)
                _check_different(chosen)
                trials.setdefault(data, {})[loss] = Trials(data, loss, tuple(chosen))
        _check_alike([s for each in trials.get(data, {}).values() for s in each.states], _OF_DATA)
    return trials


def _name(state):
    return f"{state['data']}, {state['loss']}, trial {state['trial']}"


def _check(state):
    missing = [key for key in _ALL if key not in state]
    if missing:
        known = ", ".join(str(state.get(key, "?")) for key in ("data", "loss", "trial"))
        raise DataError(
            f"the state of {known} has no {' and no '.join(map(repr, missing))}: run it again"
        )
    for key, known in (("data", TITLES), ("loss", LOSSES)):
        if state[key] not in known:
            raise DataError(f"{key} {state[key]!r} is unknown: give one of {', '.join(known)}")
    name, n, hits = _name(state), state["n_test"], state["hits_over_time"]
    if n < 1 or state["n_steps"] < 1 or not state["bin_us"] > 0:
        raise DataError(
            f"{name}: {n} test samples, {state['n_steps']} steps of {state['bin_us']} us: all "
            "must be above zero; run it again"
        )
    if len(hits) != state["n_steps"]:
        raise DataError(f"{name}: hits of {len(hits)} steps, not {state['n_steps']}: run it again")
    worst = min(hits) if min(hits) < 0 else max(hits)
    if not 0 <= worst <= n:
        raise DataError(f"{name}: {worst} right answers of {n} test samples: run it again")
    if not abs(state["accuracy"] - hits[-1] / n) <= _ROUNDING:
        raise DataError(
            f"{name}: accuracy {state['accuracy']}, but {hits[-1]} of {n} test samples are right "
            "after the last step: run it again"
        )
    spikes = {**state["spikes"], "input": state["input_spikes"]}
    for layer, value in spikes.items():
        if not (math.isfinite(value) and value >= 0):
            raise DataError(f"{name}: {value} spikes in {layer}, wanted zero or more: run it again")
    if not state["spikes"]:
        raise DataError(f"{name}: no spikes of any layer are given: run it again")
    _check_epochs(name, state)


def _check_epochs(name, state):
    losses, accuracies = state["loss_over_epochs"], state["accuracy_over_epochs"]
    if len(losses) != len(accuracies) or not losses:
        raise DataError(
            f"{name}: {len(losses)} losses and {len(accuracies)} accuracies over epochs, wanted "
            "one of each for every epoch: run it again"
        )
    for epoch, values in enumerate(zip(losses, accuracies), 1):
        if not all(map(math.isfinite, values)):
            raise DataError(
                f"{name}: loss and accuracy of epoch {epoch} are {values[0]} and {values[1]}, "
                "wanted finite numbers: run it again with a lower learning rate"
            )


def _check_alike(states, keys):
    def about(state):
        found = {key: state[key] for key in keys}
        if keys is _OF_LOSS:
            return found | {"curves over epochs": len(state["loss_over_epochs"])}
        return found | {"layers": list(state["spikes"])}

    for state in states[1:]:
        for key, value in about(state).items():
            first = about(states[0])[key]
            if value != first:
                raise DataError(
                    f"{_name(states[0])} and {_name(state)}: {key} are {first} and {value}, but "
                    "only like can be compared with like: run both with the same settings"
                )


def _check_different(states):
    for key in ("trial", "seed"):
        values = [state[key] for state in states]
        twice = [value for value in values if values.count(value) > 1]
        if twice:
            raise DataError(
                f"{states[0]['data']}, {states[0]['loss']}: {key} {twice[0]} occurs twice: leave "
                "one of them out"
            )
