"""NIR graphs as graphs of stages.

A node with a state becomes a stage. Linear nodes become the maps of its links; where one reads
another, the sum between them is a stage that passes on what it gets.
"""

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from nengo_tactile.errors import ConversionError
from nengo_tactile.exchange.nir_files import NirGraph, shape_of
from nengo_tactile.exchange.nir_maps import LINEAR, Linear, channels_last, order_of
from nengo_tactile.exchange.nir_neurons import NEURONS, Reading, Rules
from nengo_tactile.networks.linear_maps import Convolution, Map, Sparse
from nengo_tactile.networks.neurons import Sum
from nengo_tactile.networks.stages import Graph, Link, Stage


def graph_of(nir: NirGraph, rules: Rules) -> Graph:
    """The graph that engines run.

    Parameters
    ----------
    nir : NirGraph
    rules : Rules

    Returns
    -------
    Graph
        Channels last; outputs in NIR's order.

    Raises
    ------
    ConversionError
        Naming the node and the remedy.
    """
    return _Stages(nir, rules).graph()


@dataclasses.dataclass(frozen=True, eq=False)
class _Value:
    """What leads into a node, or out of it: a sum of what stages send.

    Attributes
    ----------
    shape : tuple of int
        As NIR has it.
    order : (n,) int array
    terms : tuple of (str, Map or None)
        Stages, and what their spikes meet on their way.
    bias : (n,) array or None
    """

    shape: tuple[int, ...]
    order: np.ndarray
    terms: tuple[tuple[str, Map | None], ...]
    bias: np.ndarray | None = None

    @property
    def is_plain(self):
        """Whether these are outputs of stages as they are."""
        return self.bias is None and all(linear is None for _, linear in self.terms)


class _Stages:
    """Makes stages of a graph's nodes."""

    def __init__(self, nir, rules):
        self.nir, self.rules = nir, rules
        self.stages: dict[str, Stage] = {}
        self.axons: dict[str, np.ndarray] = {}
        self.values: dict[str, _Value] = {}
        self.sums: dict[str, _Value] = {}
        self.open: list[str] = []  # linear nodes whose value is being made
        self.input, self.output = self._only("Input"), self._only("Output")
        # shape and order of what arrives at each node; what linear nodes do
        self.arriving: dict[str, tuple] = {}
        self.linear: dict[str, Linear] = {}
        self._check_ends()
        self._find_shapes()

    def _only(self, kind):
        found = [name for name, node in self.nir.nodes.items() if node.kind == kind]
        if len(found) != 1:
            raise ConversionError(f"the graph has {len(found)} nodes {kind}: give it one")
        return found[0]

    def graph(self):
        """The graph that engines run."""
        for name in self._order():
            if self.nir.nodes[name].kind in NEURONS:
                with self._naming(name):
                    self._population(name)
        with self._naming(self.output):
            end = self._into(self.output)
            end = self._routed(end, np.arange(len(end.order)), self.output)
        last = next(reversed(self.stages), None)
        if not end.is_plain or [source for source, _ in end.terms] != [last]:
            self._sum(self.output, end)
        shape = shape_of(self.nir.nodes[self.input])
        stages = [
            dataclasses.replace(stage, axon=self.axons.get(name))
            for name, stage in self.stages.items()
        ]
        return Graph(channels_last(shape), stages)

    # -- before stages are made ----------------------------------------------------------------

    def _check_ends(self):
        """Refuse nodes that no way leads to, or from."""
        for start, step, words in (
            (self.input, self.nir.readers, "from the input to"),
            (self.output, self.nir.sources, "to the output from"),
        ):
            reached, new = {start}, [start]
            while new:
                new = [each for name in new for each in step(name) if each not in reached]
                reached |= set(new)
            lost = [repr(name) for name in self.nir.nodes if name not in reached]
            if lost:
                raise ConversionError(
                    f"no edges lead {words} {', '.join(lost[:3])}: add them, or leave it out"
                )

    def _find_shapes(self):
        shape = shape_of(self.nir.nodes[self.input])
        leaving = {self.input: (shape, order_of(shape))}
        waiting = [name for name in self.nir.nodes if name != self.input]
        while waiting:
            for name in waiting:
                known = next((each for each in self.nir.sources(name) if each in leaving), None)
                if known is None:
                    continue
                self.arriving[name] = leaving[name] = leaving[known]
                kind = self.nir.nodes[name].kind
                with self._naming(name):
                    if kind in LINEAR:
                        found = LINEAR[kind](self.nir.nodes[name], *leaving[known])
                        self.linear[name], leaving[name] = found, (found.shape, found.order)
                    elif kind not in NEURONS and kind != "Delay":
                        names = ", ".join((*LINEAR, *NEURONS, "Delay"))
                        raise ConversionError(f"no engine runs it; there are {names}")
            waiting = [name for name in waiting if name not in leaving]

    def _order(self):
        """Nodes so that each comes behind those that lead into it, but for cycles."""
        seen, order = {self.input}, []
        stack = [(self.input, iter(self.nir.readers(self.input)))]
        while stack:
            following = next((each for each in stack[-1][1] if each not in seen), None)
            if following is None:
                order.append(stack.pop()[0])
            else:
                seen.add(following)
                stack.append((following, iter(self.nir.readers(following))))
        return order[::-1]

    # -- what nodes put out --------------------------------------------------------------------

    def _into(self, name):
        """What leads into a node, all its edges added up."""
        shape, order = self.arriving[name]
        values = [self._value(source) for source in self.nir.sources(name)]
        for value in values:
            if value.shape != shape:
                raise ConversionError(
                    f"its edges bring shapes {shape} and {value.shape}: give edges of one shape"
                )
        values = [self._routed(value, order, f"{name} {n}") for n, value in enumerate(values)]
        biases = [value.bias for value in values if value.bias is not None]
        terms = tuple(term for value in values for term in value.terms)
        return _Value(shape, order, terms, sum(biases) if biases else None)

    def _value(self, name):
        """What a node puts out."""
        if name in self.values:
            return self.values[name]
        if name == self.input:
            shape = shape_of(self.nir.nodes[name])
            value = _Value(shape, order_of(shape), (("input", None),))
        elif self.nir.nodes[name].kind in NEURONS:
            value = _Value(*self.arriving[name], ((name, None),))
        else:
            if name in self.open:
                circle = ", ".join(map(repr, self.open[self.open.index(name) :]))
                raise ConversionError(
                    f"the nodes {circle} lead into each other without neurons between them: no "
                    "step of that circle could come first"
                )
            self.open.append(name)
            with self._naming(name):
                value = self._delayed(name) if name not in self.linear else self._mapped(name)
            self.open.pop()
        self.values[name] = value
        return value

    def _mapped(self, name):
        """What a linear node puts out."""
        into, found = self._into(name), self.linear[name]
        if found.map is None:
            return dataclasses.replace(into, shape=found.shape, order=found.order)
        into = self._summed(into, name)
        terms = tuple((source, found.map) for source, _ in into.terms)
        return _Value(found.shape, found.order, terms, found.bias)

    def _delayed(self, name):
        """What arrived some steps before: on the axons of neurons that nothing else reads."""
        into, node = self._into(name), self.nir.nodes[name]
        steps = Reading(node, into.shape, into.order).each("delay") / self.rules.dt
        whole = np.rint(steps).astype(np.int64)
        if (np.abs(steps - whole) > 1e-3).any() or (whole < 0).any():
            raise ConversionError(
                f"its delay of {steps[np.argmax(np.abs(steps - whole))]:g} steps is not whole, at "
                f"{self.rules.dt:g} s a step: give dt that divides it"
            )
        if not whole.any():
            return into
        (source, *others), plain = self.nir.sources(name), into.is_plain
        fires = self.nir.nodes[source].kind in NEURONS
        if not others and plain and fires and self.nir.readers(source) == [name]:
            self.axons[source] = whole
            return into
        summed = self._sum(name, into)
        self.axons[summed.terms[0][0]] = whole
        return summed

    def _routed(self, value, order, name):
        """The same value in another order."""
        if np.array_equal(value.order, order):
            return value
        value = self._summed(value, name)
        places = np.argsort(value.order)[order]
        routing = Sparse.routing(places, len(places))
        terms = tuple((source, routing) for source, _ in value.terms)
        return _Value(value.shape, order, terms)

    # -- stages --------------------------------------------------------------------------------

    def _summed(self, value, name):
        """A value as outputs of stages, by a stage that adds up where it is more than that."""
        if value.is_plain:
            return value
        sources = self.nir.sources(name) if name in self.nir.nodes else []
        name = sources[0] if len(sources) == 1 else f"{name} sum"
        if name not in self.sums:
            summed = self._sum(name, value)
            if not all(source == "input" or source in self.stages for source, _ in value.terms):
                return summed  # of a step before, which others need not read
            self.sums[name] = summed
        return self.sums[name]

    def _sum(self, name, value):
        name = self._free(name)
        shape = channels_last(value.shape)
        if not np.array_equal(value.order, order_of(value.shape)):
            shape = (len(value.order),)
        links = self._links(value.terms, len(value.order))
        self.stages[name] = Stage(name, shape, Sum(), links, value.bias, layer=name)
        return _Value(value.shape, value.order, ((name, None),))

    def _free(self, name):
        taken = {"input", *self.stages} | {
            other for other, node in self.nir.nodes.items() if node.kind in NEURONS
        }
        while name in taken:
            name += " again"
        return name

    def _links(self, terms, n, gain=None):
        """Links into a stage; those of what has not fired yet bring the step before."""
        there = {"input", *self.stages}
        return [
            Link(source, scaled(linear, n, gain), delay=int(source not in there))
            for source, linear in terms
        ]

    def _population(self, name):
        """Make the stage of a node that has a state."""
        into = self._into(name)
        reading = Reading(self.nir.nodes[name], into.shape, into.order)
        made = NEURONS[self.nir.nodes[name].kind](reading, self.rules)
        bias = made.bias if into.bias is None else made.bias + into.bias * made.gain
        shape = channels_last(into.shape)
        if not np.array_equal(into.order, order_of(into.shape)):
            shape = (len(into.order),)
        first = name if made.behind is None else self._free(f"{name} current")
        links = self._links(into.terms, len(into.order), made.gain)
        self.stages[first] = Stage(first, shape, made.neuron, links, bias, made.start, layer=name)
        if made.behind is not None:
            link = Link(first, scaled(None, len(into.order), made.behind_gain))
            self.stages[name] = Stage(name, shape, made.behind, [link], layer=name)

    @contextlib.contextmanager
    def _naming(self, name) -> Iterator[None]:
        """Errors inside name the node, the innermost alone."""
        try:
            yield
        except ConversionError as error:
            if str(error).startswith("node "):
                raise
            kind = self.nir.nodes[name].kind
            raise ConversionError(f"node {name!r} ({kind}): {error}") from error


def scaled(linear: Any, n: int, gain: np.ndarray | None = None) -> Map:
    """A map of n outputs times a number for each of them; without a map, of inputs as they are."""
    if gain is None or (gain == gain[0]).all():
        factor = 1.0 if gain is None else float(gain[0])
        if linear is None:
            return Sparse.routing(None, n, factor)
        return linear if factor == 1 else linear.scaled(factor)
    if linear is None:
        return Convolution.diagonal_of(np.float32(gain))
    if linear.n_axes:
        channels = linear.output_shape[-1]
        if not (gain.reshape(-1, channels) == gain[:channels]).all():
            linear = Sparse(linear.matrix())
    return linear.outputs_scaled(gain).reweighted(np.float32)


__all__ = ["graph_of", "scaled"]
