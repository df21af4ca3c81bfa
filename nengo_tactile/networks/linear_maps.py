"""Linear maps between populations: what a link computes, what it costs, what Nengo makes of it.

Inputs and outputs are flattened, channels last. A weight that is not zero is a synapse.
"""

import abc
import dataclasses
import itertools
import math
from collections.abc import Callable

import numpy as np
import scipy.sparse

from nengo_tactile.errors import ConversionError


class Map(abc.ABC):
    """From ``n_in`` to ``n_out`` numbers.

    Attributes
    ----------
    n_in, n_out : int
    values : array
        Its weights, in any order.
    weighted : bool
        Whether its entries are synapses, or only say what goes where.
    n_axes : int
        Over which weights are shared: of a convolution of images two.
    sparse, pools : bool
        Whether it is a `Sparse`, or a `Pooling`.
    dense : bool
        Whether each input has a weight of its own to each output.
    diagonal : (n_in,) array or None
        The weights of a map that takes each input to the output of the same number.
    indices : (n_out,) int array or None
        Which input each output copies, of a map that does so in another order.
    """

    weighted = True
    n_axes = 0
    sparse = False
    pools = False
    dense = False
    diagonal = None
    indices = None

    @abc.abstractmethod
    def forward(self, x: np.ndarray) -> np.ndarray:
        """What arrives, (n_samples, n_out), when ``x``, (n_samples, n_in), is sent."""

    @abc.abstractmethod
    def backward(self, y: np.ndarray) -> np.ndarray:
        """The transposed map, from (n_samples, n_out) to (n_samples, n_in)."""

    @abc.abstractmethod
    def reweighted(self, change: Callable[[np.ndarray], np.ndarray]) -> "Map":
        """The same map with each array of weights ``change(weights)``."""

    @abc.abstractmethod
    def matrix(self) -> scipy.sparse.csr_matrix:
        """All weights that are not zero, (n_out, n_in) scipy.sparse.csr_matrix."""

    @abc.abstractmethod
    def largest(self) -> np.ndarray:
        """Largest absolute weight into each output, (n_out,) array."""

    @abc.abstractmethod
    def outputs_scaled(self, factors: np.ndarray) -> "Map":
        """The same map with its outputs times ``factors``, (n_out,), equal within a channel."""

    def scaled(self, factor):
        """The same map times a number, rounded to the type of the weights first."""
        return self.reweighted(lambda weights: weights * weights.dtype.type(factor))

    def fan_out(self, reached):
        """For each input the sum of ``reached`` over its synapses.

        Parameters
        ----------
        reached : (n_out,) int array

        Returns
        -------
        (n_in,) int array
        """
        ones = self.reweighted(lambda weights: (weights != 0).astype(float))
        return np.rint(ones.backward(np.asarray(reached, float)[None])[0]).astype(np.int64)

    def transform(self):
        """As the transform of a Nengo connection (from the inputs ``indices``, if it has them)."""
        import nengo

        if self.indices is not None or self.diagonal is not None:
            weights = self.values.reshape(-1)
            return weights[0] if (weights == weights[0]).all() else weights
        matrix = self.matrix()
        return nengo.Sparse(matrix.shape, init=matrix)


#: Inputs of an output up to which a convolution gathers them, instead of adding tap by tap.
GATHERED = 128


@dataclasses.dataclass(frozen=True, eq=False)
class Sparse(Map):
    """Few weights, given one by one: interpolation, pooling; what only copies its inputs.

    Attributes
    ----------
    weights : scipy.sparse.csr_matrix, (n_out, n_in)
    weighted : bool
        False for a map with one entry a row that says which input an output copies.
    """

    weights: scipy.sparse.csr_matrix
    weighted: bool = True
    sparse = True

    @classmethod
    def routing(cls, indices, n_in, factor=1.0):
        """The map whose output i is the input ``indices[i]`` (or i) times a number."""
        indices = np.arange(n_in) if indices is None else np.asarray(indices)
        # in float64, in which factors are multiplied before they meet weights of other links
        data = np.full(len(indices), factor, float), indices, np.arange(len(indices) + 1)
        return cls(scipy.sparse.csr_matrix(data, (len(indices), n_in)), weighted=False)

    @property
    def n_out(self):
        """Outputs."""
        return self.weights.shape[0]

    @property
    def n_in(self):
        """Inputs."""
        return self.weights.shape[1]

    @property
    def values(self):
        return self.weights.data

    @property
    def diagonal(self):
        ordered = not self.weighted and np.array_equal(self.weights.indices, np.arange(self.n_in))
        return self.weights.data if ordered else None

    @property
    def indices(self):
        return self.weights.indices if not self.weighted and self.diagonal is None else None

    def forward(self, x):
        return (self.weights @ x.T).T

    def backward(self, y):
        return (self.weights.T @ y.T).T

    def reweighted(self, change):
        parts = change(self.weights.data), self.weights.indices, self.weights.indptr
        return Sparse(scipy.sparse.csr_matrix(parts, self.weights.shape), self.weighted)

    def matrix(self):
        return self.weights

    def largest(self):
        return abs(self.weights).max(axis=1).toarray().ravel()

    def outputs_scaled(self, factors):
        each = np.repeat(factors, np.diff(self.weights.indptr))
        return self.reweighted(lambda weights: (weights * each).astype(np.float32))


@dataclasses.dataclass(frozen=True, eq=False)
class Convolution(Map):
    """Weights shared along axes, or all weights there are.

    Along an axis, output ``o`` reads the inputs ``o * stride + k * dilation - padding``; of a
    transposed map, input ``i`` reaches the outputs ``i * stride + k * dilation - padding``.

    Attributes
    ----------
    kernel : (sides..., input channels / groups, output channels) array
        Without sides a matrix; with as many groups as inputs besides, a weight for each input.
    input_shape, output_shape : tuple of int
        (size..., channels).
    strides, padding, dilation : tuple of int
        For each axis; by default 1, 0 and 1. Padding is the zeros in front of an axis; behind it
        are as many as windows reach.
    groups : int
        Output channels read the inputs of their group alone. As many as input channels: a
        depthwise convolution.
    transposed : bool
        Whether it is a convolution's transpose, which makes a larger image.

    Raises
    ------
    ConversionError
        If the kernel does not fit the shapes.
    """

    kernel: np.ndarray
    input_shape: tuple
    output_shape: tuple
    strides: tuple = ()
    padding: tuple = ()
    dilation: tuple = ()
    groups: int = 1
    transposed: bool = False

    def __post_init__(self):
        for name, number in (("strides", 1), ("padding", 0), ("dilation", 1)):
            values = tuple(int(value) for value in getattr(self, name)) or (number,) * self.n_axes
            object.__setattr__(self, name, values)
            if len(values) != self.n_axes or min(values, default=number) < number:
                raise ConversionError(
                    f"a kernel of shape {self.kernel.shape} has {name} {values}: give a whole "
                    f"number from {number} for each of its {self.n_axes} axes"
                )
        for name in ("input_shape", "output_shape"):
            object.__setattr__(self, name, tuple(int(size) for size in getattr(self, name)))
        channels, filters = self.input_shape[-1], self.output_shape[-1]
        expected = (*self.sides, channels // self.groups, filters)
        ranks = {len(self.input_shape), len(self.output_shape)}
        if (
            self.kernel.shape != expected
            or 0 in self.kernel.shape
            or ranks != {self.n_axes + 1}
            or channels % self.groups
            or filters % self.groups
        ):
            raise ConversionError(
                f"a kernel of shape {self.kernel.shape} in {self.groups} groups does not fit "
                f"inputs of shape {self.input_shape} and outputs of shape {self.output_shape}: "
                f"give one of shape {expected}"
            )

    @classmethod
    def matrix_of(cls, kernel):
        """The map of a matrix, (n_in, n_out)."""
        return cls(kernel, kernel.shape[:1], kernel.shape[1:])

    @classmethod
    def diagonal_of(cls, weights):
        """The map with one weight for each neuron, (n,)."""
        n = len(weights)
        return cls(np.ascontiguousarray(weights)[None], (n,), (n,), groups=n)

    @property
    def values(self):
        return self.kernel

    @property
    def sides(self):
        """Of the kernel, along each axis."""
        return self.kernel.shape[:-2]

    @property
    def n_axes(self):
        return self.kernel.ndim - 2

    @property
    def n_in(self):
        """Inputs."""
        return math.prod(self.input_shape)

    @property
    def n_out(self):
        """Outputs."""
        return math.prod(self.output_shape)

    @property
    def dense(self):
        return not self.n_axes and self.groups == 1

    @property
    def diagonal(self):
        one_each = not self.n_axes and self.groups == self.n_in == self.n_out > 1
        return self.kernel[0] if one_each else None

    def reach(self, axis):
        """Output of each position in the kernel and each input along an axis.

        Returns
        -------
        (side, n_in) int array
            -1 where there is none.
        """
        result = np.full((self.sides[axis], self.input_shape[axis]), -1)
        for row, (read, write) in zip(result, self._spans(axis)):
            row[read] = np.arange(write.start, write.stop, write.step)
        return result

    def _spans(self, axis):
        """For each position in the kernel, the slices of inputs and outputs that it joins."""
        shapes = (self.input_shape[axis], self.output_shape[axis])
        wide, narrow = shapes[::-1] if self.transposed else shapes
        stride, spans = self.strides[axis], []
        for tap in range(self.sides[axis]):
            shift = tap * self.dilation[axis] - self.padding[axis]
            first, end = max(0, -(shift // stride)), min(narrow, -((shift - wide) // stride))
            end = max(first, end)
            places = slice(first * stride + shift, end * stride + shift, stride)
            spans.append((places, slice(first, end, 1))[:: -1 if self.transposed else 1])
        return spans

    def taps(self):
        """Yield the weights of each position in the kernel and what they join.

        Yields
        ------
        weights : (groups, inputs, outputs) array
            Between the channels of a group.
        read, write : tuple of slice
            Of inputs and outputs, (n_samples, size..., channels).
        """
        spans = [self._spans(axis) for axis in range(self.n_axes)]
        for tap, joined in zip(np.ndindex(*self.sides), itertools.product(*spans)):
            if all(read.stop > read.start for read, _ in joined):
                weights = self.kernel[tap].reshape(self.kernel.shape[-2], self.groups, -1)
                places = ((slice(None), *(pair[way] for pair in joined)) for way in (0, 1))
                yield weights.swapaxes(0, 1), *places

    def forward(self, x):
        few = self.kernel[..., 0].size <= GATHERED and self.n_axes
        if few and self.groups == 1 and not self.transposed:
            return self._gathered(x)
        return self._applied(x, self.input_shape, self.output_shape)

    def _gathered(self, x):
        """The same by one product of matrices: what each output reads side by side."""
        x, edges = x.reshape(len(x), *self.input_shape), [(0, 0)]
        wide = [(side - 1) * step + 1 for side, step in zip(self.sides, self.dilation)]
        for size, out, stride, pad, side in zip(
            self.input_shape, self.output_shape, self.strides, self.padding, wide
        ):
            edges.append((pad, max((out - 1) * stride + side - pad - size, 0)))
        axes = tuple(range(1, 1 + self.n_axes))
        read = np.lib.stride_tricks.sliding_window_view(np.pad(x, [*edges, (0, 0)]), wide, axes)
        places = (slice(0, n * s, s) for n, s in zip(self.output_shape, self.strides))
        taps = (slice(None, None, step) for step in self.dilation)
        read = read[(slice(None), *places, slice(None), *taps)]  # n, out..., channel, tap...
        kernel = np.moveaxis(self.kernel, -2, 0).reshape(-1, self.kernel.shape[-1])
        return (read.reshape(-1, len(kernel)) @ kernel).reshape(len(x), self.n_out)

    def backward(self, y):
        return self._applied(y, self.output_shape, self.input_shape, back=True)

    def _applied(self, x, here, there, back=False):
        x, groups = x.reshape(len(x), *here), self.groups
        result = np.zeros((len(x), *there), np.result_type(x, self.kernel))
        for weights, *places in self.taps():
            read, write = places[:: -1 if back else 1]
            weights = weights.swapaxes(1, 2) if back else weights
            part = x[read]
            if groups == 1:
                result[write] += part @ weights[0]
                continue
            pixels = part.shape[:-1]
            part = part.reshape(*pixels, groups, 1, here[-1] // groups) @ weights
            result[write] += part.reshape(*pixels, there[-1])
        return result.reshape(len(x), math.prod(there))

    def reweighted(self, change):
        return dataclasses.replace(self, kernel=change(self.kernel))

    def matrix(self):
        inputs = np.arange(self.n_in).reshape(1, *self.input_shape)
        outputs = np.arange(self.n_out).reshape(1, *self.output_shape)
        rows, columns, values = [np.zeros(0, int)], [np.zeros(0, int)], [self.kernel.ravel()[:0]]
        for weights, read, write in self.taps():
            source = inputs[read].reshape(-1, self.groups, weights.shape[1], 1)
            target = outputs[write].reshape(-1, self.groups, 1, weights.shape[2])
            joined = np.broadcast_arrays(source, target, weights)
            for part, each in zip((columns, rows, values), joined):
                part.append(each.ravel())
        entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
        result = scipy.sparse.csr_matrix(entries, (self.n_out, self.n_in))
        result.eliminate_zeros()
        return result

    def largest(self):
        channels = np.abs(self.kernel).max(axis=tuple(range(self.kernel.ndim - 1)))
        return np.tile(channels, self.n_out // len(channels))

    def outputs_scaled(self, factors):
        return self.reweighted(lambda kernel: kernel * factors[: kernel.shape[-1]])

    def plain(self):
        """The same map in one group and without dilation, with zeros for what these leave out."""
        *sides, inputs, filters = self.kernel.shape
        kernel = np.zeros((*sides, self.groups * inputs, filters), self.kernel.dtype)
        width = filters // self.groups
        for group in range(self.groups):
            columns = slice(group * width, (group + 1) * width)
            rows = slice(group * inputs, (group + 1) * inputs)
            kernel[..., rows, columns] = self.kernel[..., columns]
        wide = [(side - 1) * step + 1 for side, step in zip(sides, self.dilation)]
        full = np.zeros((*wide, *kernel.shape[-2:]), kernel.dtype)
        full[tuple(slice(None, None, step) for step in self.dilation)] = kernel
        return dataclasses.replace(self, kernel=full, dilation=(), groups=1)

    def padding_word(self):
        """The padding as TensorFlow says it, "valid" or "same"; None where it has no word."""
        shapes = self.input_shape, self.output_shape
        wide, narrow = shapes[::-1] if self.transposed else shapes
        sides = [(side - 1) * step + 1 for side, step in zip(self.sides, self.dilation)]
        whole = [(n - side) // s + 1 for n, side, s in zip(wide, sides, self.strides)]
        if not any(self.padding) and list(narrow[:-1]) == whole:
            return "valid"
        halves = [-(-n // s) for n, s in zip(wide, self.strides)]
        same = same_padding(wide, narrow, sides, self.strides)
        return "same" if list(narrow[:-1]) == halves and self.padding == same else None

    def transform(self):
        import nengo

        if not self.n_axes and self.diagonal is None:
            return self.plain().kernel.T
        word = self.padding_word()
        if not self.n_axes or word is None:
            return super().transform()
        plain = self.plain()
        settings = {
            "n_filters": self.output_shape[-1],
            "input_shape": self.input_shape,
            "kernel_size": plain.sides,
            "strides": self.strides,
            "padding": word,
            "init": plain.kernel,
        }
        if self.transposed:
            return nengo.transforms.ConvolutionTranspose(output_shape=self.output_shape, **settings)
        return nengo.Convolution(**settings)


class Pooling(Convolution):
    """Windows of each channel added up, all their inputs with one weight."""

    pools = True

    @classmethod
    def of(cls, weight, side, input_shape, output_shape):
        """Square windows that do not overlap; inputs that do not fill one are left out."""
        channels = input_shape[-1]
        kernel = np.full((side, side, 1, channels), weight)
        return cls(kernel, input_shape, output_shape, (side, side), groups=channels)

    def transform(self):
        return Map.transform(self)


def same_padding(wide, narrow, sides, strides):
    """Zeros in front of each axis as TensorFlow pads: the smaller half of what windows need.

    Parameters
    ----------
    wide, narrow : tuple of int
        Shapes of what windows read, and of what they make; of a transposed convolution the other
        way round.
    sides : sequence of int
        Of windows, with what dilation leaves out.
    strides : sequence of int

    Returns
    -------
    tuple of int
    """
    axes = zip(wide, narrow, sides, strides)
    return tuple(max((n - 1) * s + side - size, 0) // 2 for size, n, side, s in axes)
