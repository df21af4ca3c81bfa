"""Neurons, and what belongs to them, for a number of steps or for a loss: chosen on samples.

Half of the calibration samples, every other one, decide thresholds and corrections. The other half
is held out: it decides between the networks that these give.
"""

import bisect
import dataclasses
from typing import Any, Literal

import numpy as np

from nengo_tactile.conversion.bound import waiting_outputs
from nengo_tactile.conversion.correction import correct
from nengo_tactile.conversion.layerwise import simulate
from nengo_tactile.conversion.neurons import IF, Neuron
from nengo_tactile.conversion.stages import graph_of
from nengo_tactile.conversion.thresholds import scored
from nengo_tactile.conversion.trial_run import TrialRun
from nengo_tactile.errors import ConversionError

#: What a network can be the cheapest by.
COSTS = ("packets", "steps", "synops")
#: Spikes a step, and numbers of steps, that are tried.
SPIKES, STEPS = (1, 2, 4, 8), (1, 2, 4, 8, 16, 32, 64)
#: Errors up to the first, and up to so many times the least, are as good as the least: then the
#: simpler neurons are taken. From half of the first on a correction is tried.
NEAR, NEARER = 0.1, 1.1
#: Points that spikes, which come in some order, are thought to win at most over layers that wait.
LUCK = 1.0
#: Samples times steps that a simulation has where the steps are given; the least samples, while
#: these are not more sample-steps than the third.
SAMPLE_STEPS, LEAST, MOST_STEPS = 576, 32, 3072
#: Samples that a correction is made on at most: it is a mean over positions and these.
CORRECTED = 128
#: The one that is tried: of "bias" and "potential" the nearer on ResNet-20, at 4 and 8 steps.
CORRECTION: Literal["potential"] = "potential"
#: Calibration samples that it takes.
FEWEST = 16
#: With it thresholds are tried that send less.
COARSENESS = 0.5

PLAIN = IF(thresholds="steps", channelwise=True, discard="tune")


def few_spikes(spikes_per_step: int) -> IF:
    """The neurons for few steps, of so many spikes a step."""
    return IF(signed=True, thresholds="steps", channelwise=True, spikes_per_step=spikes_per_step)


@dataclasses.dataclass(frozen=True)
class Trial:
    """A network that was tried on the samples held out.

    Attributes
    ----------
    neuron : IF
    n_steps : int
    discard : float
        See `SpikingNetwork`.
    n_samples : int
    loss : float
        Points of accuracy less than the model has; without labels, of samples with another winner.
    bound : float
        The same of the network whose layers wait: see `nengo_tactile.conversion.bound`.
    error : float
        Root mean square difference of the outputs from the model's, over that of the outputs' mean.
    packets, synops : float
        Spikes, whatever they are worth, and synaptic operations of a sample.
    """

    neuron: IF
    n_steps: int
    discard: float
    n_samples: int
    loss: float
    bound: float
    error: float
    packets: float
    synops: float

    @property
    def name(self) -> str:
        """As one would type it."""
        steps = "1 step" if self.n_steps == 1 else f"{self.n_steps} steps"
        return f"{self.neuron!r} for {steps}"

    @property
    def steps(self) -> int:
        """`n_steps`, by its name among `COSTS`."""
        return self.n_steps

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.loss:.2f} points lost on {self.n_samples} samples held out "
            f"({self.bound:.2f} where layers wait), {self.packets:,.0f} packets and "
            f"{self.synops:,.0f} synaptic operations a sample"
        )


def for_steps(blueprint: Any) -> Any:
    """The network for a blueprint's number of steps.

    The spikes a step are as few as give layers that wait outputs near the model's. Plain neurons
    are taken where they do as well as signed ones of one spike a step. A correction is kept where
    it brings the outputs nearer.

    Parameters
    ----------
    blueprint : nengo_tactile.conversion.neurons.Blueprint

    Returns
    -------
    SpikingNetwork
        Its ``card`` says what was tried.
    """
    n_steps = blueprint.n_steps
    n_samples = max(SAMPLE_STEPS // n_steps, min(LEAST, MOST_STEPS // n_steps), 2)
    bench = _Bench(blueprint, n_samples, min(n_samples, CORRECTED))

    def error(most):
        return bench.error(bench.waiting(few_spikes(most), n_steps))

    least = error(SPIKES[-1])
    most = SPIKES[bisect.bisect_left(SPIKES[:-1], True, key=lambda k: _as_good(error(k), least))]
    last = few_spikes(most)
    bench.keep((last, n_steps))
    tried = [bench.trial(last, n_steps)]
    if most == 1:
        tried.append(bench.trial(PLAIN, n_steps))
        if _as_good(tried[1].error, tried[0].error):
            last = PLAIN
    best = next(trial for trial in tried if trial.neuron == last)
    if best.error > NEAR / 2 and n_samples >= LEAST:
        better = dataclasses.replace(last, correction=CORRECTION)
        tried.append(bench.trial(better, n_steps))
        best = min(best, tried[-1], key=lambda trial: trial.error)
    return bench.network(best, tried, "outputs near the model's")


def for_loss(
    blueprint: Any,
    max_loss: float,
    minimise: Literal["steps", "packets", "synops"] = "packets",
    neuron: Neuron | None = None,
) -> Any:
    """The cheapest network that loses at most so many points.

    Parameters
    ----------
    blueprint : nengo_tactile.conversion.neurons.Blueprint
        Its ``n_steps`` are the only ones, where they are given.
    max_loss : float
    minimise : {"steps", "packets", "synops"}
        Of equally many steps, those of the fewest spikes a step. Else the cheapest is tried again
        with coarser thresholds.
    neuron : IF, optional
        Whose options stay as they are; by default plain neurons, and signed ones of `SPIKES` spikes
        a step, are tried, with a correction where they miss.

    Returns
    -------
    SpikingNetwork
        Its ``card`` says what was tried.

    Raises
    ------
    ConversionError
        Where none loses so little, with the best that was found.
    """
    bench = _Bench(blueprint)
    ladder = STEPS if blueprint.n_steps is None else (blueprint.n_steps,)
    kinds = [few_spikes(most) for most in reversed(SPIKES)] + [PLAIN]
    kinds = kinds if neuron is None else [neuron]  # type: ignore[list-item]
    if minimise == "steps":
        rungs = [[(kind, n)] for n in ladder for kind in sorted(kinds, key=_spikes_per_step)]
    else:
        rungs = [[(kind, n) for n in ladder] for kind in kinds]
    tried: list[Trial] = []
    best: Trial | None = None
    for rung in rungs:
        for trial in (one for kind, n in rung for one in bench.walk(kind, n, max_loss, neuron)):
            tried.append(trial)
            dear = best is not None and getattr(trial, minimise) >= getattr(best, minimise)
            if trial.loss <= max_loss and not dear:
                best = trial
            bench.keep(*((one.neuron, one.n_steps) for one in (trial, best) if one is not None))
            if dear or trial.loss <= max_loss:  # more steps of the same cost more
                break
        if minimise == "steps" and best is not None:
            break
    if best is not None and minimise != "steps" and neuron is None:
        other = dataclasses.replace(best.neuron, coarseness=COARSENESS, correction=CORRECTION)
        coarse = bench.trial(other, best.n_steps)
        tried.append(coarse)
        if coarse.loss <= max_loss and getattr(coarse, minimise) < getattr(best, minimise):
            best = coarse
    if best is None:
        raise _none(max_loss, tried, bench.passed_over)
    return bench.network(best, tried, f"fewest {minimise} at {max_loss:g} points lost at most")


def _none(max_loss, tried, passed_over):
    """The error for a loss that no network comes to."""
    found = (
        f"the least that was found are {min(tried, key=lambda trial: trial.loss)}"
        if tried
        else f"layers that wait lose {min(passed_over):.2f} points already"
    )
    return ConversionError(
        f"max_loss is {max_loss:g}; {found}: give a larger one, more n_steps or calibration "
        "samples, or train the model with quantised activations (conversion.quantise.fine_tune)"
    )


def _spikes_per_step(neuron):
    return neuron.spikes_per_step


def _as_good(error, least):
    return error <= max(NEAR, NEARER * least)


class _Bench:
    """Where networks are made of one half of the samples and tried on the other.

    Attributes
    ----------
    passed_over : list of float
        Points that layers that wait lose, of what was not tried for that.
    """

    def __init__(self, blueprint, n_samples=None, n_corrected=CORRECTED):
        x = IF().samples(blueprint)
        if len(x) < FEWEST:
            raise ConversionError(
                f"{len(x)} calibration samples, half of which are held out to choose on: give at "
                f"least {FEWEST}, better a few hundred"
            )
        self.blueprint, self.fit = blueprint, blueprint.on(x[::2])
        self.x, self.read_out = x[1::2][:n_samples], blueprint.read_out
        self.wanted = blueprint.layers.outputs(self.x).reshape(len(self.x), -1)
        labels = None if blueprint.labels is None else blueprint.labels[1::2][:n_samples]
        self.score, self.reached = scored(self.wanted, labels, self.read_out)
        self.n_corrected = n_corrected
        self.drafts, self.waited, self.passed_over = {}, {}, []

    def draft(self, neuron, n_steps):
        """The model with neurons for so many steps: see `IF.draft`."""
        key = neuron, n_steps
        if key not in self.drafts:
            if neuron.correction == CORRECTION and not neuron.coarseness:
                self.drafts[key] = self._corrected(neuron, n_steps)
            else:
                fit = dataclasses.replace(self.fit, n_steps=n_steps)
                self.drafts[key] = neuron.draft(fit)
        return self.drafts[key]

    def keep(self, *keys):
        """Forget all other drafts: each has the model's weights."""
        self.drafts = {key: draft for key, draft in self.drafts.items() if key in keys}

    def _corrected(self, neuron, n_steps):
        draft = self.draft(dataclasses.replace(neuron, correction=None), n_steps)
        x, kind = self.fit.x[: self.n_corrected], neuron.correction
        reference = {"reference": self.fit.layers, "units": draft.scales}
        reference["progress"] = self.blueprint.progress
        layers = correct(draft.layers, x, n_steps, kind, **reference)
        return dataclasses.replace(draft, layers=layers)

    def waiting(self, neuron, n_steps):
        """Outputs where layers wait, for the samples held out."""
        key = neuron, n_steps
        if key not in self.waited:
            outputs = waiting_outputs(self.draft(*key).layers, self.x, n_steps)
            self.waited[key] = outputs.reshape(len(self.x), -1)
        return self.waited[key]

    def error(self, outputs):
        """See `Trial`."""
        means = np.broadcast_to(self.wanted.mean(axis=0), self.wanted.shape)
        spread = self.read_out.distance(means, self.wanted)
        error = self.read_out.distance(outputs, self.wanted)
        return error / max(spread, np.finfo(np.float32).tiny)

    def loss(self, outputs):
        """See `Trial`."""
        return 100 * (self.reached - self.score(outputs))

    def trial(self, neuron, n_steps):
        """Run neurons on the samples held out."""
        x, layers = self.x, self.draft(neuron, n_steps).layers
        simulation = simulate(layers, x, n_steps)
        means = simulation.logits.reshape(len(x), n_steps, -1)
        run = TrialRun(self.wanted, means, self.read_out)
        discard = run.best_discard() if neuron.discard == "tune" else neuron.discard
        outputs = run.outputs(discard)
        sent = {name: n_steps * rates.ravel() for name, rates in simulation.rates.items()}
        graph = graph_of(layers, self.blueprint.dt).varying()
        fan_out, made = graph.fan_out(), {stage.layer: stage.name for stage in graph if stage.fires}
        # what adds up is reached by something at nearly every step
        sums = sum(fan_out[stage.name].sum() for stage in graph if stage.adds_up)
        return Trial(
            neuron,
            n_steps,
            discard,
            len(x),
            self.loss(outputs),
            self.loss(self.waiting(neuron, n_steps)),
            self.error(outputs),
            float(sum(spikes.sum() for spikes in sent.values())),
            float(
                n_steps * sums + sum(spikes @ fan_out[made[name]] for name, spikes in sent.items())
            ),
        )

    def walk(self, neuron, n_steps, max_loss, given):
        """Yield what is tried of neurons for so many steps: then, if it misses, corrected."""
        bound = self.loss(self.waiting(neuron, n_steps))
        if bound > max_loss + LUCK:
            self.passed_over.append(bound)
            return
        trial = self.trial(neuron, n_steps)
        yield trial
        if given is None and trial.loss > max_loss:
            yield self.trial(dataclasses.replace(neuron, correction=CORRECTION), n_steps)

    def network(self, best, tried, why):
        """The network of a trial."""
        blueprint = dataclasses.replace(self.blueprint, n_steps=best.n_steps)
        card = {"chosen": f"{best}; {why}", "tried": [str(trial) for trial in tried]}
        draft = self.draft(best.neuron, best.n_steps)
        return best.neuron.finished(blueprint, draft, best.discard, card=card)
