"""Spiking networks as stages of neurons and the links between them: what every engine reads.

At each step, for each stage in order::

    arrived = bias + sum over links of low_pass(map(what the source sent ``delay`` steps before))
    fired = neuron(arrived)        # what others read ``axon`` steps later

Arrays are flat, channels last; times are in steps. A spike is a one: gains and amplitudes are in
the weights that it meets, which have the unit of the potential that they change.
"""

import dataclasses
import math
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from nengo_tactile.errors import ConversionError
from nengo_tactile.lazy import cached_property
from nengo_tactile.networks.linear_maps import Map
from nengo_tactile.networks.neurons import Neuron

#: Samples whose sums are in memory at once.
_AT_ONCE = 8


@dataclasses.dataclass(frozen=True, eq=False)
class Link:
    """A connection into a stage.

    Attributes
    ----------
    source : str
        Name of a stage, or "input".
    map : Map
    target : (map.n_out,) int array or None
        Which inputs of the stage it reaches, when not all.
    low_pass : float or None
        Time constant, in steps, of a synapse of unit area.
    delay : int
        Steps; from 1 where the source does not come before: recurrence.
    """

    source: str
    map: Map
    target: np.ndarray | None = None
    low_pass: float | None = None
    delay: int = 0

    def forward(self, values: np.ndarray, n_inputs: int) -> np.ndarray:
        """What arrives at the inputs of the stage, (n_samples, n_inputs)."""
        values = self.map.forward(values)
        if self.target is None:
            return values
        result = np.zeros((len(values), n_inputs), values.dtype)
        result[:, self.target] = values
        return result


@dataclasses.dataclass(frozen=True, eq=False)
class Stage:
    """A population, with everything that drives it.

    Attributes
    ----------
    name : str
    shape : tuple of int
        (size..., channels).
    neuron : Neuron
    links : tuple of Link
    bias : (n_inputs,) float32 array
        Arrives at every step. By default nothing.
    start : (n_inputs,) float32 array
        Potential before the first step. By default zero.
    axon : (n_neurons,) int array or None
        Steps that spikes take to leave a neuron.
    layer : str
        What it was made of: the Keras layer whose output it is.
    step_bias : (n_first, channels) float32 array
        Arrives besides at each of the first steps, the same at all places. By default at none.
    """

    name: str
    shape: tuple[int, ...]
    neuron: Neuron
    links: Sequence[Link]
    # never None once it is made
    bias: np.ndarray = None  # type: ignore[assignment]
    start: np.ndarray = None  # type: ignore[assignment]
    axon: np.ndarray | None = None
    layer: str = ""
    step_bias: np.ndarray = None  # type: ignore[assignment]

    def __post_init__(self):
        object.__setattr__(self, "shape", tuple(int(size) for size in self.shape))
        object.__setattr__(self, "links", tuple(self.links))
        for name in ("bias", "start"):
            values = getattr(self, name)
            values = np.zeros(self.n_inputs) if values is None else values
            object.__setattr__(self, name, np.asarray(values, np.float32))
        early = np.zeros((0, 1)) if self.step_bias is None else self.step_bias
        object.__setattr__(self, "step_bias", np.asarray(early, np.float32))

    @property
    def spikes(self) -> bool:
        """Whether it sends events."""
        return self.neuron.spikes

    @property
    def fires(self) -> bool:
        """Whether it has neurons of its own, and does not only pool the spikes of others."""
        return self.neuron.spikes and not self.neuron.forwards

    @property
    def adds_up(self) -> bool:
        """Whether it has no neurons and sends sums on, or is a read-out of such."""
        return not self.neuron.spikes and self.neuron.window == 1

    @property
    def n_neurons(self) -> int:
        """Neurons, or outputs of the last stage."""
        return math.prod(self.shape)

    @property
    def n_inputs(self) -> int:
        """Values that arrive: of max pooling for each place of each window."""
        return self.n_neurons * self.neuron.window


@dataclasses.dataclass(frozen=True, eq=False)
class Graph:
    """Stages in the order of computation, the read-out last.

    Attributes
    ----------
    input_shape : tuple of int
    stages : tuple of Stage

    Raises
    ------
    ConversionError
        If they are not a network, naming the stage, what it has and what it should have.
    """

    input_shape: tuple[int, ...]
    stages: Sequence[Stage]

    def __post_init__(self):
        object.__setattr__(self, "input_shape", tuple(int(size) for size in self.input_shape))
        object.__setattr__(self, "stages", tuple(self.stages))
        if not self.stages:
            raise ConversionError("the network has no stages: give at least one")
        names = ["input", *(stage.name for stage in self.stages)]
        if len(set(names)) < len(names):
            raise ConversionError(
                f"stages are named {names[1:]}: give each its own name, none 'input'"
            )
        sizes = {"input": math.prod(self.input_shape)}
        sizes |= {stage.name: stage.n_neurons for stage in self.stages}
        before = {"input"}
        for stage in self.stages:
            for problem in _problems(stage, sizes, before):
                raise ConversionError(f"stage {stage.name!r}: {problem}")
            before.add(stage.name)

    def __iter__(self) -> Iterator[Stage]:
        return iter(self.stages)

    def varying(self) -> "Graph":
        """The part that changes from step to step when the input is constant.

        Returns
        -------
        Graph
            Without what the input and constants do by themselves, which `silent` tells: stages
            that only these reach are gone, the others have the bias 0 where these reach them, and
            where a bias changes nothing that fires.
        """
        still, result = self.silent(np.zeros((1, *self.input_shape))), []
        for stage in self.stages:
            if stage.name not in self.constant:
                links = [link for link in stage.links if link.source not in self.constant]
                own = stage.spikes and stage.name not in self.driven
                bias = still[stage.name][0] if own else None
                result.append(dataclasses.replace(stage, links=links, bias=bias))
        return Graph(self.input_shape, result)

    @cached_property
    def driven(self) -> set[str]:
        """Names of the stages that the input reaches without passing neurons."""
        sources, driven = {"input"}, set()
        for stage in self.stages:
            if any(link.source in sources for link in stage.links):
                driven.add(stage.name)
                if not stage.spikes:
                    sources.add(stage.name)
        return driven

    @cached_property
    def constant(self) -> set[str]:
        """What is the same at every step when the input is: its name, and those of stages."""
        result = {"input"}
        for stage in self.stages[:-1]:
            if not stage.spikes and all(link.source in result for link in stage.links):
                result.add(stage.name)
        return result

    def silent(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """What arrives while nothing fires and the input is constant.

        Parameters
        ----------
        x : (n_samples, ...) array

        Returns
        -------
        dict of str to (n_samples, n_inputs) float32 array
            By stage, added up in float64. Of a single row for stages that the input does not reach
            by itself.
        """
        firsts = range(0, max(len(x), 1), _AT_ONCE)
        parts = [self._silent(np.asarray(x[k : k + _AT_ONCE], float)) for k in firsts]
        return {
            name: np.concatenate([part[name] for part in parts]) if name in self.driven else one
            for name, one in parts[0].items()
        }

    def _silent(self, x):
        sent, result = {"input": x.reshape(len(x), math.prod(self.input_shape))}, {}
        for stage in self.stages:
            arrived = stage.bias[None].astype(float)
            for link in stage.links:
                if link.source in sent:
                    arrived = arrived + link.forward(sent[link.source], stage.n_inputs)
            result[stage.name] = arrived.astype(np.float32)
            if not stage.spikes:
                windows = arrived.reshape(len(arrived), stage.n_neurons, stage.neuron.window)
                sent[stage.name] = windows.max(axis=2)
        return result

    def fan_out(
        self, into: Collection[str] | None = None, weights_only: bool = False
    ) -> dict[str, np.ndarray]:
        """Synapses that each neuron meets, and each unit of a stage that only adds up.

        A synapse is an entry of a map with weights, or one into neurons. What only adds up sends
        one value a step, whatever has reached it, and that meets synapses of its own: so each
        weight is met once a step at most. What copies passes on, without any of its own.

        Parameters
        ----------
        into : collection of str, optional
            Only those into these stages; by default into all.
        weights_only : bool
            Leave out what only copies or pools, and let spikes pass where nothing else adds up.

        Returns
        -------
        dict of str to (n_neurons,) int array
            By stage, also of those that only add up (see `sums`), and of the input.
        """
        if into is None and not weights_only:
            return dict(self._fan_out)
        names = [stage.name for stage in self.stages]
        return self._synapses(names if into is None else into, weights_only)

    @cached_property
    def _fan_out(self):
        return self._synapses([stage.name for stage in self.stages])

    def _synapses(self, into, weights_only=False):
        counts = {stage.name: np.zeros(stage.n_neurons, np.int64) for stage in self.stages}
        counts["input"] = np.zeros(math.prod(self.input_shape), np.int64)
        for stage in reversed(self.stages):
            passes_on = stage.adds_up and stage is not self.stages[-1]
            through = passes_on and (_pools(stage) if weights_only else _copies(stage))
            reached = np.full(stage.n_inputs, stage.name in into, np.int64)
            if through:
                reached, counts[stage.name] = counts[stage.name], 0 * reached
            for link in stage.links:
                if through or _counts(link, passes_on, weights_only):
                    behind = reached if link.target is None else reached[link.target]
                    counts[link.source] = counts[link.source] + link.map.fan_out(behind)
        return counts

    @cached_property
    def sums(self) -> set[str]:
        """Names of the stages without neurons whose values meet synapses of their own."""
        found = self.fan_out()
        return {stage.name for stage in self.stages if stage.adds_up and found[stage.name].any()}

    @property
    def multiplications(self) -> int:
        """Weights that a sample meets where every stage is computed once and nothing spikes.

        Those that are not zero, edges of padded convolutions counted exactly.
        """
        maps = [link.map for stage in self.stages for link in stage.links]
        return sum(_n_weights(each) for each in maps if each.weighted)


def _counts(link, passes_on, weights_only):
    """Whether a link's entries are synapses, into neurons or what ``passes_on``."""
    if weights_only:
        return link.map.weighted and not link.map.pools
    return link.map.weighted or not passes_on


def _pools(stage):
    """Whether nothing reaches it by weights of their own."""
    return not any(link.map.weighted and not link.map.pools for link in stage.links)


def _copies(stage):
    """Whether each of its units has what one other sends, as it is: concatenation, padding."""
    if any(link.map.weighted or link.low_pass is not None for link in stage.links):
        return False
    reached = np.zeros(stage.n_inputs, int)
    for link in stage.links:
        reached[slice(None) if link.target is None else link.target] += 1
    return bool(reached.max() <= 1)


def _n_weights(found):
    """Entries of a map that are not zero."""
    return int(found.fan_out(np.ones(found.n_out, np.int64)).sum())


def _problems(stage, sizes, before):
    """Yield what a stage has that it should not have.

    ``sizes`` are the neurons of all stages and the input, ``before`` the names that precede it.
    """
    n = stage.n_inputs
    for name, least in (("bias", n), ("start", n)):
        values = getattr(stage, name)
        if values.shape != (least,) or not np.isfinite(values).all():
            yield (
                f"its {name} has shape {values.shape} and {np.count_nonzero(~np.isfinite(values))} "
                f"values that are not finite: give {least} numbers"
            )
    early = stage.step_bias
    channels = early.shape[-1] if early.ndim == 2 else 0
    if not channels or n % channels or not np.isfinite(early).all():
        yield (
            f"its step_bias has shape {early.shape} and {np.count_nonzero(~np.isfinite(early))} "
            "values that are not finite: give a number for each step and channel"
        )
    elif len(early) and not stage.fires:
        yield "it has no neurons of its own and a step_bias: leave that out"
    if stage.axon is not None:
        axon = np.asarray(stage.axon)
        if axon.dtype.kind not in "iu" or axon.shape != (stage.n_neurons,) or axon.min() < 0:
            yield (
                f"its axon is {axon.dtype} of shape {axon.shape} from {min(axon, default=0)}: give "
                f"{stage.n_neurons} integers from 0"
            )
    for link in stage.links:
        if link.source not in sizes:
            yield f"it reads {link.source!r}, which is no stage: choose one of {', '.join(sizes)}"
            return
        bad = np.count_nonzero(~np.isfinite(link.map.values))
        if bad:
            yield (
                f"{bad:,} of its {link.map.values.size:,} weights from {link.source!r} are not "
                "finite: train it again, with a lower learning rate"
            )
        there, right = link.map.n_in, sizes[link.source]
        if there != right:
            yield f"its map from {link.source!r} reads {there} values, which sends {right}"
        target = np.arange(n) if link.target is None else np.asarray(link.target)
        if len(target) != link.map.n_out or not ((target >= 0) & (target < n)).all():
            yield (
                f"its map from {link.source!r} has {link.map.n_out} outputs for {len(target)} "
                f"inputs from {min(target, default=0)} to {max(target, default=0)}: it has {n}"
            )
        least = 0 if link.source in before else 1
        if link.delay != int(link.delay) or link.delay < least:
            yield (
                f"its delay from {link.source!r} is {link.delay}: give whole steps from {least} "
                "(a loop takes at least one)"
            )
        if link.low_pass is not None and not 0 <= link.low_pass < math.inf:
            yield f"its low_pass from {link.source!r} is {link.low_pass}: give steps, or None"
