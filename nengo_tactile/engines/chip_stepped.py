"""Graphs that read spikes as the chip takes them, and what their neurons lose there.

Sums in between are merged with the links that read them; convolutions of the input whose padding
nengo-loihi has no word for read an input with a border of neurons that never fire. Neurons without
leaks go the way of converted integrate-and-fire networks: the chip's reset to zero takes what
their potential was above the threshold, and one spike a step is the most.
"""

import dataclasses
import math

import numpy as np

from nengo_tactile.engines.chip_stages import start_as_current
from nengo_tactile.errors import EngineError
from nengo_tactile.networks.linear_maps import Convolution
from nengo_tactile.networks.neurons import Sum
from nengo_tactile.networks.stages import Graph

_MERGED = (
    "the chip has no place to add up in between, and what is added up there can be merged with no "
    "one convolution or dense layer"
)


@dataclasses.dataclass(frozen=True)
class ChipGraph:
    """A graph as the chip takes it.

    Attributes
    ----------
    graph : Graph
    places : (n_inputs,) int array
        Where each input lies in the graph's, which may have a border; -1 for those that nothing
        reads.
    notes : tuple of str
        What is different there.
    """

    graph: Graph
    places: np.ndarray
    notes: tuple[str, ...]

    def bordered(self, signal: np.ndarray) -> np.ndarray:
        """Spikes at steps, (n_steps, n_inputs), with the graph's border."""
        result = np.zeros((len(signal), math.prod(self.graph.input_shape)), signal.dtype)
        read = self.places >= 0
        result[:, self.places[read]] = signal[:, read]
        return result


def chip_form(graph: Graph, n_steps: int) -> ChipGraph:
    """The graph as the chip takes it.

    Parameters
    ----------
    graph : Graph
    n_steps : int
        Steps of a sample, over which what neurons hold at the start is spread.

    Raises
    ------
    EngineError
        For sums that cannot be merged, and borders that differ, naming the stage and the remedy.
    """
    graph, places = _with_border(_without_sums(graph))
    stages, notes = [], []
    for stage in graph:
        neuron, lost = stage.neuron.as_on_chip()
        stage = dataclasses.replace(stage, neuron=neuron)
        if stage.start.any() and not neuron.leaks:
            stage = start_as_current(stage, n_steps)
            lost += ("what its neurons hold at the start comes little by little",)
        if stage.bias.any():
            lost += ("its biases come from the first step on, some steps before spikes do",)
        stages.append(stage)
        notes += [f"on the chip, stage '{stage.name}': {each}" for each in lost]
    return ChipGraph(Graph(graph.input_shape, stages), places, tuple(notes))


def _without_sums(graph):
    """Links that read a sum as links that read what it adds up."""
    sums, stages, last = {}, [], graph.stages[-1].name
    for stage in graph:
        links, bias = [], stage.bias.astype(float)
        for link in stage.links:
            if link.source not in sums:
                links.append(link)
                continue
            added = sums[link.source]
            links += [_merged(stage, link, each) for each in added.links]
            bias = bias + link.forward(added.bias[None].astype(float), stage.n_inputs)[0]
        stage = dataclasses.replace(stage, links=links, bias=bias)
        if stage.neuron == Sum() and stage.axon is None and stage.name != last:
            sums[stage.name] = stage
        else:
            stages.append(stage)
    return Graph(graph.input_shape, stages)


def _merged(stage, link, first):
    """The link that does what one into a sum and one out of it do."""
    found = None
    if first.target is None and (first.low_pass is None or link.low_pass is None):
        found = merged(first.map, link.map)
    if found is None:
        raise EngineError(
            f"stage {stage.name!r}, reading '{first.source}' through the sum '{link.source}': "
            f"{_MERGED}; let neurons follow the sum, or use engine='event'"
        )
    slow = link.low_pass if first.low_pass is None else first.low_pass
    delay = link.delay + first.delay
    return dataclasses.replace(link, source=first.source, map=found, low_pass=slow, delay=delay)


def merged(first, second):
    """The convolution or dense map that does what two do, one behind the other.

    Parameters
    ----------
    first, second : Map

    Returns
    -------
    Convolution or None
        None where there is none, or none that is exact at the edges.
    """
    if second.dense:
        return Convolution.matrix_of((first.matrix().T @ second.values).astype(np.float32))
    if first.dense:
        return Convolution.matrix_of((second.matrix() @ first.values.T).T.astype(np.float32))
    if second.diagonal is not None and (second.diagonal == second.diagonal[0]).all():
        return first.scaled(float(second.diagonal[0]))
    plain = first.n_axes and first.n_axes == second.n_axes
    if not plain or first.transposed or second.transposed:
        return None
    first, second = first.plain(), second.plain()
    axes = zip(
        *(first.input_shape, first.output_shape, second.output_shape, first.strides),
        *(second.strides, first.padding, second.padding, first.sides, second.sides),
    )
    for n_in, n_mid, n_out, stride, step, before, border, side, reach in axes:
        # what the second reads as zeros has to be zeros of the first's input, too
        front = border and side > stride + before
        behind = (n_out - 1) * step + reach - border > n_mid
        if front or (behind and n_mid * stride - before < n_in):
            return None
    strides = first.strides
    sides = [(n - 1) * s + k for n, s, k in zip(second.sides, strides, first.sides)]
    kernel = np.zeros((*sides, first.kernel.shape[-2], second.kernel.shape[-1]))
    for tap in np.ndindex(*second.sides):
        there = tuple(slice(t * s, t * s + k) for t, s, k in zip(tap, strides, first.sides))
        kernel[there] += first.kernel.astype(float) @ second.kernel[tap]
    return Convolution(
        kernel.astype(np.float32),
        first.input_shape,
        second.output_shape,
        tuple(a * b for a, b in zip(strides, second.strides)),
        tuple(p + q * s for p, q, s in zip(first.padding, second.padding, strides)),
    )


def _with_border(graph):
    """The graph with a border of inputs, so that convolutions of the input need no padding.

    Returns
    -------
    graph : Graph
    places : (n_inputs,) int array
    """
    links = [(s.name, link.map) for s in graph for link in s.links if link.source == "input"]
    wordless = [name for name, found in links if _lacks_word(found)]
    if not wordless:
        return graph, np.arange(math.prod(graph.input_shape))
    if len(links) > 1:
        names = ", ".join(repr(name) for name, _ in links)
        raise EngineError(
            f"stage {wordless[0]!r}: nengo-loihi has no word for its padding, and the stages "
            f"{names} read the input beside each other: let one stage read it, pad as TensorFlow "
            "does (valid or same), or use engine='event'"
        )
    (_, old), (top, left, *_) = links[0], links[0][1].padding
    new = _valid(old)
    stages = [
        dataclasses.replace(
            stage,
            links=[
                link if link.source != "input" else dataclasses.replace(link, map=new)
                for link in stage.links
            ],
        )
        for stage in graph
    ]
    rows, columns, channels = np.unravel_index(np.arange(old.n_in), old.input_shape)
    rows, columns = rows + top, columns + left
    height, width, _ = new.input_shape
    places = np.full(old.n_in, -1)
    read = (rows < height) & (columns < width)
    inside = rows[read], columns[read], channels[read]
    places[read] = np.ravel_multi_index(inside, new.input_shape)
    return Graph(new.input_shape, stages), places


def _lacks_word(found):
    return found.n_axes == 2 and not found.transposed and found.padding_word() is None


def _valid(found):
    """The same convolution, of an input that has all that its windows read."""
    plain = found.plain()
    axes = zip(plain.output_shape, plain.strides, plain.sides)
    sides = [(n - 1) * stride + side for n, stride, side in axes]
    return dataclasses.replace(
        plain, input_shape=(*sides, plain.input_shape[-1]), padding=(0,) * plain.n_axes
    )


__all__ = ["ChipGraph", "chip_form", "merged"]
